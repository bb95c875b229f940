"""Reads: after what was acked, a few at once, off the event loop, and bounded.

A read that nobody waits for any more is stopped: when the other side hangs up, the
statement that runs for it is interrupted, or its place in line given up.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, TypeVar, cast

from litestar.types import Receive

from logstream.api.bodies import AnyRequest
from logstream.api.left_out import LeftOut, left_out_of
from logstream.api.line import FairLine
from logstream.config.settings import QueryConfig
from logstream.core.errors import (
    NotReady,
    QueryCancelled,
    QueryMemory,
    QueryTimeout,
    TooManyQueries,
    UnreadableDays,
)
from logstream.pipeline.engine import Engine
from logstream.storage.control import QueryControl, bounded_by
from logstream.telemetry.metrics import QUERIES, QUERY_SECONDS, QUERY_WAIT_SECONDS

T = TypeVar("T")

READ_PROBLEMS = (
    *(QueryTimeout, QueryMemory, TooManyQueries, NotReady),
    UnreadableDays,
)
"""What any read may be answered with."""

_WATCH = "logstream.watch"

Outcome = Literal["done", "failed", "timeout", "cancelled", "refused"]


class ReadGate:
    """Lets `query.max_running` reads run at once, on threads of their own.

    Threads of their own, so that slow queries never hold up the decoding of what is
    sent meanwhile, which runs on the event loop's default threads. Used on one event
    loop.
    """

    def __init__(self, engine: Engine, config: QueryConfig) -> None:
        self._engine = engine
        self._timeout_s = config.timeout_s
        self._line = FairLine(
            max_running=config.max_running, max_waiting=config.max_waiting
        )
        self._controls: set[QueryControl] = set()
        self._stopping = False
        self._threads = ThreadPoolExecutor(config.max_running, "logstream-read")

    async def run(
        self,
        read: Callable[[], T],
        *,
        request: AnyRequest | None = None,
        client: str = "",
        timeout_s: float | None = None,
        settled: bool = False,
        keep_watch: bool = False,
        left_out: LeftOut | None = None,
    ) -> T:
        """Run it once everything acked before this call can be seen.

        The engine bounds how long that takes. Cancelling this stops the read.

        Args:
            request: Whose read it is: it stands in line for this client, and is stopped
                when that goes away. Its body has been received.
            client: Who stands in line, when there is no request.
            settled: It need not see what was acked lately.
            keep_watch: The caller goes on to `watch` the request, and ends that.
            left_out: Takes what the answer lacks, as that is found; missing: what is
                told in the answer to the request.
            timeout_s: For the wait in line, and again for the read; None =
                `query.timeout_s`.

        Raises:
            QueryTimeout: its turn did not come in time, or it took too long.
            TooManyQueries: the line is full.
            QueryCancelled: the client has gone; nobody reads this.
        """
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        outcome: Outcome = "failed"
        begun = time.perf_counter()
        if left_out is None:
            left_out = LeftOut() if request is None else left_out_of(request.scope)
        try:
            work = self._in_turn(
                read, client_of(request) or client, limit_s, left_out, settled=settled
            )
            found = await (work if request is None else _unless_gone(work, request))
            outcome = "done"
        except QueryTimeout:
            outcome = "timeout"
            raise
        except (QueryCancelled, asyncio.CancelledError):
            outcome = "cancelled"
            raise
        except TooManyQueries:
            outcome = "refused"
            raise
        finally:
            if request is not None and not (keep_watch and outcome == "done"):
                watch(request).cancel()
            QUERIES.labels(outcome).inc()
            QUERY_SECONDS.observe(time.perf_counter() - begun)
        return found

    def abort(self) -> None:
        """Stop the reads that run and those in line, now and from now on."""
        self._stopping = True
        for control in list(self._controls):
            control.cancel()

    def close(self) -> None:
        """`abort`, and end the threads."""
        self.abort()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_turn(
        self,
        read: Callable[[], T],
        client: str,
        limit_s: float,
        left_out: LeftOut,
        *,
        settled: bool,
    ) -> T:
        if not settled:
            left_out.stuck_entries = await self._engine.settle()
        waits = time.perf_counter()
        try:
            async with asyncio.timeout(limit_s):
                await self._line.enter(client)
        except TimeoutError:
            raise QueryTimeout(
                f"The query waited {limit_s:g} s for its turn (query.timeout_s): "
                "query.max_running others take long."
            ) from None
        QUERY_WAIT_SECONDS.observe(time.perf_counter() - waits)
        control = QueryControl(limit_s, left_out.days)
        self._controls.add(control)
        if self._stopping:
            control.cancel()

        def bounded() -> T:
            with bounded_by(control):
                return read()

        def ended(job: asyncio.Future[T]) -> None:
            self._controls.discard(control)
            self._line.leave(client)
            _ = job.cancelled() or job.exception()  # seen, if nobody waits for it

        job = asyncio.get_running_loop().run_in_executor(self._threads, bounded)
        job.add_done_callback(ended)
        try:
            # The turn lasts as long as the thread works, whoever has gone meanwhile.
            return await asyncio.shield(job)
        except QueryCancelled:
            raise NotReady("The server is stopping: ask again.") from None
        except asyncio.CancelledError:
            control.cancel()
            raise


def client_of(request: AnyRequest | None) -> str:
    """By what clients are told apart: the address, since a header is easily made up."""
    client = request.scope.get("client") if request is not None else None
    return str(client[0]) if client else ""


def watch(request: AnyRequest) -> "asyncio.Task[None]":
    """Done when the client has hung up. The body has been received.

    One for the whole of a request: the server takes a `receive` that was given up for a
    hang-up when there is another one.
    """
    scope = cast("dict[str, Any]", request.scope)
    if _WATCH not in scope:
        scope[_WATCH] = asyncio.ensure_future(_until_gone(request.receive))
    found: asyncio.Task[None] = scope[_WATCH]
    return found


async def _unless_gone(work: Coroutine[Any, Any, T], request: AnyRequest) -> T:
    """The result of the work, which is cancelled when the client hangs up."""
    working = asyncio.ensure_future(work)
    gone = watch(request)
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise QueryCancelled("Whoever asked has gone.")
    finally:
        working.cancel()
        await asyncio.wait({working})


async def _until_gone(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
