"""All fields of an entry, as JSON text, as the pipes have left them."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from logstream.core.sql import Sql
from logstream.query.field_forms import pointer
from logstream.query.fragments import of
from logstream.query.names import COLUMN_NAMES, FIELDS_PREFIX, Path, subject_of
from logstream.query.scans import ScanBuilder
from logstream.query.values import as_json

if TYPE_CHECKING:
    from logstream.query.tables import Table


def fields_json(table: "Table") -> Sql:
    """The entry's own, with those that were added, less those that are gone."""
    assert table.scan is not None
    fields = table.scan.fields_json()
    if table.merged is not None:
        fields = of("{}::VARCHAR", table.merged)
    added = {
        name: value for name, value in table.columns.items() if name not in COLUMN_NAMES
    }
    gone = table.gone - {*COLUMN_NAMES, "fields"}
    if "fields" in table.gone:
        fields, gone = Sql("'{}'"), frozenset()
    fields = _less(fields, sorted(gone | {*added}), sorted(gone))
    if not added:
        return fields
    # A patch would go deep into objects, and lose what is null in them.
    pairs = [
        of("? || {}", f"{json.dumps(name)}:", as_json(value))
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


def moment(scan: ScanBuilder) -> Sql:
    """Time and id as one number, by which entries are in order: by both, one after the
    other, it would take twice as long.
    """
    time, number = scan.own("timestamp").text, scan.own("id").text
    return Sql(f"(epoch_ns({time})::HUGEINT * {1 << 63} + {number})")
