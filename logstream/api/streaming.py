"""Entries as NDJSON, as many as are asked for, in bounded memory.

A stream is a row of pages, each a query of its own: with its own turn and time limit,
and with neither a turn nor a snapshot of the store held while a slow client reads.
Pages are sized by what the rows before weighed. An error behind the first page comes as
a last line, `{"error": …}`, since the status is long sent.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import date
from typing import Any

import msgspec
from litestar import Response
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import Receive, Send

from logstream.api.bodies import AnyRequest
from logstream.api.left_out import LeftOut, left_out_of
from logstream.api.problems import problem_of
from logstream.api.reading import ReadGate, client_of, watch
from logstream.api.shapes import entry_lines
from logstream.core.errors import LogStreamError, TooLarge, UnreadableDays
from logstream.storage.rows import Page

MEDIA_TYPE = "application/x-ndjson"

_PAGE_ROWS = 1_000
"""In a page: up to here only what sorts is read of every match. A day of 320 000
entries takes 4.1 s CPU, 10.7 with 20 000; 30 days of 9 000 each 3.4 s instead of 2.4.
"""
_PAGE_BYTES = 4 * 1_048_576

PageReader = Callable[[int, str | None], Page]
"""Given the limit and the cursor of a page."""


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be streamed."""

    read: PageReader
    limit: int
    cursor: str | None
    whole: bool
    """Everything was asked for: that there is more than `limit` is an error then."""
    ids: bool
    timeout_s: float | None
    """Of each page."""


class LinesResponse(Response[bytes]):
    """A 200 whose body comes as it is made."""

    def __init__(
        self,
        lines: AsyncIterator[bytes],
        request: AnyRequest,
        media_type: str = MEDIA_TYPE,
    ) -> None:
        super().__init__(b"", media_type=media_type)
        self._lines = lines
        self._request = request

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIStreamingResponse:
        found = _Lines(
            iterator=self._lines, media_type=str(self.media_type), status_code=200
        )
        found.gone = watch(self._request)
        return found


class _Lines(ASGIStreamingResponse):
    """Ends with the stream, or when the client has gone, whichever comes first."""

    gone: "asyncio.Task[None]"

    async def send_body(self, send: Send, receive: Receive) -> None:
        del receive  # the watch of the request has it
        sending = asyncio.ensure_future(self._stream(send))
        try:
            await asyncio.wait(
                {sending, self.gone}, return_when=asyncio.FIRST_COMPLETED
            )
            if sending.done():
                sending.result()
        finally:
            for task in (sending, self.gone):
                task.cancel()
            await asyncio.wait({sending, self.gone})


async def stream(gate: ReadGate, request: AnyRequest, rows: Rows) -> LinesResponse:
    """The response, once the first page is there: what is wrong is told by its status.

    Raises:
        Everything that `ReadGate.run` and the read do.
    """
    count = min(rows.limit, _PAGE_ROWS)
    first = await gate.run(
        lambda: _page(rows, count, rows.cursor),
        request=request,
        timeout_s=rows.timeout_s,
        keep_watch=True,
    )
    told = frozenset(left_out_of(request.scope).days)
    return LinesResponse(_lines(gate, client_of(request), rows, first, told), request)


class _Part(msgspec.Struct, frozen=True):
    lines: bytes
    rows: int
    cursor: str | None


def _page(rows: Rows, count: int, cursor: str | None) -> _Part:
    """Read and encode, on a thread of the gate."""
    page = rows.read(count, cursor)
    return _Part(entry_lines(page.rows, ids=rows.ids), len(page.rows), page.cursor)


async def _lines(
    gate: ReadGate, client: str, rows: Rows, part: _Part, told: frozenset[date]
) -> AsyncIterator[bytes]:
    """Args: told: Days that the header names, as they cannot be read."""
    left = rows.limit
    left_out = LeftOut()
    try:
        while True:
            yield part.lines
            left -= part.rows
            if part.cursor is None:
                return
            if left <= 0:
                break
            part = await gate.run(
                _next_page(rows, part, left),
                client=client,
                timeout_s=rows.timeout_s,
                settled=True,
                left_out=left_out,
            )
            if lost := sorted(left_out.days - told):
                raise UnreadableDays(
                    f"These days cannot be read any more: {', '.join(map(str, lost))}."
                )
        if rows.whole:
            raise TooLarge(
                f"There are more than {rows.limit} entries (query.max_stream_rows): "
                f"go on with cursor={part.cursor}."
            )
    except LogStreamError as error:
        yield error_line(error)


def error_line(error: LogStreamError) -> bytes:
    """What stands in place of a row, when the status is long sent."""
    return b'{"error":%s}\n' % msgspec.json.encode(problem_of(error))


def _next_page(rows: Rows, part: _Part, left: int) -> Callable[[], _Part]:
    weight = max(1, len(part.lines) // max(1, part.rows))
    count = min(left, _PAGE_ROWS, max(1, _PAGE_BYTES // weight))
    return lambda: _page(rows, count, part.cursor)
