"""Parts: a day into which much comes is several partitions, one after the other.

DuckDB reads lists of all that a file holds with each checkpoint and keeps them, 5 MB a
million entries, and a file that entries come into has no skip index. So when a part is
full the next entries of its day make another one; the full one is compacted soon, and
is closed while nobody reads it. See `docs/adr/0029`.

A segment of the journal goes into one part of a day, as a whole. Where a replay asks
whether the day has applied it, all parts are asked.
"""

from collections.abc import Iterable
from datetime import date

from logstream.storage.hub import Hub
from logstream.storage.partition import Key, Partition

PART_ROWS = 2_000_000
"""Entries, from which on a part is full; a few more are in it when that is noticed."""


class Parts:
    """Which part of each day takes entries. For one thread at a time: its owner has a
    lock.

    Args:
        keys: Of the partitions that there are.
    """

    def __init__(self, keys: Iterable[Key]) -> None:
        self._last: dict[date, int] = {}
        """Part by day, where that is not the first one."""
        for key in keys:
            if key.part > self._last.get(key.day, 1):
                self._last[key.day] = key.part

    def last(self, day: date) -> Key:
        """The one that entries go to, which there may not be yet."""
        return Key(day, self._last.get(day, 1))

    def close(self, key: Key) -> Key:
        """It takes no more entries; which one does instead."""
        if key == self.last(key.day):  # nobody else was quicker
            self._last[key.day] = key.part + 1
        return self.last(key.day)


def is_full(hub: Hub, partition: Partition) -> bool:
    """Counts its entries once.

    Raises:
        duckdb.Error: it cannot be read.
    """
    if partition.path is None or not partition.loaded_rows:
        return False
    if partition.rows_before is None:
        cursor = hub.cursor()
        try:
            text = f"SELECT count(*) FROM {partition.name}.entries"
            rows = int(cursor.execute(text).fetchall()[0][0])
        finally:
            cursor.close()
        partition.rows_before = max(0, rows - partition.loaded_rows)
    return partition.rows_before + partition.loaded_rows >= PART_ROWS
