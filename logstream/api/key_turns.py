"""Turns of requests with one Idempotency-Key: the second waits for the first."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from logstream.api.errors import KeyInUse

KEY_HEADER = "Idempotency-Key"


class KeyTurns:
    """One request for each key at a time. Used on one event loop."""

    def __init__(self, *, wait_s: float) -> None:
        self._wait_s = wait_s
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[None]:
        """Raises KeyInUse: the one before it takes too long."""
        lock, users = self._locks.get(key) or (asyncio.Lock(), 0)
        self._locks[key] = lock, users + 1
        try:
            try:
                async with asyncio.timeout(self._wait_s):
                    await lock.acquire()
            except TimeoutError:
                raise KeyInUse(
                    f"Another request with this {KEY_HEADER} is still on its way."
                ) from None
            try:
                yield
            finally:
                lock.release()
        finally:
            lock, users = self._locks.pop(key)
            if users > 1:
                self._locks[key] = lock, users - 1
