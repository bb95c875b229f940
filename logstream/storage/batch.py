"""A batch: a file of canonical NDJSON, and the SQL that makes rows of it.

DuckDB parses the file in C++; no entry becomes a Python object. The line number is the
low part of the id, so the rows must be numbered in the order of the file: DuckDB does
that on one thread, and two batches at once keep two cores busy.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from logstream.core.entry import make_id
from logstream.core.sql import Sql
from logstream.plugins.contracts import Rewrite


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What one load takes in."""

    segment: int
    path: Path
    size: int
    """Bytes of the file."""
    entries: int
    explicit_ids: bool = False
    """Whether each line carries its `id`: it went through Python processors. Without,
    the line number in the file is part of the id, and frame headers count too."""
    rewrites: Sequence[Rewrite] = ()
    is_new: bool = False
    """No load of it was ever begun, so no day can have applied it."""


_encode = msgspec.json.Encoder().encode
_COLUMNS = (
    "timestamp: 'VARCHAR', source: 'VARCHAR', level: 'VARCHAR', "
    "message: 'VARCHAR', fields: 'JSON'"
)
_COLUMN_NAMES = "id, timestamp, source, level, message, fields"
_SET_FIELDS = (
    "CAST(CASE WHEN coalesce(json, '{}') = '{}' THEN '{' "
    "ELSE left(json, -1) || ',' END || ? AS JSON) AS json"
)
"""read_json writes the JSON anew, so an object has no blanks and ends in its brace."""
_LEVEL = (
    "CASE lower(level) WHEN 'warning' THEN 'warn' "
    "ELSE coalesce(lower(level), 'info') END"
)


def rows_of(batch: Batch, *, max_entry_bytes: int) -> Sql:
    """`SELECT id, timestamp, source, level, message, fields` over a batch."""
    # The text of an entry can be six times as long as JSON: \\u0000 is one byte.
    options = "format='newline_delimited', maximum_object_size=?"
    object_bytes = max_entry_bytes * 6 + 65_536
    parsed = f"{_PARSED}, fields AS json" if batch.rewrites else _PARSED
    if batch.explicit_ids:
        text = (
            f"SELECT id, {parsed} FROM read_json(?, {options}, "
            f"columns={{id: 'BIGINT', {_COLUMNS}}}) WHERE message IS NOT NULL"
        )
        params: tuple[object, ...] = (str(batch.path), object_bytes)
    else:
        text = (
            f"SELECT ? + line AS id, {parsed} FROM (SELECT row_number() OVER () - 1 "
            f"AS line, * FROM read_json(?, {options}, columns={{{_COLUMNS}}})) "
            "WHERE message IS NOT NULL"
        )
        params = (make_id(batch.segment, 0), str(batch.path), object_bytes)
    sql = Sql(text, params)
    for rewrite in batch.rewrites:
        sql = _apply(rewrite, sql)
    if batch.rewrites:  # `json` is only for them
        return Sql(f"SELECT {_COLUMN_NAMES} FROM ({sql.text})", sql.params)
    return sql


# `upper`: RFC 3339 allows a small `t` and `z`, which DuckDB does not read.
_PARSED = (
    "TRY_CAST(upper(timestamp) AS TIMESTAMP_NS) AS timestamp, "
    f"coalesce(source, 'unknown') AS source, {_LEVEL} AS level, message, "
    "CAST(fields AS VARIANT) AS fields"
)


def _apply(rewrite: Rewrite, rows: Sql) -> Sql:
    columns = ["id", "timestamp"]
    params: list[object] = []
    for name in ("source", "level", "message"):
        if (change := rewrite.columns.get(name)) is None:
            columns.append(name)
        else:
            columns.append(f"{change.text} AS {name}")
            params.extend(change.params)
    if rewrite.set_fields:
        # The last of two values with one name counts, so they are put at the end.
        pairs = (
            f"{_encode(n).decode()}:{value}" for n, value in rewrite.set_fields.items()
        )
        columns.append(_SET_FIELDS)
        params.append(f"{','.join(pairs)}}}")
    else:
        columns += ["json", "fields"]
    text = f"SELECT {', '.join(columns)} FROM ({rows.text})"
    params.extend(rows.params)
    if rewrite.keep is not None:
        text += f" WHERE {rewrite.keep.text}"
        params.extend(rewrite.keep.params)
    if rewrite.set_fields:
        text = f"SELECT *, CAST(json AS VARIANT) AS fields FROM ({text})"
    return Sql(text, tuple(params))
