"""The end of a query: the plan that gives the rows of its last table."""

import json
from collections.abc import Sequence

from logstream.core.plan import Plan
from logstream.core.results import ResultColumn
from logstream.core.sql import Sql
from logstream.query.fragments import of
from logstream.query.names import COLUMN_NAMES, FIELDS_PREFIX, Path, subject_of
from logstream.query.tables import Table, order_by
from logstream.query.values import Field, as_json, pointer

_ENTRY = ("timestamp", "source", "level", "message")


def finish(table: Table, *, limit: int | None = None, ids: bool = False) -> Plan:
    """The plan that gives the rows of a table, in its order."""
    if limit is not None:
        table = table.limited(limit)
    found = _entry(table, ids=ids) if table.is_open else _closed(table)
    marks = ", ".join("{}" for _ in found)
    parts = [sql for _, sql in found]
    order = order_by(table.newest_first())
    sql = of(f"SELECT {marks} FROM {{}} {order}", *parts, table.relation)
    columns = [column for column, _ in found]
    return table.builder.build(sql, columns, is_entries=table.is_open)


def _closed(table: Table) -> list[tuple[ResultColumn, Sql]]:
    found: list[tuple[ResultColumn, Sql]] = []
    for name, value in table.columns.items():
        if isinstance(value, Field):
            found.append((ResultColumn(name, "json"), as_json(value)))
        elif value.is_id:
            sql = of("{}::VARCHAR", value.sql)
            found.append((ResultColumn(name, "text"), sql))
        else:
            found.append((ResultColumn(name, value.kind), value.sql))
    return found


def _entry(table: Table, *, ids: bool) -> list[tuple[ResultColumn, Sql]]:
    assert table.scan is not None
    found: list[tuple[ResultColumn, Sql]] = []
    for name in ("id", *_ENTRY) if ids else _ENTRY:
        if name in table.gone:
            continue
        value = table.value(name)
        if isinstance(value, Field):
            found.append((ResultColumn(name, "json"), as_json(value)))
        elif value.is_id:
            sql = of("{}::VARCHAR", value.sql)
            found.append((ResultColumn(name, "text"), sql))
        else:
            found.append((ResultColumn(name, value.kind), value.sql))
    if "fields" not in table.gone:
        found.append((ResultColumn("fields", "json"), fields_json(table)))
    return found


def fields_json(table: Table) -> Sql:
    """The entry's own, with those that were added, less those that are gone."""
    assert table.scan is not None
    fields = table.scan.fields_json()
    if table.patch is not None:
        fields = of("json_merge_patch({}::JSON, {})::VARCHAR", *(fields, table.patch))
    added = {
        name: value for name, value in table.columns.items() if name not in COLUMN_NAMES
    }
    gone = table.gone - {*COLUMN_NAMES, "fields"}
    fields = _less(fields, sorted(gone | {*added}), sorted(gone))
    if not added:
        return fields
    # A patch would go deep into objects, and lose what is null in them.
    pairs = [
        of("{} || {}", Sql("?", (f"{json.dumps(name)}:",)), as_json(value))
        for name, value in added.items()
    ]
    marks = ", ".join("{}" for _ in pairs)
    text = f"'{{{{' || concat_ws(',', nullif(({{}})[2:-2], ''), {marks}) || '}}}}'"
    return of(text, fields, *pairs)


def _less(fields: Sql, keys: Sequence[str], names: Sequence[str]) -> Sql:
    """Without these keys, and what these names with dots lead to."""
    found = fields
    for name in names:
        path = subject_of(FIELDS_PREFIX + name)
        assert isinstance(path, Path)
        way = path.ways[0]
        if len(way) > 1:
            keys_down = ":{".join(map(json.dumps, way))
            patch = "{" + keys_down + ":null" + "}" * len(way)
            found = of(
                "json_merge_patch({}::JSON, CASE WHEN json_exists({}, {}) "
                "THEN {} ELSE '{{}}' END::JSON)::VARCHAR",
                *(found, fields, Sql("?", (pointer(way),)), Sql("?", (patch,))),
            )
    if not keys:
        return found
    nothing = json.dumps(dict.fromkeys(keys))
    return of(
        "json_merge_patch({}::JSON, {}::JSON)::VARCHAR", found, Sql("?", (nothing,))
    )
