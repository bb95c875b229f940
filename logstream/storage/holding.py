"""Holding: what keeps a day open while somebody reads it.

Days are closed when too many are open. Inside `holding`, those that this thread has got
stay open until the end of the block; outside of one, a day that was got may be closed
at any moment, and whoever uses it has to be ready to get it anew.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from logstream.storage.partition import Partition

_held: ContextVar[set[Partition] | None] = ContextVar("held_days", default=None)


@contextmanager
def holding() -> Iterator[None]:
    """Days that are got inside stay open; in a block inside it, until that one ends."""
    held: set[Partition] = set()
    token = _held.set(held)
    try:
        yield
    finally:
        _held.reset(token)
        for partition in held:
            partition.let_go()


def hold(partition: Partition) -> None:
    """Called where the day cannot be closed at the same moment."""
    held = _held.get()
    if held is not None and partition not in held:
        held.add(partition)
        partition.hold()
