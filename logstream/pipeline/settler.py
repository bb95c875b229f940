"""Read your writes: a query waits until all that was acked before it is stored.

Segments that cannot be stored just now (a full disk, a locked partition) are not waited
for: queries go on without them, and the queue says that they are stuck.
"""

import asyncio
import threading
from collections.abc import Iterable

import msgspec


class _Waiter(msgspec.Struct):
    left: set[int]
    done: threading.Event
    wake: asyncio.Future[None] | None = None


class Settler:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiters: list[_Waiter] = []

    def is_waited_for(self) -> bool:
        with self._lock:
            return bool(self._waiters)

    def gone(self, numbers: Iterable[int]) -> None:
        """These segments are stored, or are not to be waited for any more."""
        numbers = set(numbers)
        with self._lock:
            for waiter in self._waiters:
                waiter.left -= numbers
            ready = [waiter for waiter in self._waiters if not waiter.left]
            self._waiters = [waiter for waiter in self._waiters if waiter.left]
        for waiter in ready:
            waiter.done.set()
            if waiter.wake is not None:
                _wake(waiter.wake)

    def expect(self, numbers: set[int], *, wake: bool = False) -> _Waiter:
        """Begin to wait. Check afterwards that they are still outstanding."""
        future = asyncio.get_running_loop().create_future() if wake else None
        waiter = _Waiter(left=set(numbers), done=threading.Event(), wake=future)
        with self._lock:
            self._waiters.append(waiter)
        return waiter

    def forget(self, waiter: _Waiter) -> None:
        with self._lock:
            if waiter in self._waiters:
                self._waiters.remove(waiter)


def _wake(future: asyncio.Future[None]) -> None:
    def resolve() -> None:
        if not future.done():
            future.set_result(None)

    try:
        future.get_loop().call_soon_threadsafe(resolve)
    except RuntimeError:
        return  # its loop is closed: nobody waits any more
