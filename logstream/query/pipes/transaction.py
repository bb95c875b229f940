"""`transaction by request maxpause 30s`: what belongs together, as one row.

All rows with the same values; with `maxpause`, a longer pause begins a new one. Rows
that lack a value are left out. Of the messages, the first 100 stay.
"""

from typing import Final

import msgspec

from logstream.core.results import Kind
from logstream.core.sql import Sql
from logstream.query.expressions.cursor import Cursor
from logstream.query.expressions.nodes import name_text, span_text
from logstream.query.fragments import of
from logstream.query.orders import Order
from logstream.query.pipes import Pipe
from logstream.query.pipes.columns import MESSAGE, text_column
from logstream.query.tables import Table
from logstream.query.values import Typed, Value, as_time

MESSAGES = 100
_LISTED = (
    "coalesce(to_json(list(message ORDER BY place) "
    f"FILTER (WHERE place < first_place + {MESSAGES}))::VARCHAR, '[]')"
)
_MADE: Final[dict[str, tuple[str, Kind]]] = {
    "first": ("min(ts)", "time"),
    "last": ("max(ts)", "time"),
    "duration": ("(epoch_ns(max(ts))::HUGEINT - epoch_ns(min(ts))) / 1e9", "duration"),
    "count": ("count(*)", "integer"),
    "messages": (_LISTED, "json"),
}


class Transaction(msgspec.Struct, frozen=True):
    names: tuple[str, ...]
    pause_s: float | None = None

    def __str__(self) -> str:
        text = f"transaction by {', '.join(map(name_text, self.names))}"
        if self.pause_s is None:
            return text
        return f"{text} maxpause {span_text(self.pause_s)}"

    def apply(self, table: Table) -> Table:
        values = [table.typed(name) for name in self.names]
        keys = [table.builder.alias() for _ in values]
        made = {name: table.builder.alias() for name in _MADE}
        listed = ", ".join(f"{{}} AS {key}" for key in keys)
        number = Sql("0") if table.scan is None else table.scan.own("id")
        read = of(
            f"SELECT {listed}, {{}} AS ts, {{}} AS message, {{}} AS number FROM {{}}",
            *(value.sql for value in values),
            as_time(table.value("timestamp")),
            text_column(table, MESSAGE),
            number,
            table.relation,
        )
        by = ", ".join(keys)
        shown = ", ".join(f"{_MADE[name][0]} AS {one}" for name, one in made.items())
        relation = of(
            f"(SELECT {by}, {shown} FROM ({self._placed(by)}) "
            f"GROUP BY {by}, first_place)",
            of("({})", read),
        )
        columns: dict[str, Value] = {
            name: Typed(Sql(key), value.kind, value.is_id)
            for name, key, value in zip(self.names, keys, values, strict=True)
        }
        columns |= {name: Typed(Sql(one), _MADE[name][1]) for name, one in made.items()}
        return Table(
            builder=table.builder,
            relation=relation,
            scan=None,
            columns=columns,
            is_open=False,
            order=(
                Order(Sql(made["first"]), descending=True),
                *(Order(Sql(key), descending=False) for key in keys),
            ),
        )

    def _placed(self, by: str) -> str:
        """Rows with their place among those of the same values, and the first place of
        the part that they are in. Each level is sorted once: parts in a third level
        took three times as long.
        """
        order = f"PARTITION BY {by} ORDER BY ts, number"
        there = " AND ".join(f"{key} IS NOT NULL" for key in by.split(", "))
        rows = f"row_number() OVER ({order}) AS place"
        where = f"FROM {{}} WHERE {there} AND ts IS NOT NULL"
        if self.pause_s is None:
            return f"SELECT *, {rows}, 1 AS first_place {where}"
        pause_ns = round(self.pause_s * 1e9)
        gap = f"epoch_ns(ts)::HUGEINT - lag(epoch_ns(ts)) OVER ({order})"
        return (
            "SELECT *, coalesce(max(CASE WHEN begins THEN place END) OVER "
            f"({order} ROWS UNBOUNDED PRECEDING), 1) AS first_place "
            f"FROM (SELECT *, {rows}, ({gap}) > {pause_ns} AS begins {where})"
        )


def parse(cursor: Cursor) -> Pipe:
    cursor.accept_word("by")
    start = cursor.here
    names = cursor.names_in_brackets()
    if len({*names, *_MADE}) < len(names) + len(_MADE):
        cursor.fail("two columns would have the same name", start)
    pause = None
    for _ in cursor.options("maxpause"):
        pause = cursor.span("a span")
    return Transaction(names, pause)
