"""Planning: where in a compacted day a read has to look.

A skip index says which blocks may hold a match; what is made of that is a condition on
`place`, the position in the order of compaction. Entries that came later have a place
behind all others, and are always looked at.

Few blocks are ranges: DuckDB skips what lies between them, and pushes conditions on
fields down beside them. With many ranges it reads every message before it looks at them
(a word in 59 of 977 blocks: 73 ms). Those become bits, behind a LIMIT that takes
everything: what follows it is not mixed with what stands before it, and only messages
of these blocks are read (18 ms).
"""

from typing import TYPE_CHECKING

import duckdb
import msgspec

from logstream.core.needs import AllOf, AnyOf, Need, Word
from logstream.storage.partition import Partition, index_of
from logstream.storage.skip_index import BLOCK_ROWS, SkipIndex, open_index

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RANGE_COST = 6
"""What a range costs, in blocks that could be read instead: 0.35 ms beside 0.05 ms for
a value, 1 ms beside 0.2 ms for a word (a million entries, two cores)."""

MAX_RANGES = 64
FEW_RANGES = 8
"""Up to here DuckDB skips well between them."""
WORD_SHARE = 0.2
VALUE_SHARE = 0.02
"""Of the blocks, up to which bits are quicker. Behind them fields are put together
anew, for 0.8 us a row, where 0.02 us read one of them and 0.1 us look for a word."""
_BLOCK_BITS = BLOCK_ROWS.bit_length() - 1
_ALL_ROWS = 9_000_000_000_000
_COLUMNS = "id, timestamp, source, level, message, fields"


class Plan(msgspec.Struct, frozen=True):
    """What a partition keeps of its index, once it was asked for."""

    index: SkipIndex | None
    had_late: bool


def is_indexed(db: duckdb.DuckDBPyConnection, partition: Partition) -> bool:
    """Whether it has a skip index that fits."""
    return _plan_of(db, partition).index is not None


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """Where in a day a read looks. All of its text is ours."""

    relation: str
    """What stands behind FROM, with the columns of an entry."""
    table: str = ""
    """The day's own, of which `relation` is a part with its `rowid`; empty: none."""
    place: str = ""
    """A condition that every match fulfils besides; empty: none."""
    told: str = ""
    """For people; empty: everywhere."""
    nowhere: bool = False
    """There is no match in the day, and it need not be read at all."""

    def among(self, where: str) -> str:
        """What stands behind FROM, with a condition."""
        test = f"{self.place} AND {where}" if self.place else where
        return f"{self.relation} WHERE {test}"


def look_into(
    db: duckdb.DuckDBPyConnection, partition: Partition, need: Need | None
) -> Look:
    """Where matches of something that needs this may be.

    Raises:
        duckdb.Error: the partition cannot be read.
    """
    table = f"{partition.name}.entries"
    everywhere = Look(relation=table, table=table)
    if need is None or partition.generation == 0:
        return everywhere
    plan = _plan_of(db, partition)
    if plan.index is None:
        return everywhere
    blocks = plan.index.may_hold(need)
    found = ranges(blocks)
    if found is None or len(found) > FEW_RANGES:
        share = WORD_SHARE if _has_word(need) else VALUE_SHARE
        held = int(blocks.sum())
        if held <= share * blocks.size:
            told = f"{held} of {blocks.size} blocks"
            behind = _behind_bits(partition, blocks)
            return Look(relation=behind, table=table, told=told)
    if found is None:
        return everywhere
    late = plan.had_late or bool(partition.writes)
    place = _condition(found, plan.index.rows, late=late)
    nowhere = not (found or late)
    told = "nowhere" if nowhere else place
    return Look(relation=table, table=table, place=place, told=told, nowhere=nowhere)


def _condition(found: list[tuple[int, int]], rows: int, *, late: bool) -> str:
    tests = [
        f"place BETWEEN {first * BLOCK_ROWS:d} AND {(last + 1) * BLOCK_ROWS - 1:d}"
        for first, last in found
    ]
    if late or not tests:
        tests.append(f"place >= {rows:d}")
    return f"({' OR '.join(tests)})"


def _behind_bits(partition: Partition, blocks: "NDArray[np.bool_]") -> str:
    """The entries of these blocks, and those that came later.

    A place is cut to as many bits as it takes to number the blocks and one more: that
    one, where all are set, is where a late place comes out. So no place is beyond the
    bits, of which DuckDB would make an error; `least` took half as long again.
    """
    import numpy as np

    size = 1 << int(blocks.size).bit_length()
    bits = np.full(size, ord("0"), dtype=np.uint8)
    bits[: blocks.size][blocks] = ord("1")
    bits[-1] = ord("1")
    block = f"((place >> {_BLOCK_BITS}) & {size - 1:d})::INTEGER"
    return (
        f"(SELECT {_COLUMNS}, rowid FROM {partition.name}.entries "
        f"WHERE get_bit('{bits.tobytes().decode()}'::BIT, {block}) = 1 "
        f"LIMIT {_ALL_ROWS:d})"
    )


def _has_word(need: Need) -> bool:
    match need:
        case Word():
            return True
        case AllOf(needs) | AnyOf(needs):
            return any(_has_word(inner) for inner in needs)
        case _:
            return False


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
