"""Results as they are made: a thread of the gate writes, the event loop sends.

Between the two are `_WAITING` parts at most. The writer waits when the client is slow,
and holds its turn meanwhile, so each wait has the time limit of the query. When the
client goes, the statement is interrupted and the writer stops. What goes wrong before
the first part is told by the status; behind it the connection is cut off, since no
format but NDJSON has a place for it.
"""

import asyncio
import concurrent.futures
from collections.abc import AsyncIterator, Callable

from logstream.api.bodies import AnyRequest
from logstream.api.left_out import left_out_of
from logstream.api.reading import ReadGate, client_of, watch
from logstream.api.streaming import MEDIA_TYPE as NDJSON
from logstream.api.streaming import LinesResponse, error_line
from logstream.core.errors import LogStreamError, QueryCancelled, QueryTimeout

_PART_BYTES = 262_144
_WAITING = 4

Sink = Callable[[bytes], None]


async def stream_parts(
    gate: ReadGate,
    request: AnyRequest,
    write: Callable[[Sink], None],
    *,
    media_type: str,
    timeout_s: float,
) -> LinesResponse:
    """The response, once its first part is there.

    Args:
        write: Runs on a thread of the gate; what it gives the sink is sent.

    Raises:
        Everything that `ReadGate.run` and `write` do.
    """
    parts = _Parts(asyncio.get_running_loop(), timeout_s)

    left_out = left_out_of(request.scope)  # complete before there is a first row

    def run() -> None:
        write(parts.put)
        parts.end()

    job = asyncio.ensure_future(
        gate.run(run, client=client_of(request), timeout_s=timeout_s, left_out=left_out)
    )

    def stop(_: object) -> None:
        parts.close()
        job.cancel()

    gone = watch(request)
    gone.add_done_callback(stop)  # whoever has gone first, and at the end
    sending = _send(parts, job)
    try:
        first = await anext(sending, b"")
    except asyncio.CancelledError:
        raise QueryCancelled("Whoever asked has gone.") from None
    except LogStreamError:
        gone.cancel()
        raise
    lines = _chained(first, sending, tells=media_type == NDJSON)
    return LinesResponse(lines, request, media_type)


class _Parts:
    """A bounded queue from a thread to the loop. `put` and `end` are the thread's."""

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout_s: float) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(_WAITING)
        self._loop = loop
        self._timeout_s = timeout_s
        self._gathered = bytearray()
        self._closed = False

    def put(self, part: bytes) -> None:
        """Raises QueryTimeout, QueryCancelled: nobody reads, or not soon enough."""
        self._gathered += part
        if len(self._gathered) >= _PART_BYTES:
            self.end()

    def end(self) -> None:
        """Send what is gathered."""
        part = bytes(self._gathered)
        self._gathered.clear()
        if self._closed:
            raise QueryCancelled("Whoever asked has gone.")
        if not part:
            return
        waiting = asyncio.run_coroutine_threadsafe(self.queue.put(part), self._loop)
        try:
            waiting.result(self._timeout_s)
        except concurrent.futures.TimeoutError:
            waiting.cancel()
            raise QueryTimeout(
                f"The client took nothing for {self._timeout_s:g} s (query.timeout_s)."
            ) from None

    def close(self) -> None:
        """On the loop: the writer goes on to its next part, and stops there."""
        self._closed = True
        while not self.queue.empty():
            self.queue.get_nowait()


async def _send(parts: _Parts, job: "asyncio.Task[None]") -> AsyncIterator[bytes]:
    taking: asyncio.Task[bytes] | None = None
    try:
        while not (job.done() and parts.queue.empty()):
            taking = asyncio.ensure_future(parts.queue.get())
            await asyncio.wait({taking, job}, return_when=asyncio.FIRST_COMPLETED)
            if taking.done():
                yield taking.result()
            else:
                taking.cancel()
        job.result()
    finally:
        parts.close()
        job.cancel()
        if taking is not None:
            taking.cancel()


async def _chained(
    first: bytes, rest: AsyncIterator[bytes], *, tells: bool
) -> AsyncIterator[bytes]:
    """Args: tells: An error is the last line, instead of cutting the answer off."""
    yield first
    try:
        async for part in rest:
            yield part
    except LogStreamError as error:
        if not tells:
            raise
        yield error_line(error)
