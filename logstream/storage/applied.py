"""Applied: what a day remembers of the batches in it, in their own transactions."""

from collections.abc import Sequence

import duckdb

from logstream.core.entry import make_id
from logstream.storage.batch import Batch
from logstream.storage.partition import Partition


def applied_entries(
    cursor: duckdb.DuckDBPyConnection, partition: Partition, segment: int
) -> int | None:
    """How many entries of a segment the day has stored; None: it has not applied it."""
    text = f"SELECT entries FROM {partition.name}.applied WHERE segment = ?"
    row = cursor.execute(text, (segment,)).fetchone()
    return int(row[0]) if row else None


def remember(
    cursor: duckdb.DuckDBPyConnection,
    partition: Partition,
    batch: Batch,
    stored: int,
    raw_bytes: int,
) -> None:
    text = f"INSERT INTO {partition.name}.applied VALUES (?, ?, ?)"
    cursor.execute(text, (batch.segment, stored, raw_bytes))


def may_be_applied(
    cursor: duckdb.DuckDBPyConnection, partition: Partition, batch: Batch
) -> bool:
    if batch.is_new:
        return False
    return applied_entries(cursor, partition, batch.segment) is not None


def stored_of_each(
    inserted: duckdb.DuckDBPyConnection, partition: Partition, batches: Sequence[Batch]
) -> list[int]:
    """What an insert of these batches, whose result is to be taken, stored of each."""
    total = number_of(inserted)
    if len(batches) == 1:
        return [total]
    if total == sum(batch.entries for batch in batches):
        return [batch.entries for batch in batches]
    # By id, so each reads its row groups only.
    text = f"SELECT count(*) FROM {partition.name}.entries WHERE id >= ? AND id < ?"
    ids = [
        (make_id(batch.segment, 0), make_id(batch.segment + 1, 0)) for batch in batches
    ]
    return [number_of(inserted.execute(text, pair)) for pair in ids]


def number_of(result: duckdb.DuckDBPyConnection) -> int:
    row = result.fetchone()
    assert row is not None
    return int(row[0])
