"""`field_names`: which fields there are, of what types, in how many entries.

Looks at the newest 20 000 rows. Names are dotted, so that they can be asked for.
"""

import msgspec

from logstream.core.errors import BadRequest
from logstream.core.sql import Sql
from logstream.query.entry_fields import fields_json
from logstream.query.expressions.cursor import Cursor
from logstream.query.fragments import of
from logstream.query.orders import Order
from logstream.query.pipes import Pipe
from logstream.query.pipes.facets import SAMPLE
from logstream.query.tables import Table
from logstream.query.values import Typed

_BODY = (
    "k AS (SELECT regexp_replace(substr(e.fullkey, 3), '\"', '', 'g') AS field, "
    "CASE e.type WHEN 'VARCHAR' THEN 'text' WHEN 'BOOLEAN' THEN 'boolean' "
    "WHEN 'DOUBLE' THEN 'number' WHEN 'ARRAY' THEN 'array' ELSE 'integer' END AS kind, "
    "coalesce(e.atom, e.value)::VARCHAR AS value FROM r, json_tree(r.f) e "
    "WHERE e.type NOT IN ('OBJECT', 'NULL') "
    "AND NOT regexp_matches(e.fullkey, '\\[[0-9]+\\]')) "
)


class FieldNames(msgspec.Struct, frozen=True):
    def __str__(self) -> str:
        return "field_names"

    def apply(self, table: Table) -> Table:
        if not table.is_open:
            raise BadRequest(
                "field_names looks at entries, and there are none here any more."
            )
        newest = table.limited(SAMPLE)
        read = of("SELECT {} AS f FROM {}", fields_json(newest), newest.relation)
        name, kinds, count, share, values = (table.builder.alias() for _ in range(5))
        relation = of(
            "(WITH r AS MATERIALIZED ({}), "
            f"{_BODY} SELECT field AS {name}, string_agg(DISTINCT kind, ', ' "
            f"ORDER BY kind) AS {kinds}, count(*) AS {count}, round(100.0 * count(*) / "
            f"(SELECT count(*) FROM r), 3)::DOUBLE AS {share}, "
            f"approx_count_distinct(value) AS {values} FROM k GROUP BY field)",
            read,
        )
        return Table(
            builder=table.builder,
            relation=relation,
            scan=None,
            columns={
                "field": Typed(Sql(name), "text"),
                "types": Typed(Sql(kinds), "text"),
                "count": Typed(Sql(count), "integer"),
                "percent": Typed(Sql(share), "number"),
                "values": Typed(Sql(values), "integer"),
            },
            is_open=False,
            group=(Sql(name),),
            order=(
                Order(Sql(count), descending=True),
                Order(Sql(name), descending=False),
            ),
        )


def parse(_: Cursor) -> Pipe:
    return FieldNames()
