"""Reads: after what was acked, a few at once, off the event loop, and timed."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from logstream.config.settings import QueryConfig
from logstream.core.errors import QueryTimeout
from logstream.pipeline.engine import Engine
from logstream.telemetry.metrics import QUERY_SECONDS

T = TypeVar("T")


class ReadGate:
    """Lets `query.max_running` reads run at once, on threads of their own.

    Threads of their own, so that slow queries never hold up the decoding of what is
    sent meanwhile, which runs on the event loop's default threads.
    """

    def __init__(self, engine: Engine, config: QueryConfig) -> None:
        self._engine = engine
        self._timeout_s = config.timeout_s
        self._room = asyncio.Semaphore(config.max_running)
        self._threads = ThreadPoolExecutor(config.max_running, "logstream-read")

    async def run(self, read: Callable[[], T]) -> T:
        """Run it once everything acked before this call can be seen.

        The engine bounds how long that takes, the reader how long the read does; the
        wait for a turn is bounded here.

        Raises:
            QueryTimeout: its turn did not come within `query.timeout_s`.
        """
        begun = time.perf_counter()
        await self._engine.settle()
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._room.acquire()
        except TimeoutError:
            raise QueryTimeout(
                f"The query waited {self._timeout_s:g} s for its turn "
                "(query.timeout_s): query.max_running others take long."
            ) from None
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, read)
        finally:
            self._room.release()
            QUERY_SECONDS.observe(time.perf_counter() - begun)

    def close(self) -> None:
        """Start no more reads. Those that run end by their own time limit."""
        self._threads.shutdown(wait=False, cancel_futures=True)
