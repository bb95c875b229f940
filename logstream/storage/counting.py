"""Counts a day that is open: all of it or, when it was counted before, what came since.

A day that takes entries in is counted again with each look at the totals. What was
counted stays true until entries are deleted, so only the segments that the day has
applied since are read. They come nearly in the order of their numbers, so of all but
the latest it is enough to know how many there are: a day may have 86 400 of them.
"""

import duckdb
import msgspec

from logstream.core.entry import ID_LINE_BITS
from logstream.storage.day_statistics import (
    MAX_GROUPS,
    Compaction,
    DayStatistics,
    FileState,
    state_of,
)
from logstream.storage.hub import transaction
from logstream.storage.partition import Partition

_LATEST = 1000
"""Segments that are told apart. One that comes behind more has the day counted anew."""
_KEPT_GROUPS = 10_000
"""Pairs of a source and a level. What a day with more comes to is not kept."""


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What the entries of some segments come to."""

    first: int | None = None
    """The lowest of the segments."""
    until: int = -1
    """Up to this one, only their number is known."""
    number: int = 0
    latest: frozenset[int] = frozenset()
    """The others."""
    raw_bytes: int = 0
    groups: dict[tuple[str, str], int] = {}
    """Entries by source and level."""
    times: tuple[int, ...] = ()
    """The first and the last, in nanoseconds; empty without entries."""
    deletions: int
    """That the day had before."""

    @property
    def segments(self) -> tuple[int, int] | None:
        """The lowest and the highest."""
        return None if self.first is None else (self.first, max(self.latest))


def count(
    db: duckdb.DuckDBPyConnection, partition: Partition, max_groups: int = MAX_GROUPS
) -> DayStatistics:
    """Look at all of a day that is open.

    Args:
        db: Outside of a transaction.
        max_groups: Pairs of a source and a level, the most frequent ones.

    Raises:
        duckdb.Error: it cannot be read.
    """
    writes = partition.writes
    before = None if partition.dirty_rows else _state_of(partition)
    known = _known(partition)  # before there is a snapshot, which then holds all of it
    with transaction(db):
        if _behind(db, partition, known) != known.number:
            known = Counted(deletions=known.deletions)
        found = _add_since(db, partition, known)
        entries = sum(found.groups.values())
        compaction = _compaction_of(db, partition, entries)
    partition.counted = found if len(found.groups) <= _KEPT_GROUPS else None
    groups = sorted(
        ((*group, number) for group, number in found.groups.items()),
        key=lambda one: (-one[2], one[:2]),
    )
    after = _state_of(partition)
    quiet = not partition.dirty_rows and partition.writes == writes
    keeps = quiet and before == after and len(groups) <= MAX_GROUPS
    return DayStatistics(
        file=after if keeps else None,
        writes=writes,
        entries=entries,
        raw_bytes=found.raw_bytes,
        oldest_ns=min(found.times, default=None),
        newest_ns=max(found.times, default=None),
        groups=tuple(groups[:max_groups]),
        segments=found.segments,
        compaction=compaction,
    )


def _known(partition: Partition) -> Counted:
    deletions = partition.deletions
    found = partition.counted
    if isinstance(found, Counted) and found.deletions == deletions:
        return found
    return Counted(deletions=deletions)


def _behind(db: duckdb.DuckDBPyConnection, partition: Partition, known: Counted) -> int:
    """Segments of the day among those of which only the number is known."""
    if not known.number:
        return 0
    text = f"SELECT count(*) FROM {partition.name}.applied WHERE segment <= ?"
    return int(db.execute(text, (known.until,)).fetchall()[0][0])


def _add_since(
    db: duckdb.DuckDBPyConnection, partition: Partition, known: Counted
) -> Counted:
    """Add what segments hold that are not among the known ones."""
    text = f"SELECT segment, raw_bytes FROM {partition.name}.applied WHERE segment > ?"
    applied = db.execute(text, (known.until,)).fetchall()
    since = {one: size for one, size in applied if one not in known.latest}
    if not since:
        return known
    where = ""
    params: tuple[object, ...] = ()
    if known.first is not None:
        where = f"WHERE id >= ? AND id >> {ID_LINE_BITS} IN (SELECT unnest(?))"
        params = (min(since) << ID_LINE_BITS, sorted(since))
    rows = db.execute(
        "SELECT source, level, count(*), epoch_ns(min(timestamp)), "
        f"epoch_ns(max(timestamp)) FROM {partition.name}.entries {where} "
        "GROUP BY source, level",
        params,
    ).fetchall()
    groups = dict(known.groups)
    times = list(known.times)
    for source, level, number, oldest, newest in rows:
        groups[source, level] = groups.get((source, level), 0) + number
        times += (oldest, newest)
    latest = sorted(known.latest | since.keys())
    old = latest[:-_LATEST] if len(latest) > 2 * _LATEST else []
    return Counted(
        first=min(since) if known.first is None else min(known.first, *since),
        until=old[-1] if old else known.until,
        number=known.number + len(old),
        latest=frozenset(latest[len(old) :]),
        raw_bytes=known.raw_bytes + sum(since.values()),
        groups=groups,
        times=(min(times), max(times)) if times else (),
        deletions=known.deletions,
    )


def _state_of(partition: Partition) -> FileState | None:
    return None if partition.path is None else state_of(partition.path)


def _compaction_of(
    db: duckdb.DuckDBPyConnection, partition: Partition, entries: int
) -> Compaction | None:
    if partition.generation == 0:
        return None
    name = partition.name
    key, rows = db.execute(f"SELECT key, rows FROM {name}.compacted").fetchall()[0]
    text = f"SELECT count(*) FROM {name}.entries WHERE place >= ?"
    late = db.execute(text, (rows,)).fetchall()[0][0]
    return Compaction(key=key, rows=rows, late=late, gone=rows + late - entries)
