"""`facets 5`: the most common values of the fields that tell most.

Looks at the newest 20 000 rows: which fields they have, and what is in them. A field
counts that has more than one value and at most 1 000; those that most rows have come
first.
"""

import msgspec

from logstream.core.errors import BadRequest
from logstream.core.sql import Sql
from logstream.query.entry_fields import fields_json
from logstream.query.expressions.cursor import Cursor
from logstream.query.fragments import of
from logstream.query.orders import Order
from logstream.query.pipes import Pipe
from logstream.query.tables import Table
from logstream.query.values import Typed, Value, as_text

SAMPLE = 20_000
MAX_FIELDS = 30
MAX_VALUES = 1_000
VALUES = 10


class Facets(msgspec.Struct, frozen=True):
    values: int = VALUES
    """Of each field."""

    def __str__(self) -> str:
        return f"facets {self.values}"

    def apply(self, table: Table) -> Table:
        if not table.is_open:
            raise BadRequest(
                "facets looks at entries, and there are none here any more."
            )
        newest = table.limited(SAMPLE)
        read = of(
            "SELECT {} AS s, {} AS l, {} AS f FROM {}",
            as_text(newest.value("source")),
            as_text(newest.value("level")),
            fields_json(newest),
            newest.relation,
        )
        name, value, count, share, rank = (table.builder.alias() for _ in range(5))
        relation = of(
            "(WITH r AS MATERIALIZED ({}), "
            f"{_BODY} SELECT field AS {name}, value AS {value}, n AS {count}, "
            f"round(100.0 * n / nullif(total, 0), 3)::DOUBLE AS {share}, "
            f"rank AS {rank} FROM w WHERE place <= {self.values:d})",
            read,
        )
        columns: dict[str, Value] = {
            "field": Typed(Sql(name), "text"),
            "value": Typed(Sql(value), "text"),
            "count": Typed(Sql(count), "integer"),
            "percent": Typed(Sql(share), "number"),
        }
        return Table(
            builder=table.builder,
            relation=relation,
            scan=None,
            columns=columns,
            is_open=False,
            group=(Sql(name), Sql(value)),
            order=(
                Order(Sql(rank), descending=False),
                Order(Sql(count), descending=True),
                Order(Sql(value), descending=False),
            ),
        )


_BODY = (
    "k AS (SELECT 'source' AS field, s AS value FROM r "
    "UNION ALL SELECT 'level', l FROM r "
    "UNION ALL SELECT CASE WHEN e.key IN ('source', 'level', 'timestamp', 'message', "
    "'id') THEN 'fields.' || e.key ELSE e.key END, "
    "CASE e.type WHEN 'DOUBLE' THEN e.value::DOUBLE::VARCHAR "
    "ELSE json_extract_string(e.value, '$') END "
    "FROM r, json_each(r.f) e WHERE e.type NOT IN ('OBJECT', 'ARRAY', 'NULL')), "
    "g AS (SELECT field, value, count(*) AS n FROM k WHERE value IS NOT NULL "
    "GROUP BY 1, 2), "
    "d AS (SELECT field, row_number() OVER (ORDER BY sum(n) DESC, count(*), field) "
    f"AS rank FROM g GROUP BY field HAVING count(*) BETWEEN 2 AND {MAX_VALUES}), "
    "w AS (SELECT g.field, g.value, g.n, d.rank, row_number() OVER "
    "(PARTITION BY g.field ORDER BY g.n DESC, g.value) AS place, "
    "(SELECT count(*) FROM r) AS total FROM g JOIN d ON d.field = g.field "
    f"WHERE d.rank <= {MAX_FIELDS})"
)


def parse(cursor: Cursor) -> Pipe:
    if cursor.at_end():
        return Facets()
    cursor.accept_option("limit")
    return Facets(cursor.whole("a number of values", least=1, most=100))
