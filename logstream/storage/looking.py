"""Looking: the days that a read in the order of time has to read, and where in each."""

from collections.abc import Iterator

import duckdb

from logstream.storage.choosing import chosen_days
from logstream.storage.partition import Partition
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
    """Each is opened when it is its turn.

    Args:
        where: The condition of the selection, in the forms that are read.
        rows: Matches that are wanted: days without one are left out, and those behind
            the day that has the last of them; the last day is not asked. None: all.

    Raises:
        duckdb.Error: a day cannot be read in this form.
    """
    days = partitions.days(selection.from_ns, selection.to_ns)
    last = days[-1 if descending else 0] if days else None
    for day in chosen_days(partitions, selection, descending=descending):
        for partition in partitions.readable([day]):
            look = look_into(db, partition, selection.needs, asks=selection.asks)
            found = 0 if look.nowhere else 1
            if rows is not None and found and day != last:
                among = look.among(where)
                text = f"SELECT count(*) FROM (SELECT 1 FROM {among.text} LIMIT ?)"
                found = db.execute(text, (*among.params, rows)).fetchall()[0][0]
                rows -= found
            if found:
                yield partition, look
        if rows is not None and rows <= 0:
            return
