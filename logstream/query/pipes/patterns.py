"""`patterns from message limit 20`: texts that differ only in what varies are one.

Numbers, times, addresses and the like become `<num>`, `<time>`, `<ip>` (`varying`), and
words that are another one in every text `<*>` (`templates`). Equal texts are counted
first, so that each is looked at once. What `compare` sets side by side has the same
templates: they are found in the texts of both ranges together.
"""

from itertools import pairwise

import msgspec

from logstream.core.sql import Sql
from logstream.query.expressions.cursor import Cursor
from logstream.query.fragments import of
from logstream.query.orders import Order
from logstream.query.pipes import Pipe
from logstream.query.pipes.columns import MESSAGE, from_text, text_column
from logstream.query.tables import Table
from logstream.query.templates import TEMPLATES
from logstream.query.values import Typed, Value, as_time
from logstream.query.varying import masked, shape

PARTS = 10
"""Of the time, in the trend."""
ROWS = 20
_LATEST = (1 << 63) - 1
_TIME = "timestamp"


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
        texts = table.builder.common(
            of(
                f"WITH o AS ({{}}), h AS ({_edges(table)}), l AS ({_TEXTS}), "
                f"q AS ({_SHAPES}) {_MASKED}",
                *(read, masked(Sql("shape"))),
            )
        )
        templates = table.builder.united(f"templates of {self.source}", texts, _named)
        alias = {name: table.builder.alias() for name in names}
        shown = ", ".join(f"{name} AS {one}" for name, one in alias.items())
        relation = Sql(
            f"(SELECT {shown} FROM ({_GROUPS.format(texts, templates)}) "
            f"ORDER BY count DESC, pattern LIMIT {self.rows:d})"
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
_FROM = [f"n{edge}" for edge in range(PARTS + 1)]
"""How many are at an edge between two parts of the time, or later: each is compared
with edges only, which costs a tenth of computing the part that it is in.
"""
_COUNTS = ", ".join(
    f"count(*) FILTER (epoch_ns(ts) >= e{edge}) AS {name}"
    for edge, name in enumerate(_FROM)
)
_TEXTS = (
    f"SELECT t, count(*) AS n, min(ts) AS a, max(ts) AS z, {_COUNTS} FROM o, h "
    "WHERE t IS NOT NULL GROUP BY t"
)
_MERGED = "sum(n) AS n, min(a) AS a, max(z) AS z, arg_max(t, (z, t)) AS t, "
_MERGED += ", ".join(f"sum({name}) AS {name}" for name in _FROM)
_SHAPES = f"SELECT {shape(Sql('t')).text} AS shape, {_MERGED} FROM l GROUP BY shape"
_MASKED = f"SELECT {{}} AS pattern, {_MERGED} FROM q GROUP BY pattern"
_TREND = ", ".join(f"sum({begin} - {end})::BIGINT" for begin, end in pairwise(_FROM))
_GROUPS = (
    "SELECT name AS pattern, sum(n)::BIGINT AS count, round(100.0 * sum(n) / "
    "sum(sum(n)) OVER (), 3)::DOUBLE AS percent, min(a) AS first, max(z) AS last, "
    f"arg_max(t, (z, t)) AS sample, to_json([{_TREND}])::VARCHAR AS trend "
    "FROM {} JOIN {} USING (pattern) GROUP BY name"
)


def _named(texts: Sql) -> Sql:
    """The template of each text, of all that there are."""
    found = f"WITH RECURSIVE m AS ({{}}), {TEMPLATES} SELECT pattern, name FROM named"
    return of(found, texts)


def _edges(table: Table) -> str:
    """The edges of the parts of the time, in ns."""
    begin, end = table.builder.range_of(table)
    if begin is not None and end is not None and end > begin:
        step = (end - begin - 1) // PARTS + 1
        edges = [f"{begin + step * edge}::BIGINT" for edge in range(PARTS + 1)]
        source = ""
    else:
        lo, hi = "epoch_ns(min(ts))::HUGEINT", "epoch_ns(max(ts))"
        source = (
            f"FROM (SELECT {lo} AS lo, ({hi} - {lo}) // {PARTS} + 1 AS step FROM o)"
        )
        edges = [
            f"least(lo + {edge} * step, {_LATEST})::BIGINT" for edge in range(PARTS + 1)
        ]
    named = ", ".join(f"{edge} AS e{at}" for at, edge in enumerate(edges))
    return f"SELECT {named} {source}"


def parse(cursor: Cursor) -> Pipe:
    source, rows = MESSAGE, ROWS
    for option in cursor.options("from", "limit"):
        if option == "from":
            source = cursor.name("a column")
        else:
            rows = cursor.whole("a number of rows", least=1, most=10_000)
    return Patterns(source, rows)
