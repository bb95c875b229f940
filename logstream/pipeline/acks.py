"""Acks: given once entries are on disk or, while somebody queries, in the store too.

A query sees all that was acked before it, so it waits for what is acked and not stored.
Acks come faster than loads: given at once, they would have each query wait for a load.
So while queries come, little is acked ahead of the store, and the rest of the acks wait
for their load: that costs a sender a moment, and a query nothing. While none come, so
much is acked ahead that loads never wait for a sender; more would only have the first
query wait longer.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence

from logstream.journal.segment import Segment
from logstream.pipeline.settler import Settler

_ASKED_LATELY_S = 5.0
_AHEAD_BYTES = 1_048_576
"""So much may be acked ahead of the store: its load takes some 10 ms."""
_UNASKED_AHEAD_BYTES = 96 * 1_048_576
"""While nobody queries: about two seconds of loads."""
_HELD_AT_MOST_S = 1.0


class Acks:
    """Thread-safe.

    Args:
        acked_bytes: How much is acked and not stored, but can be stored now.
        outstanding: The numbers of the segments that are not stored.
        hurry: Have what is durable loaded as soon as may be.
    """

    def __init__(
        self,
        *,
        acked_bytes: Callable[[], int],
        outstanding: Callable[[], Collection[int]],
        hurry: Callable[[], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._acked_bytes = acked_bytes
        self._outstanding = outstanding
        self._hurry = hurry
        self._clock = clock
        self._asked_at = -_ASKED_LATELY_S
        self._settler = Settler()

    def is_asked_lately(self) -> bool:
        """Whether somebody queries, and waits for what was acked."""
        return self._clock() - self._asked_at < _ASKED_LATELY_S

    def asked(self) -> None:
        """A query has come."""
        self._asked_at = self._clock()

    def give(self, segments: Sequence[Segment], size: int) -> bool:
        """Whether the ack for entries of so many bytes, durable in these segments, may
        be given now: they are acked then. Otherwise call `until_stored` first.
        """
        ahead = self._acked_bytes() + size
        if self.is_asked_lately() and ahead > _AHEAD_BYTES:
            self._hurry()
            return False
        if ahead > max(_UNASKED_AHEAD_BYTES, size):
            return False
        _mark(segments)
        return True

    async def until_stored(self, segments: Sequence[Segment]) -> None:
        """Return when they are stored, or it has taken too long: they are acked then,
        also when this is cancelled.
        """
        numbers = {segment.number for segment in segments}
        waiter = self._settler.expect(numbers, wake=True)
        try:
            self._settler.gone(numbers.difference(self._outstanding()))
            assert waiter.wake is not None
            async with asyncio.timeout(_HELD_AT_MOST_S):
                await waiter.wake
        except TimeoutError:
            return
        finally:
            self._settler.forget(waiter)
            _mark(segments)

    def stored(self, numbers: Collection[int]) -> None:
        """These are in the store, or are not to be waited for."""
        self._settler.gone(numbers)


def _mark(segments: Sequence[Segment]) -> None:
    for segment in segments:
        segment.acked = True
