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

A day that nothing was taken away from has its rows where compaction put them, so that
the number of a row is its place. DuckDB goes there at once, and has to read the column
`place` to find one: a word in four ranges of 5 M entries takes 1.6 ms, not 4.6, and in
16 ranges 4, not 23. But a sort with a limit over such a condition is an internal
error of DuckDB 2.0 (its late materialization), unless it takes the numbers of rows and
nothing else; so it is for who asks for it.
"""

import duckdb
import msgspec
from msgspec.structs import replace

from logstream.core.doubts import settled
from logstream.core.needs import Need
from logstream.core.sql import Sql
from logstream.storage.partition import Partition, index_of
from logstream.storage.range_costs import costs_of, ranges
from logstream.storage.selection import Where
from logstream.storage.skip_index import BLOCK_ROWS, SkipIndex, open_index

_SHORT = 16
"""Blocks, up to which conditions are not pushed down."""
_SHORT_RANGES = 4
"""That have them: of more, DuckDB reads whatever is pushed down or not."""
_SHORT_BY_ROW = 64
"""Blocks, in any number of ranges of rows by their number."""
_BLOCK_BITS = BLOCK_ROWS.bit_length() - 1
_ALL_ROWS = 9_000_000_000_000
_COLUMNS = "id, timestamp, source, level, message, fields"


class Plan(msgspec.Struct, frozen=True):
    """What a partition keeps of its index, once it was asked for."""

    index: SkipIndex | None
    had_late: bool
    in_place: bool | None = None
    """The number of each row is its place, or behind all of them for a late one; None:
    nobody asked."""


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
    by_row: bool = False
    """It is one on the numbers of rows."""
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
    by_row: bool = False,
) -> Look:
    """Where matches of something that needs this may be.

    Args:
        asks: What is read there has doubts.
        by_row: The place may be said by the numbers of rows: no sort with a limit is
            over it that takes more than these.

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
    return _among_blocks(
        everywhere,
        plan.index,
        need,
        blocks,
        late=late,
        by_row=by_row and _is_in_place(db, partition, plan),
    )


def _among_blocks(
    everywhere: Look,
    index: SkipIndex,
    need: Need,
    blocks: int,
    *,
    late: bool,
    by_row: bool,
) -> Look:
    """What it takes to read these blocks, and what came later."""
    held = blocks.bit_count()
    costs = costs_of(need, held, columns=index.columns, by_row=by_row)
    found = ranges(blocks, index.blocks, costs.a_range)
    many = found is None or len(found) > costs.ranges_of(index.blocks)
    if many and held <= costs.share * index.blocks:
        told = f"{held} of {index.blocks} blocks"
        behind = _behind_bits(everywhere.table, blocks, index.blocks)
        return replace(everywhere, relation=behind, told=told)
    if found is None:
        return everywhere
    nowhere = not (found or late)
    place = _condition(found, index.rows, late=late)
    return replace(
        everywhere,
        place=place.replace("place", "rowid") if by_row else place,
        by_row=by_row,
        short=not late and _are_short(found, by_row=by_row),
        told="nowhere" if nowhere else place,
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


def _are_short(found: list[tuple[int, int]], *, by_row: bool) -> bool:
    read = sum(last - first + 1 for first, last in found)
    if by_row:
        return read <= _SHORT_BY_ROW
    return len(found) <= _SHORT_RANGES and read <= _SHORT


def _condition(found: list[tuple[int, int]], rows: int, *, late: bool) -> str:
    tests = [
        f"place BETWEEN {first * BLOCK_ROWS:d} AND {(last + 1) * BLOCK_ROWS - 1:d}"
        for first, last in found
    ]
    if late or not tests:
        tests.append(f"place >= {rows:d}")
    return f"({' OR '.join(tests)})"


def _behind_bits(table: str, blocks: int, of: int) -> str:
    """The entries of these blocks, and those that came later.

    A place is cut to as many bits as it takes to number the blocks and one more: that
    one, where all are set, is where a late place comes out. So no place is beyond the
    bits, of which DuckDB would make an error; `least` took half as long again.
    """
    size = 1 << of.bit_length()
    bits = f"{blocks | 1 << size - 1:b}"[::-1]
    block = f"((place >> {_BLOCK_BITS}) & {size - 1:d})::INTEGER"
    return (
        f"(SELECT {_COLUMNS}, rowid FROM {table} "
        f"WHERE get_bit('{bits}'::BIT, {block}) = 1 "
        f"LIMIT {_ALL_ROWS:d})"
    )


def _plan_of(db: duckdb.DuckDBPyConnection, partition: Partition) -> Plan:
    """Kept with the partition: to open an index reads all of it once."""
    if isinstance(partition.plan, Plan):
        return partition.plan
    plan = Plan(None, had_late=True)
    if partition.path is not None and partition.generation:
        if partition.compacted is not None:
            key, rows, late = partition.compacted
        else:
            text = f"SELECT key, rows FROM {partition.name}.compacted"
            key, rows = db.execute(text).fetchall()[0]
            late = _late(db, partition, rows)
        index = open_index(index_of(partition.path), key=key)
        plan = Plan(index, had_late=late > 0)
    partition.plan = plan
    return plan


def _is_in_place(
    db: duckdb.DuckDBPyConnection, partition: Partition, plan: Plan
) -> bool:
    """Whether all that was compacted is where it was then: none was deleted or moved,
    which DuckDB does by giving rows numbers behind all others.
    """
    if partition.deletions or plan.index is None or not plan.index.in_place:
        return False
    if plan.in_place is None:
        rows = plan.index.rows
        text = (
            f"SELECT count(*) FROM {partition.name}.entries "
            f"WHERE rowid < {rows:d} AND place < {rows:d}"
        )
        held = int(db.execute(text).fetchall()[0][0])
        plan = replace(plan, in_place=held == rows)
        partition.plan = plan
    return bool(plan.in_place)


def _late(db: duckdb.DuckDBPyConnection, partition: Partition, rows: int) -> int:
    text = f"SELECT count(*) FROM {partition.name}.entries WHERE place >= ?"
    return int(db.execute(text, (rows,)).fetchall()[0][0])
