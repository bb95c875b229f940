"""Choosing: which days a read has to open at all.

What is known of a day (`day_statistics`) may say that no entry of it matches: by time,
source or level, or by its skip index, which is read without opening the day.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import islice

from logstream.core.needs import Need
from logstream.storage.day_statistics import DayStatistics, may_hold
from logstream.storage.partition import index_of
from logstream.storage.partitions import Partitions
from logstream.storage.selection import Selection
from logstream.storage.skip_index import open_index

CHUNK_DAYS = 32
"""Read in one statement: beyond it, a statement over all of them takes no less time,
and has all of them open."""


def chosen_days(
    partitions: Partitions, selection: Selection, *, descending: bool = True
) -> Iterator[date]:
    """Days that may hold a match, by time; each is looked at when it is its turn."""
    days = partitions.days(selection.from_ns, selection.to_ns)
    for day in days if descending else reversed(days):
        if _may_match(partitions, day, selection):
            yield day


def in_chunks(days: Iterable[date]) -> Iterator[list[date]]:
    """As many as are read in one statement, and held open together."""
    left = iter(days)
    while chunk := list(islice(left, CHUNK_DAYS)):
        yield chunk


def covers(selection: Selection, known: DayStatistics) -> bool:
    """Whether no entry of the day is outside of the selection's time."""
    begins, ends = selection.from_ns, selection.to_ns
    oldest, newest = known.oldest_ns, known.newest_ns
    if oldest is None or newest is None:
        return True
    return (begins is None or begins <= oldest) and (ends is None or newest < ends)


def _may_match(partitions: Partitions, day: date, selection: Selection) -> bool:
    known = partitions.known(day)
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
    return _index_may_hold(partitions, day, known, selection.needs)


def _index_may_hold(
    partitions: Partitions, day: date, known: DayStatistics, need: Need
) -> bool:
    """Of a day that is not open. One that is has its index at hand when it is read."""
    path, compaction = partitions.path_of(day), known.compaction
    if path is None or compaction is None or compaction.late or partitions.is_open(day):
        return True
    index = open_index(index_of(path), key=compaction.key)
    return index is None or index.may_hold(need) != 0
