"""Choosing: which partitions a read has to open at all.

What is known of one (`day_statistics`) may say that no entry of it matches: by time,
source or level, or by its skip index, which is read without opening it.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from logstream.core.needs import Need
from logstream.storage.day_statistics import DayStatistics, may_hold
from logstream.storage.partition import Key, index_of
from logstream.storage.partitions import Partitions
from logstream.storage.selection import Selection
from logstream.storage.skip_index import open_index

CHUNK = 32
"""Read in one statement: beyond it, a statement over all of them takes no less time,
and has all of them open."""


def chosen(
    partitions: Partitions, selection: Selection, *, descending: bool = True
) -> Iterator[Key]:
    """Those that may hold a match, by day; each is looked at when it is its turn."""
    keys = partitions.within(selection.from_ns, selection.to_ns)
    for key in keys if descending else reversed(keys):
        if _may_match(partitions, key, selection):
            yield key


def in_chunks(keys: Iterable[Key]) -> Iterator[list[Key]]:
    """As many as are read in one statement, and held open together."""
    left = iter(keys)
    while chunk := list(islice(left, CHUNK)):
        yield chunk


def covers(selection: Selection, known: DayStatistics) -> bool:
    """Whether no entry is outside of the selection's time."""
    begins, ends = selection.from_ns, selection.to_ns
    oldest, newest = known.oldest_ns, known.newest_ns
    if oldest is None or newest is None:
        return True
    return (begins is None or begins <= oldest) and (ends is None or newest < ends)


def _may_match(partitions: Partitions, key: Key, selection: Selection) -> bool:
    known = partitions.known(key)
    if known is None:
        return True
    if known.oldest_ns is None or known.newest_ns is None:
        return False
    if selection.from_ns is not None and known.newest_ns < selection.from_ns:
        return False
    if selection.to_ns is not None and known.oldest_ns >= selection.to_ns:
        return False
    if selection.needs is None:
        return True
    if not may_hold(known, selection.needs):
        return False
    return _index_may_hold(partitions, key, known, selection.needs)


def _index_may_hold(
    partitions: Partitions, key: Key, known: DayStatistics, need: Need
) -> bool:
    """Of one that is not open. One that is has its index at hand when it is read."""
    path, compaction = partitions.path_of(key), known.compaction
    if path is None or compaction is None or compaction.late or partitions.is_open(key):
        return True
    index = open_index(index_of(path), key=compaction.key)
    return index is None or index.may_hold(need) != 0
