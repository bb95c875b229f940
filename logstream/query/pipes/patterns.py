"""`patterns from message limit 20`: texts that differ only in what varies are one.

Numbers, times, addresses and the like become `<num>`, `<time>`, `<ip>`, `<uuid>`,
`<hex>` and `<str>` (what stands in double quotes). Equal texts are counted first, so
that each is looked at once: 1 000 000 different ones take 3 s on two cores.
"""

from typing import Final

import msgspec

from logstream.core.sql import Sql
from logstream.query.expressions.cursor import Cursor
from logstream.query.fragments import of
from logstream.query.pipes import Pipe
from logstream.query.pipes.columns import MESSAGE, from_text, text_column
from logstream.query.tables import Order, Table
from logstream.query.values import Typed, Value, as_time

PARTS = 10
"""Of the time, in the trend."""
ROWS = 20
_TIME = "timestamp"

_HEX = "[0-9a-fA-F]"
_CLOCK = r"\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?"
_ZONE = r"(?:Z|[+-]\d\d:?\d\d)?"
_MIXED = "[0-9]+[a-fA-F]|[a-fA-F]+[0-9]"
VARYING: Final = (
    ("str", r'"(?:[^"\\]|\\.)*"'),
    ("uuid", rf"\b{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}\b"),
    (
        "time",
        rf"\b\d{{4}}-\d\d-\d\d(?:[T ]{_CLOCK}{_ZONE})?\b|\b{_CLOCK}\b",
    ),
    ("ip", r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"),
    (
        "hex",
        rf"\b(?:0[xX]{_HEX}+|(?:{_MIXED}){_HEX}{{4,}}|[a-fA-F]{{8,}})\b",
    ),
    ("num", r"\d+(?:[.,]\d+)*"),
)
"""What is put in place, and for what: in this order."""


class Patterns(msgspec.Struct, frozen=True):
    source: str = MESSAGE
    rows: int = ROWS

    def __str__(self) -> str:
        rows = "" if self.rows == ROWS else f" limit {self.rows}"
        return f"patterns{from_text(self.source)}{rows}"

    def apply(self, table: Table) -> Table:
        has_time = table.is_open or _TIME in table.columns
        when = Sql("NULL::TIMESTAMP_NS")
        if has_time:
            when = as_time(table.value(_TIME))
        read = of(
            "SELECT {} AS t, {} AS ts FROM {}",
            *(text_column(table, self.source), when, table.relation),
        )
        names = ["pattern", "count", "percent", "first", "last", "sample", "trend"]
        if not has_time:
            names = ["pattern", "count", "percent", "sample"]
        alias = {name: table.builder.alias() for name in names}
        shown = ", ".join(f"{name} AS {one}" for name, one in alias.items())
        relation = of(
            f"(WITH r AS MATERIALIZED ({{}}), b AS ({_bounds(table)}), "
            f"m AS ({_TEXTS}), p AS (SELECT {{}} AS pattern, * FROM m), "
            f"g AS ({_GROUPS}) SELECT {shown} FROM g "
            f"ORDER BY g.count DESC, g.pattern LIMIT {self.rows:d})",
            *(read, template_of(Sql("t"))),
        )
        columns: dict[str, Value] = {
            name: Typed(Sql(one), _KINDS.get(name, "text"))  # type: ignore[arg-type]
            for name, one in alias.items()
        }
        return Table(
            builder=table.builder,
            relation=relation,
            scan=None,
            columns=columns,
            is_open=False,
            group=(Sql(alias["pattern"]),),
            order=(
                Order(Sql(alias["count"]), descending=True),
                Order(Sql(alias["pattern"]), descending=False),
            ),
        )


_KINDS = {
    "count": "integer",
    "percent": "number",
    "first": "time",
    "last": "time",
    "trend": "json",
}
_COUNTS = ", ".join(
    f"count(*) FILTER (WHERE (epoch_ns(ts) - lo) // step = {part}) AS n{part}"
    for part in range(PARTS)
)
_TEXTS = (
    f"SELECT t, count(*) AS n, min(ts) AS a, max(ts) AS z, {_COUNTS} FROM r, b "
    "WHERE t IS NOT NULL GROUP BY t"
)
_SUMS = ", ".join(f"sum(n{part})::BIGINT" for part in range(PARTS))
_GROUPS = (
    "SELECT pattern, sum(n)::BIGINT AS count, "
    "round(100.0 * sum(n) / sum(sum(n)) OVER (), 3)::DOUBLE AS percent, "
    "min(a) AS first, max(z) AS last, arg_max(t, (z, t)) AS sample, "
    f"to_json([{_SUMS}])::VARCHAR AS trend FROM p GROUP BY pattern"
)


def template_of(text: Sql) -> Sql:
    """A text with names for what varies."""
    for name, pattern in VARYING:
        found = Sql("?", (pattern,))
        text = of(f"regexp_replace({{}}, {{}}, '<{name}>', 'g')", text, found)
    return text


def _bounds(table: Table) -> str:
    """Where the parts of the time begin, and how long they are."""
    begin, end = table.builder.range_of(table)
    if begin is not None and end is not None and end > begin:
        step = (end - begin - 1) // PARTS + 1
        return f"SELECT ({begin})::BIGINT AS lo, {step} AS step"
    lo, hi = "epoch_ns(min(ts))::HUGEINT", "epoch_ns(max(ts))"
    return f"SELECT {lo} AS lo, ({hi} - {lo}) // {PARTS} + 1 AS step FROM r"


def parse(cursor: Cursor) -> Pipe:
    source = cursor.name("a column") if cursor.accept_word("from") else MESSAGE
    rows = ROWS
    if cursor.accept_word("limit"):
        rows = cursor.whole("a number of rows", least=1, most=10_000)
    return Patterns(source, rows)
