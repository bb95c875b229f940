"""The end of a query: the plan that gives the rows of its last table."""

from logstream.core.errors import BadRequest
from logstream.core.plan import Plan
from logstream.core.results import ResultColumn
from logstream.core.sql import Sql
from logstream.query.entry_fields import fields_json
from logstream.query.fragments import of
from logstream.query.orders import order_by
from logstream.query.tables import Table
from logstream.query.values import as_shown

_ENTRY = ("timestamp", "source", "level", "message")


def finish(table: Table, *, limit: int | None = None, ids: bool = False) -> Plan:
    """The plan that gives the rows of a table, in its order."""
    if limit is not None:
        table = table.limited(limit)
    found = _entry(table, ids=ids) if table.is_open else _closed(table)
    marks = ", ".join("{}" for _ in found)
    parts = [sql for _, sql in found]
    in_order = table.sorted_as == (table.relation, table.newest_first())
    order = "" if in_order else order_by(table.newest_first())
    relation = table.builder.with_common(table.relation)
    sql = of(f"SELECT {marks} FROM {{}} {order}", *parts, relation)
    columns = [column for column, _ in found]
    return table.builder.build(sql, columns, is_entries=table.is_open)


def _closed(table: Table) -> list[tuple[ResultColumn, Sql]]:
    found: list[tuple[ResultColumn, Sql]] = []
    for name, value in table.columns.items():
        kind, sql = as_shown(value)
        found.append((ResultColumn(name, kind), sql))
    return found


def _entry(table: Table, *, ids: bool) -> list[tuple[ResultColumn, Sql]]:
    assert table.scan is not None
    found: list[tuple[ResultColumn, Sql]] = []
    for name in ("id", *_ENTRY) if ids else _ENTRY:
        if name in table.gone:
            continue
        kind, sql = as_shown(table.value(name))
        found.append((ResultColumn(name, kind), sql))
    if table.has_fields:
        found.append((ResultColumn("fields", "json"), fields_json(table)))
    if not found:
        raise BadRequest("At least one column has to stay.")
    return found
