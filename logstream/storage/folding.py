"""Folding: the small row groups at the end of a day become one.

A checkpoint ends a row group, however few rows are in it. Each takes a block of the
file, 256 KB, and some thirty lists in memory, which every later checkpoint reads: 2 000
of 20 rows took 508 MB and 600 MB, and a server that gets an entry now and then makes
17 000 a day. DuckDB would merge them, and large ones with them, in memory (why it must
not: `docs/adr/0014`).

So the rows of the tail are inserted anew and deleted where they were, in one
transaction, and the checkpoint behind it drops the row groups that hold nothing any
more. Loads wait for that: 0.1 to 0.3 s, once in so many checkpoints.
"""

import logging

import duckdb

from logstream.core.entry import ID_LINE_BITS
from logstream.core.errors import StorageError
from logstream.storage import checkpoints
from logstream.storage.applied import number_of
from logstream.storage.hub import Hub
from logstream.storage.partition import Partition

_log = logging.getLogger(__name__)


def fold(hub: Hub, partition: Partition) -> bool:
    """Fold the tail of a day, if it is long and nobody writes to the day just now.
    Whether it was. What fails is tried again with the next tail.
    """
    if partition.path is None or not partition.tail.is_due:
        return False
    if not checkpoints.has_room(partition):
        return False
    with partition.writers.alone(0) as alone:
        if not alone:
            return False
        # Rows that are not checkpointed lie behind it, and go the same way.
        rows = partition.tail.rows + partition.dirty_rows
        partition.tail.clear()
        try:
            with hub.shredding.off(partition.names.wide), hub.writing() as cursor:
                moved = _fold(cursor, partition, rows)
        except (duckdb.Error, StorageError) as error:
            _log.warning("The end of %s was not folded: %s", partition.day, error)
            return False
        partition.mark_moved(moved)
        if checkpoints.checkpoint_now(hub, partition):
            partition.mark_clean(partition.dirty_rows)
        return True


def _fold(cursor: duckdb.DuckDBPyConnection, partition: Partition, rows: int) -> int:
    """The last rows of a day, and the segments that they came with. How many rows. What
    was compacted stays where it is: its skip index tells of it by the numbers of rows.
    """
    name = partition.name
    first, end = _last(cursor, f"{name}.entries", rows)
    if partition.generation:
        text = f"SELECT rows FROM {name}.compacted"
        first = max(first, cursor.execute(text).fetchall()[0][0])
    segments = cursor.execute(
        f"SELECT count(DISTINCT id >> {ID_LINE_BITS}) FROM {name}.entries "
        "WHERE rowid BETWEEN ? AND ?",
        (first, end),
    ).fetchall()[0][0]
    moved = _move(cursor, f"{name}.entries", first, end)
    _move(cursor, f"{name}.applied", *_last(cursor, f"{name}.applied", segments))
    return moved


def _last(cursor: duckdb.DuckDBPyConnection, table: str, rows: int) -> tuple[int, int]:
    """The first and the last row id of so many rows at the end."""
    found = cursor.execute(f"SELECT max(rowid) FROM {table}").fetchall()[0][0]
    end = -1 if found is None else int(found)
    return max(0, end + 1 - rows), end


def _move(cursor: duckdb.DuckDBPyConnection, table: str, first: int, end: int) -> int:
    where = f"FROM {table} WHERE rowid BETWEEN ? AND ?"
    params = (first, end)
    added = number_of(cursor.execute(f"INSERT INTO {table} SELECT * {where}", params))
    gone = number_of(cursor.execute(f"DELETE {where}", params))
    if added != gone:
        raise StorageError(f"{added} rows were written anew, and {gone} deleted.")
    return added
