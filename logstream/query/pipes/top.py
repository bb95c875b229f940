"""`top 10 host`, `rare 10 host, level`: the most and the least frequent values."""

import msgspec

from logstream.core.sql import Sql
from logstream.query.expressions.cursor import Cursor
from logstream.query.expressions.sql import value_of
from logstream.query.expressions.tokens import Mark
from logstream.query.fragments import join, of
from logstream.query.grouping import MERGED_COUNT
from logstream.query.orders import Order
from logstream.query.pipes import Pipe
from logstream.query.pipes.stats import GroupKey, parse_keys
from logstream.query.tables import Table
from logstream.query.values import Merged, Typed, typed

COUNT = "count"
SHARE = "percent"
MAX_ROWS = 100_000


_SHARE = "round(100.0 * {0} / sum({0}) OVER (), 3)::DOUBLE"
_ROWS = Sql("count(*)")
_RESULTS = (
    (COUNT, Typed(_ROWS, "integer", merged=Merged((_ROWS,), MERGED_COUNT))),
    (
        SHARE,
        Typed(
            Sql(_SHARE.format(_ROWS.text)),
            "number",
            merged=Merged((_ROWS,), _SHARE.format(MERGED_COUNT)),
        ),
    ),
)


class Top(msgspec.Struct, frozen=True):
    """Rows that lack one of the values do not count."""

    keys: tuple[GroupKey, ...]
    rows: int = 10
    is_rare: bool = False

    def __str__(self) -> str:
        name = "rare" if self.is_rare else "top"
        return f"{name} {self.rows} {', '.join(map(str, self.keys))}"

    def apply(self, table: Table) -> Table:
        values = [(key.shown, value_of(key.value, table)) for key in self.keys]
        keys = [(name, typed(value)) for name, value in values]
        # Said by counting: DuckDB tests `IS NOT NULL` before it groups, and makes the
        # text twice for that, 25 ms more a million.
        there = [of("count({})", value.sql) for _, value in keys]
        found = table.grouped(keys, _RESULTS, having=_all_positive(there))
        columns = [one for one in found.columns.values() if isinstance(one, Typed)]
        order = (
            Order(columns[-2].sql, descending=not self.is_rare),
            *(Order(one.sql, descending=False) for one in columns[:-2]),
        )
        return msgspec.structs.replace(found, order=order).limited(self.rows)


def _all_positive(counts: list[Sql]) -> Typed:
    each = join(" AND ", [of("{} > 0", count) for count in counts])
    merged = " AND ".join(f"sum({{{at}}}) > 0" for at in range(len(counts)))
    return Typed(each, "boolean", merged=Merged(tuple(counts), merged))


def parse_top(cursor: Cursor) -> Pipe:
    return _parse(cursor, is_rare=False)


def parse_rare(cursor: Cursor) -> Pipe:
    return _parse(cursor, is_rare=True)


def _parse(cursor: Cursor, *, is_rare: bool) -> Pipe:
    rows = 10
    if cursor.accept_option("limit") or cursor.here.mark is Mark.NUMBER:
        rows = cursor.whole("a number of rows", least=1, most=MAX_ROWS)
    cursor.accept_word("by")
    keys = parse_keys(cursor)
    for _ in cursor.options("limit"):
        rows = cursor.whole("a number of rows", least=1, most=MAX_ROWS)
    if cursor.here.mark is Mark.NUMBER:
        cursor.expected("the number in front of the names")
    names = [key.shown for key in keys]
    if len({*names, COUNT, SHARE}) < len(names) + 2:
        cursor.fail("two columns would have the same name: name one with `as`")
    return Top(keys, rows, is_rare)
