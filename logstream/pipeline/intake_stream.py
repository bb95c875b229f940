"""A stream of NDJSON of any length, taken in within bounded memory, all or nothing."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import msgspec

from logstream.core.errors import EntryRejected, TooLarge
from logstream.core.timestamps import now_ns
from logstream.journal.answers import Answer
from logstream.journal.segment import Segment
from logstream.journal.staging import Staging
from logstream.pipeline.decode import Decoded, Rejection, decode_lines
from logstream.telemetry.metrics import REJECTED

if TYPE_CHECKING:
    from logstream.pipeline.intake import Intake

_PIECE_BYTES = 4 * 1_048_576
"""It is decoded and written in pieces of about this size."""

LARGE_BYTES = 16 * 1_048_576
"""What is larger goes through staging, not to hold up other requests' acks."""

MAX_REJECTED_LISTED = 100


class StreamResult(msgspec.Struct, frozen=True, kw_only=True):
    entries: int
    rejected: tuple[Rejection, ...]
    """The first `MAX_REJECTED_LISTED` of them."""
    rejected_count: int


Remember = Callable[[StreamResult], Mapping[str, Answer]]
"""Asked just before the write, when the result is known: the answers to remember, which
are stored in the same frame."""


class IntakeStream:
    """One NDJSON stream. Leaving it without `commit` discards all of it.

    What fits into one piece goes the way of a single request, and shares its fsync; a
    longer stream is staged in segments of its own. While one piece comes in, the one
    before it is decoded, and the one before that written and synced: there are no more
    than these three. So an error of a piece shows with a later `feed`, or in `commit`.
    """

    def __init__(
        self,
        intake: "Intake",
        *,
        partial: bool,
        positions: Mapping[str, Any],
        remember: Remember | None,
    ) -> None:
        self._intake = intake
        self._partial = partial
        self._positions = positions
        self._remember = remember
        self._rest: list[bytes] = []
        self._rest_bytes = 0
        self._fed_bytes = 0
        self._staging: Staging | None = None
        self._decoding: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._first: Decoded | None = None
        self._index = 0
        self._skipping = False
        """Within an entry that is too long: `partial` goes on behind it."""
        self._entries = 0
        self._bytes = 0
        self._sources: dict[str, int] = {}
        self._rejected: list[Rejection] = []
        self._rejected_count = 0

    async def feed(self, chunk: bytes) -> None:
        """Take some bytes, cut anywhere.

        Raises:
            EntryRejected: with its index in the whole stream.
            TooLarge: a line over `intake.max_entry_bytes`, or the whole over
                `intake.max_batch_bytes`.
            Overloaded, DiskFull, NotReady, StorageError
        """
        self._fed_bytes += len(chunk)
        limits = self._intake.config
        if self._fed_bytes > limits.max_batch_bytes:
            raise TooLarge(
                f"A batch may have {limits.max_batch_bytes} bytes "
                "(intake.max_batch_bytes): send it in parts."
            )
        # In pieces: what is decoded at once has to fit into one frame.
        for at in range(0, len(chunk), _PIECE_BYTES):
            piece = chunk[at : at + _PIECE_BYTES]
            self._rest.append(piece)
            self._rest_bytes += len(piece)
            if self._rest_bytes >= _PIECE_BYTES:
                await self._take(b"".join(self._rest), last=False)

    async def put(self, decoded: Decoded) -> None:
        """Take entries that are decoded already, of any number."""
        payload, at = decoded.payload, 0
        while at < len(payload):
            end = payload.rfind(b"\n", at, at + LARGE_BYTES) + 1
            end = end if end > at else payload.find(b"\n", at) + 1
            piece = payload[at:end]
            await self._stage(piece, piece.count(b"\n"))
            at = end
        self._note(decoded)

    async def commit(self) -> StreamResult:
        """Return when all of it is on disk. Raises as `feed` does."""
        if self._rest_bytes:
            await self._take(b"".join(self._rest), last=True)
        await self._finish_decoding()
        await self._finish_writing()
        result = StreamResult(
            entries=self._entries,
            rejected=tuple(self._rejected),
            rejected_count=self._rejected_count,
        )
        answers = self._remember(result) if self._remember else {}
        if self._staging is not None:
            if self._positions or answers:
                await self._stage(b"", 0, self._positions, answers)
            segments = await asyncio.to_thread(self._commit_staged, self._staging)
            self._staging = None
            if not self._intake.acks.give(segments, self._bytes):
                await self._intake.acks.until_stored(segments)
        elif self._entries or self._positions or answers:
            payload = self._first.payload if self._first else b""
            self._intake.check(len(payload))
            await self._intake.write(
                payload, self._entries, self._sources, self._positions, answers
            )
        return result

    def _commit_staged(self, staging: Staging) -> Sequence[Segment]:
        segments = staging.commit()
        self._intake.count_received(self._sources, self._bytes)
        return segments

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        running = [task for task in (self._decoding, self._writing) if task]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        staging, self._staging = self._staging, None
        if staging is not None:
            await asyncio.to_thread(staging.discard)

    async def _take(self, data: bytes, *, last: bool) -> None:
        """Decode the whole lines of what has come; keep the rest for later."""
        if self._skipping:
            begin = data.find(b"\n") + 1
            self._skipping = not (begin or last)
            data = data[begin:] if begin else b""
        end = len(data) if last else data.rfind(b"\n") + 1
        rest = data[end:]
        self._rest, self._rest_bytes = ([rest] if rest else []), len(rest)
        if end:
            await self._finish_decoding()
            lines = data[:end]
            self._decoding = asyncio.create_task(self._decode_piece(lines, last=last))
        if len(rest) > self._intake.config.max_entry_bytes + 2:
            await self._finish_decoding()
            self._refuse_long()

    async def _decode_piece(self, lines: bytes, *, last: bool) -> None:
        decoded = await self._decode(lines)
        self._index += decoded.entries + len(decoded.rejected)
        self._note(decoded)
        if last and self._staging is None:
            self._first = decoded
        elif decoded.entries:
            await self._finish_writing()
            self._open_staging(len(decoded.payload))
            self._writing = asyncio.create_task(
                self._stage(decoded.payload, decoded.entries)
            )

    async def _finish_decoding(self) -> None:
        task, self._decoding = self._decoding, None
        if task is not None:
            await task

    async def _finish_writing(self) -> None:
        task, self._writing = self._writing, None
        if task is not None:
            await task

    def _refuse_long(self) -> None:
        """The entry that has begun, and has no end yet, is over the limit."""
        limit = self._intake.config.max_entry_bytes
        detail = f"is longer than {limit} bytes (intake.max_entry_bytes)"
        if not self._partial:
            raise EntryRejected(
                f"Entry {self._index}: {detail}.", index=self._index, reason="too_large"
            )
        rejection = Rejection(index=self._index, reason="too_large", detail=detail)
        self._note(Decoded(payload=b"", entries=0, sources={}, rejected=(rejection,)))
        self._index += 1
        self._rest, self._rest_bytes, self._skipping = [], 0, True

    async def _decode(self, data: bytes) -> Decoded:
        def decode() -> Decoded:
            return decode_lines(
                data,
                limits=self._intake.config,
                received_ns=now_ns(),
                partial=self._partial,
                first_index=self._index,
            )

        if len(data) <= 65_536:
            return decode()
        return await asyncio.to_thread(decode)

    async def _stage(
        self,
        payload: bytes,
        lines: int,
        positions: Mapping[str, Any] | None = None,
        answers: Mapping[str, Answer] | None = None,
    ) -> None:
        await self._intake.pace()
        staging = self._open_staging(len(payload))
        self._intake.check_room()
        await asyncio.to_thread(
            staging.write,
            payload,
            lines=lines,
            positions=dict(positions or {}),
            answers=answers,
        )

    def _open_staging(self, size: int) -> Staging:
        if self._staging is None:
            self._intake.check(size)
            self._staging = self._intake.journal.stage()
        return self._staging

    def _note(self, decoded: Decoded) -> None:
        self._entries += decoded.entries
        self._bytes += len(decoded.payload)
        for source, count in decoded.sources.items():
            self._sources[source] = self._sources.get(source, 0) + count
        for rejection in decoded.rejected:
            REJECTED.labels(rejection.reason).inc()
        self._rejected_count += len(decoded.rejected)
        room = MAX_REJECTED_LISTED - len(self._rejected)
        self._rejected.extend(decoded.rejected[:room])
