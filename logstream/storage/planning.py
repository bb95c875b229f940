"""Planning: where in a compacted day a read has to look.

A skip index says which blocks may hold a match; what is made of that is a condition on
`place`, the position in the order of compaction. Entries that came later have a place
behind all others, and are always looked at.

Few blocks are ranges: DuckDB skips what lies between them, and pushes conditions on
fields down beside them. A value that is a column is read so quickly that more than a
few ranges cost more than all of it. Of short ranges all values are read and then
tested: a condition that is pushed down takes longer than that (for a value that occurs
once in 5 M entries 2.5 ms, and 1.2 ms like this). With many ranges DuckDB reads
every message before it looks at them (a word in 59 of 977 blocks: 73 ms). Those become
bits, behind a LIMIT that takes everything: what follows it is not mixed with what
stands before it, and only messages of these blocks are read (18 ms).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import duckdb
import msgspec
from msgspec.structs import replace

from logstream.core.doubts import settled
from logstream.core.needs import AllOf, AnyOf, Need, Value, Word
from logstream.core.sql import Sql
from logstream.storage.partition import Partition, index_of
from logstream.storage.selection import Where
from logstream.storage.skip_index import (
    BLOCK_ROWS,
    INDEXED_COLUMNS,
    SkipIndex,
    open_index,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_RANGES = 64


class Costs(msgspec.Struct, frozen=True):
    """What ways to read cost: measured over a million entries, on two cores."""

    a_range: int
    """In blocks that could be read instead."""
    few: int
    """Ranges, up to which DuckDB skips well between them."""
    share: float
    """Of the blocks, up to which bits are quicker than more ranges, or than all."""


WORD = Costs(16, 3, 0.2)
"""A range 1.8 ms, a block 0.12 ms, behind bits too."""
COLUMN = Costs(70, MAX_RANGES, 0)
"""A range 0.5 ms, a block 0.007 ms; behind bits, where fields are put together anew,
3.7 ms."""
COMMON = Costs(240, MAX_RANGES, 0)
"""Of a column again, of a value that is in many blocks: such columns have few different
values, and are read whole in no more time than two or three ranges of them."""
_RARE = 32
"""Blocks, up to which a value may be one of very many."""
FIELD = Costs(6, 8, 0.02)
"""Of a field that may be no column where it is read: a block 0.05 ms and more."""
_SHORT = 16
"""Blocks, up to which conditions are not pushed down."""
_SHORT_RANGES = 4
"""That have them: of more, DuckDB reads whatever is pushed down or not."""
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
    short: bool = False
    """Of so few entries that conditions are not worth being pushed down."""
    told: str = ""
    """For people; empty: everywhere."""
    nowhere: bool = False
    """There is no match in the day, and it need not be read at all."""
    unfounded: frozenset[str] = frozenset()
    """Names of `core.doubts` that no entry of the day gives reason for."""
    together: bool = False
    """Most of its fields are together, not in columns; see `shredding`."""

    def among(self, where: Where) -> Sql:
        """What stands behind FROM, with a condition."""
        test = self.settled(where.together if self.together else where.usual)
        text = test.text
        if self.short:
            text = f"(({text}) OR rowid < 0)"  # of two columns: it is not pushed down
        text = f"{self.place} AND {text}" if self.place else text
        return Sql(f"{self.relation} WHERE {text}", test.params)

    def settled(self, sql: Sql) -> Sql:
        """In the form that is right for what is known of the day."""
        return settled(sql, self.unfounded)


def look_into(
    db: duckdb.DuckDBPyConnection,
    partition: Partition,
    need: Need | None,
    *,
    asks: bool = False,
) -> Look:
    """Where matches of something that needs this may be.

    Args:
        asks: What is read there has doubts.

    Raises:
        duckdb.Error: the partition cannot be read.
    """
    table = f"{partition.name}.entries"
    together = _are_together(db, partition)
    everywhere = Look(relation=table, table=table, together=together)
    if partition.generation == 0 or not (asks or need is not None):
        return everywhere
    plan = _plan_of(db, partition)
    if plan.index is None:
        return everywhere
    late = plan.had_late or bool(partition.writes)
    if asks and not late:
        everywhere = replace(everywhere, unfounded=plan.index.unfounded)
    everywhere = replace(everywhere, together=together or plan.index.together)
    if need is None:
        return everywhere
    blocks = plan.index.may_hold(need)
    costs = costs_of(need, columns=plan.index.columns)
    if costs is COLUMN and blocks.sum() > _RARE:
        costs = COMMON
    found = ranges(blocks, costs.a_range)
    if found is None or len(found) > costs.few:
        held = int(blocks.sum())
        if held <= costs.share * blocks.size:
            told = f"{held} of {blocks.size} blocks"
            behind = _behind_bits(partition, blocks)
            return replace(everywhere, relation=behind, told=told)
    if found is None:
        return everywhere
    place = _condition(found, plan.index.rows, late=late)
    nowhere = not (found or late)
    told = "nowhere" if nowhere else place
    return replace(
        everywhere,
        place=place,
        short=not late and _are_short(found),
        told=told,
        nowhere=nowhere,
    )


def _are_together(db: duckdb.DuckDBPyConnection, partition: Partition) -> bool:
    """Whether most of its rows have their fields together: what is quick for others is
    slower for them by half, and the other way round by thirty times.
    """
    if not partition.names.rows_together:
        return False
    text = f"SELECT count(*) FROM {partition.name}.entries"
    rows = int(db.execute(text).fetchall()[0][0])
    return 2 * partition.names.rows_together >= rows


def _are_short(found: list[tuple[int, int]]) -> bool:
    read = sum(last - first + 1 for first, last in found)
    return len(found) <= _SHORT_RANGES and read <= _SHORT


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


def costs_of(need: Need, *, columns: bool) -> Costs:
    """What it costs to look for what a need stands for.

    Args:
        columns: Fields are columns wherever they are read.
    """
    kinds = {*_kinds(need)}
    if WORD in kinds:
        return WORD
    return FIELD if FIELD in kinds and not columns else COLUMN


def _kinds(need: Need) -> Iterator[Costs]:
    match need:
        case Word():
            yield WORD
        case Value(name):
            yield COLUMN if name in INDEXED_COLUMNS else FIELD
        case AllOf(needs) | AnyOf(needs):
            for inner in needs:
                yield from _kinds(inner)


def ranges(
    blocks: "NDArray[np.bool_]", cost: int = FIELD.a_range
) -> list[tuple[int, int]] | None:
    """First and last block of each range to read; None: it is cheaper to read all."""
    import numpy as np

    found = np.flatnonzero(blocks)
    if not found.size:
        return []
    gaps = np.diff(found) - 1
    cuts = np.flatnonzero(gaps > cost)
    if cuts.size >= MAX_RANGES:
        widest = np.argsort(gaps[cuts], kind="stable")[-(MAX_RANGES - 1) :]
        cuts = np.sort(cuts[widest])
    firsts = found[np.concatenate(([0], cuts + 1))]
    lasts = found[np.concatenate((cuts, [found.size - 1]))]
    total = int((lasts - firsts + 1).sum()) + cost * firsts.size
    if total >= blocks.size + min(cost, WORD.a_range):
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
