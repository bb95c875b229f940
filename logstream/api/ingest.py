"""Taking entries in: one, an array, or a stream of lines.

An answer of 200 means: on disk. A batch is stored as a whole or not at all; with
`partial=true` the good entries are, and the bad ones are listed.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

import msgspec
from litestar import Response, post
from msgspec import Meta

from logstream.api.bodies import INLINE_BYTES, AnyRequest, Cap
from logstream.api.context import ApiContext, context_of, json_answer
from logstream.api.errors import (
    BodyTimeout,
    KeyInUse,
    KeyMismatch,
    UnsupportedMediaType,
)
from logstream.api.idempotency import KEY_PARAMETER, Keyed, key_of
from logstream.api.ingest_headers import (
    POSITIONS_HEADER,
    Form,
    form_of,
    positions_of,
)
from logstream.api.operations import Header, Operation, RequestBody
from logstream.api.parameters import Fields, NoParameters, query_of
from logstream.api.shapes import ENTRY_EXAMPLE, Accepted, EntryIn, Ok, RejectedEntry
from logstream.core.errors import (
    BadRequest,
    DiskFull,
    EntryRejected,
    NotReady,
    Overloaded,
    TooLarge,
    UnknownEncoding,
)
from logstream.core.timestamps import now_ns
from logstream.pipeline.decode import Decoded, decode_array, decode_one
from logstream.pipeline.intake_stream import Remember, StreamResult

MAX_LISTED = 100
"""Rejected entries that an answer lists; the rest is only counted."""

_OK = b'{"status":"ok"}'

_PROBLEMS = (
    *(BadRequest, BodyTimeout, TooLarge, UnknownEncoding, UnsupportedMediaType),
    *(KeyMismatch, KeyInUse, Overloaded, NotReady, DiskFull),
)


class BatchParameters(Fields, frozen=True, kw_only=True):
    partial: Annotated[
        bool,
        Meta(
            description="Store the good entries and list the bad ones, instead of "
            "refusing the batch for one bad entry."
        ),
    ] = False


@post(
    "/api/v1/logs",
    status_code=200,
    opt=Operation(
        id="addEntry",
        tag="Ingest",
        summary="Store one entry",
        description="Answers once the entry is on disk; any query that begins after "
        "the answer sees it.",
        headers=(KEY_PARAMETER,),
        body=RequestBody(kind=EntryIn, examples={"application/json": ENTRY_EXAMPLE}),
        answer=Ok,
        example={"status": "ok"},
        problems=(EntryRejected, *_PROBLEMS),
    ).as_opt(),
)
async def add_entry(request: AnyRequest) -> Response[bytes]:
    context = context_of(request)
    query_of(request, NoParameters)
    form_of(request)
    key = key_of(request)
    if key is None:
        return await _store_entry(context, request, None)
    keyed = Keyed(key, request.scope["path"], answer=lambda _: _OK)
    async with context.keys.turn(key):
        if (known := context.engine.answered(key)) is not None:
            return await keyed.again(
                known, request, context.bodies, _entry_cap(context)
            )
        return await _store_entry(context, request, keyed)


async def _store_entry(
    context: ApiContext, request: AnyRequest, keyed: Keyed | None
) -> Response[bytes]:
    limits = context.settings.intake
    intake = context.engine.intake
    try:
        body = await context.bodies.whole(request, _entry_cap(context))
    except TooLarge:
        await context.bodies.drain(request)
        raise
    try:
        if len(body) <= INLINE_BYTES:
            decoded = decode_one(body, limits=limits, received_ns=now_ns())
        else:
            decoded = await asyncio.to_thread(
                decode_one, body, limits=limits, received_ns=now_ns()
            )
    except EntryRejected as error:
        intake.count_refused(error)
        raise
    if keyed is None:
        await intake.append(decoded)
    else:
        keyed.see(body)
        await intake.append(decoded, remember=keyed.remember)
    return json_answer(_OK)


def _entry_cap(context: ApiContext) -> Cap:
    return Cap(context.settings.intake.max_entry_bytes, "intake.max_entry_bytes")


@post(
    "/api/v1/logs/batch",
    status_code=200,
    opt=Operation(
        id="addBatch",
        tag="Ingest",
        summary="Store many entries",
        description="A JSON array, or NDJSON: a stream of lines of any length, in "
        "bounded memory. Stored as a whole or not at all, unless `partial=true`.",
        query=BatchParameters,
        headers=(
            Header(
                name=POSITIONS_HEADER,
                description="A JSON object: names of inputs and where a reader stands "
                "in each. Stored in the same write as the batch, which may be empty.",
                example='{"file:/var/log/app.log": 4096}',
            ),
            KEY_PARAMETER,
        ),
        body=RequestBody(
            kind=list[EntryIn],
            examples={
                "application/json": [ENTRY_EXAMPLE],
                "application/x-ndjson": msgspec.json.encode(ENTRY_EXAMPLE).decode()
                + "\n",
            },
        ),
        answer=Accepted,
        example={"status": "ok", "count": "2"},
        problems=(EntryRejected, *_PROBLEMS),
    ).as_opt(),
)
async def add_batch(request: AnyRequest) -> Response[bytes]:
    context = context_of(request)
    partial = query_of(request, BatchParameters).partial
    positions = positions_of(request)
    form = form_of(request)
    key = key_of(request)
    if key is None:
        batch = _Batch(context, partial=partial, positions=positions)
        return await batch.answer(request, form)
    keyed = Keyed(
        key,
        request.scope["path"],
        str(partial),
        request.headers.get(POSITIONS_HEADER, ""),
        answer=lambda result: _accepted(result, partial=partial),
    )
    async with context.keys.turn(key):
        batch = _Batch(context, partial=partial, positions=positions, keyed=keyed)
        if (known := context.engine.answered(key)) is not None:
            return await keyed.again(known, request, context.bodies, batch.cap)
        return await batch.answer(request, form)


def _accepted(stored: StreamResult, *, partial: bool) -> bytes:
    if not partial:
        return b'{"status":"ok","count":"%d"}' % stored.entries
    answer = Accepted(
        count=str(stored.entries),
        rejected=[
            RejectedEntry(index=one.index, reason=one.reason, detail=one.detail)
            for one in stored.rejected[:MAX_LISTED]
        ],
        rejected_total=stored.rejected_count,
    )
    return msgspec.json.encode(answer)


class _Batch:
    """One batch on its way in."""

    def __init__(
        self,
        context: ApiContext,
        *,
        partial: bool,
        positions: Mapping[str, Any],
        keyed: Keyed | None = None,
    ) -> None:
        self._context = context
        self._keyed = keyed
        self._partial = partial
        self._positions = positions
        self._limits = context.settings.intake
        self._array_cap = Cap(self._limits.max_array_bytes, "intake.max_array_bytes")
        self.cap = Cap(self._limits.max_batch_bytes, "intake.max_batch_bytes")

    async def answer(self, request: AnyRequest, form: Form) -> Response[bytes]:
        """Store it, and say so."""
        try:
            stored = await self._store(request, form)
        except (EntryRejected, TooLarge, Overloaded) as error:
            self._context.engine.intake.count_refused(error)
            await self._context.bodies.drain(request)
            raise
        return json_answer(_accepted(stored, partial=self._partial))

    async def _store(self, request: AnyRequest, form: Form) -> StreamResult:
        """Take the body in, and return when what is to be stored is on disk."""
        bodies = self._context.bodies
        if form == "json":
            body = await bodies.whole(request, self._array_cap)
            if self._keyed is not None:
                self._keyed.see(body)
            return await self._array(body)
        blocks = bodies.blocks(request, self.cap)
        if self._keyed is not None:
            blocks = self._keyed.seeing(blocks)
        if form == "lines":
            return await self._stream(blocks)
        first = await anext(blocks, b"")
        if first.lstrip()[:1] == b"{":
            return await self._stream(blocks, first)
        return await self._array(await self._rest(first, blocks))

    async def _rest(self, first: bytes, blocks: AsyncIterator[bytes]) -> bytes:
        parts, size = [first], len(first)
        self._array_cap.check(size)
        async for block in blocks:
            size += len(block)
            self._array_cap.check(size)
            parts.append(block)
        return b"".join(parts)

    async def _array(self, body: bytes) -> StreamResult:
        if len(body) <= INLINE_BYTES:
            decoded = self._decode(body)
        else:
            decoded = await asyncio.to_thread(self._decode, body)
        intake = self._context.engine.intake
        await intake.append(decoded, positions=self._positions, **self._remembering())
        return StreamResult(
            entries=decoded.entries,
            rejected=decoded.rejected,
            rejected_count=len(decoded.rejected),
        )

    def _remembering(self) -> dict[str, Remember]:
        return {} if self._keyed is None else {"remember": self._keyed.remember}

    def _decode(self, body: bytes) -> Decoded:
        return decode_array(
            body, limits=self._limits, received_ns=now_ns(), partial=self._partial
        )

    async def _stream(
        self, blocks: AsyncIterator[bytes], first: bytes = b""
    ) -> StreamResult:
        intake = self._context.engine.intake
        async with intake.stream(
            partial=self._partial, positions=self._positions, **self._remembering()
        ) as stream:
            if first:
                await stream.feed(first)
            async for block in blocks:
                await stream.feed(block)
            return await stream.commit()
