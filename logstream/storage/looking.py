"""Looking: what a read in the order of time has to read, and where in each."""

from collections.abc import Iterator
from itertools import groupby

import duckdb

from logstream.storage.choosing import chosen
from logstream.storage.partition import Key, Partition
from logstream.storage.partitions import Partitions
from logstream.storage.planning import Look, look_into
from logstream.storage.selection import Selection, Where


def looks_by_time(
    db: duckdb.DuckDBPyConnection,
    partitions: Partitions,
    selection: Selection,
    where: Where,
    *,
    rows: int | None,
    descending: bool,
) -> Iterator[tuple[Partition, Look]]:
    """Day by day, each partition opened when it is its turn.

    Args:
        where: The condition of the selection, in the forms that are read.
        rows: Matches that are wanted: partitions without one are left out, and those
            behind the ones that have them; the last day is not asked. None: all.

    Raises:
        duckdb.Error: a partition cannot be read in this form.
    """
    keys = partitions.within(selection.from_ns, selection.to_ns)
    last = keys[-1 if descending else 0] if keys else None
    alone = last is not None and sum(key.day == last.day for key in keys) == 1
    found_in = chosen(partitions, selection, descending=descending)
    for _, parts in groupby(found_in, lambda key: key.day):
        bound = Bound(rows, descending=descending)
        for key in parts:
            if not bound.admits(partitions, key):
                continue
            for partition in partitions.readable([key]):
                look = look_into(db, partition, selection.needs, asks=selection.asks)
                if look.nowhere:
                    continue
                if (
                    rows is None
                    or (alone and key == last)
                    or bound.ask(db, look, where)
                ):
                    yield partition, look
        if rows is not None and (rows := rows - bound.found) <= 0:
            return


class Bound:
    """What the parts of a day that were looked into leave to the others.

    Args:
        wanted: Matches, the first in the order of time; None: all.
    """

    def __init__(self, wanted: int | None, *, descending: bool) -> None:
        self.found = 0
        """Matches, each part up to what is wanted."""
        self._wanted = wanted
        self._descending = descending
        self._at: int | None = None
        """The last of them in the order of time."""

    def admits(self, partitions: Partitions, key: Key) -> bool:
        """Whether it may hold one of the first."""
        if self._wanted is None or self.found < self._wanted or self._at is None:
            return True
        known = partitions.known(key)
        if known is None or known.newest_ns is None or known.oldest_ns is None:
            return True
        if self._descending:
            return known.newest_ns >= self._at
        return known.oldest_ns <= self._at

    def ask(self, db: duckdb.DuckDBPyConnection, look: Look, where: Where) -> bool:
        """Whether there is a match in this one. Raises duckdb.Error."""
        last = "min" if self._descending else "max"
        among = look.among(where)
        text = (
            f"SELECT count(*), epoch_ns({last}(timestamp)) "
            f"FROM (SELECT timestamp FROM {among.text} LIMIT ?)"
        )
        count, at = db.execute(text, (*among.params, self._wanted)).fetchall()[0]
        if count:
            self.add(count, at)
        return bool(count)

    def add(self, count: int, at: int) -> None:
        """So many matches, of which the last in the order of time is at this."""
        self.found += count
        known = (at,) if self._at is None else (at, self._at)
        self._at = min(known) if self._descending else max(known)
