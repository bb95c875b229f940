"""What is stored in all: counts by source and level, the first and the last entry."""

from collections.abc import Iterator

import duckdb
import msgspec

from logstream.storage.counting import count
from logstream.storage.day_statistics import DayStatistics
from logstream.storage.holding import holding
from logstream.storage.partition import Key
from logstream.storage.partitions import Partitions

MAX_GROUPS = 100_000
"""Values that any answer counts, the most frequent ones: a sender's names must not
decide what an answer costs."""


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    entries: int
    oldest_ns: int | None
    newest_ns: int | None
    by_source: dict[str, int]
    by_level: dict[str, int]
    stored_bytes: int
    """On disk; in memory, `raw_bytes`."""
    raw_bytes: int
    """Of the canonical NDJSON that the stored entries came as."""

    @property
    def compression_ratio(self) -> float:
        """Raw bytes for each stored one; 1 while there are none."""
        known = self.stored_bytes > 0 and self.raw_bytes > 0
        return round(self.raw_bytes / self.stored_bytes, 3) if known else 1


def stats_of(db: duckdb.DuckDBPyConnection, partitions: Partitions) -> Stats:
    """Of all days. Opens those of which nothing is known.

    Raises:
        duckdb.Error: a day cannot be read.
    """
    sources: dict[str, int] = {}
    levels: dict[str, int] = {}
    entries = raw_bytes = 0
    times: list[int] = []
    for known in _each(db, partitions):
        entries += known.entries
        raw_bytes += known.raw_bytes
        times += [at for at in (known.oldest_ns, known.newest_ns) if at is not None]
        for source, level, number in known.groups:
            sources[source] = sources.get(source, 0) + number
            levels[level] = levels.get(level, 0) + number
        sources, levels = _bounded(sources), _bounded(levels)
    partitions.save_statistics()
    return Stats(
        entries=entries,
        oldest_ns=min(times, default=None),
        newest_ns=max(times, default=None),
        by_source=dict(sorted(sources.items())),
        by_level=dict(sorted(levels.items())),
        stored_bytes=partitions.stored_bytes() or raw_bytes,
        raw_bytes=raw_bytes,
    )


def _each(
    db: duckdb.DuckDBPyConnection, partitions: Partitions
) -> Iterator[DayStatistics]:
    for key in partitions.within():
        known = partitions.known(key)
        if known is None:
            known = _count(db, partitions, key)
        if known is not None:
            yield known


def _count(
    db: duckdb.DuckDBPyConnection, partitions: Partitions, key: Key
) -> DayStatistics | None:
    with holding():
        for partition in partitions.readable([key]):
            return partitions.know(partition, count(db, partition, MAX_GROUPS))
    return None


def _bounded(totals: dict[str, int]) -> dict[str, int]:
    """The most frequent, when they are too many."""
    if len(totals) <= MAX_GROUPS:
        return totals
    most = sorted(totals, key=lambda name: -totals[name])[:MAX_GROUPS]
    return {name: totals[name] for name in most}
