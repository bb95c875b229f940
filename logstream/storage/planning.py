"""Planning: where in a compacted day a read has to look.

A skip index says which blocks may hold a match; the condition made of that is ranges of
`place`, the position in the order of compaction. Entries that came later have a place
behind all others, and are always looked at.
"""

from typing import TYPE_CHECKING

import duckdb
import msgspec

from logstream.core.needs import Need
from logstream.storage.partition import Partition, index_of
from logstream.storage.skip_index import BLOCK_ROWS, SkipIndex, open_index

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RANGE_COST = 6
"""What a range costs, in blocks that could be read instead: 0.35 ms beside 0.05 ms for
a value, 1 ms beside 0.2 ms for a word (a million entries, two cores)."""

MAX_RANGES = 64


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """How a compacted day stands."""

    rows: int
    """When it was compacted."""
    late: int
    """Entries that came since."""
    gone: int
    """Entries that were deleted since."""


class Plan(msgspec.Struct, frozen=True):
    """What a partition keeps of its index, once it was asked for."""

    index: SkipIndex | None
    had_late: bool


def order_of(db: duckdb.DuckDBPyConnection, partition: Partition) -> Order | None:
    """None: the day was not compacted."""
    if partition.generation == 0:
        return None
    name = partition.name
    rows = int(db.execute(f"SELECT rows FROM {name}.compacted").fetchall()[0][0])
    late = _late(db, partition, rows)
    text = f"SELECT count(*) FROM {name}.entries"
    total = int(db.execute(text).fetchall()[0][0])
    return Order(rows=rows, late=late, gone=rows + late - total)


def is_indexed(db: duckdb.DuckDBPyConnection, partition: Partition) -> bool:
    """Whether it has a skip index that fits."""
    return _plan_of(db, partition).index is not None


def places(
    db: duckdb.DuckDBPyConnection, partition: Partition, need: Need | None
) -> str:
    """A condition on `place` that every match fulfils, all of it ours; empty: none.

    Raises:
        duckdb.Error: the partition cannot be read.
    """
    if need is None or partition.generation == 0:
        return ""
    plan = _plan_of(db, partition)
    if plan.index is None:
        return ""
    found = ranges(plan.index.may_hold(need))
    if found is None:
        return ""
    tests = [
        f"place BETWEEN {first * BLOCK_ROWS:d} AND {(last + 1) * BLOCK_ROWS - 1:d}"
        for first, last in found
    ]
    if plan.had_late or partition.writes or not tests:
        tests.append(f"place >= {plan.index.rows:d}")
    return f"({' OR '.join(tests)})"


def ranges(blocks: "NDArray[np.bool_]") -> list[tuple[int, int]] | None:
    """First and last block of each range to read; None: it is cheaper to read all."""
    import numpy as np

    found = np.flatnonzero(blocks)
    if not found.size:
        return []
    gaps = np.diff(found) - 1
    cuts = np.flatnonzero(gaps > RANGE_COST)
    if cuts.size >= MAX_RANGES:
        widest = np.argsort(gaps[cuts], kind="stable")[-(MAX_RANGES - 1) :]
        cuts = np.sort(cuts[widest])
    firsts = found[np.concatenate(([0], cuts + 1))]
    lasts = found[np.concatenate((cuts, [found.size - 1]))]
    cost = int((lasts - firsts + 1).sum()) + RANGE_COST * firsts.size
    if cost >= blocks.size + RANGE_COST:
        return None
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def _plan_of(db: duckdb.DuckDBPyConnection, partition: Partition) -> Plan:
    """Kept with the partition: to open an index reads all of it once."""
    if isinstance(partition.plan, Plan):
        return partition.plan
    plan = Plan(None, had_late=True)
    if partition.path is not None and partition.generation:
        text = f"SELECT key, rows FROM {partition.name}.compacted"
        key, rows = db.execute(text).fetchall()[0]
        index = open_index(index_of(partition.path), key=key)
        plan = Plan(index, had_late=_late(db, partition, rows) > 0)
    partition.plan = plan
    return plan


def _late(db: duckdb.DuckDBPyConnection, partition: Partition, rows: int) -> int:
    text = f"SELECT count(*) FROM {partition.name}.entries WHERE place >= ?"
    return int(db.execute(text, (rows,)).fetchall()[0][0])
