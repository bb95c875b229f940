"""Values while compiling: SQL of a known kind, and fields, whose kind nobody knows, as
nobody knows that of what was taken out of a text.

A field is projected from the entries in the form in which it is wanted, as text, as a
number or as JSON, since only that is pushed down into the store's columns.
"""

from typing import assert_never

import msgspec

from logstream.core.results import Kind
from logstream.core.sql import Sql
from logstream.query.field_forms import (
    json_forms,
    number_forms,
    number_in,
    number_or_truth,
    pointer,
    text_forms,
)
from logstream.query.field_sql import safe_value
from logstream.query.fragments import of
from logstream.query.names import Path
from logstream.query.scans import ScanBuilder

NULL_TEXT = Sql("NULL::VARCHAR")


class Merged(msgspec.Struct, frozen=True):
    """How an aggregate over all rows is made of aggregates over some of them each."""

    parts: tuple[Sql, ...]
    """Those that are needed of each."""
    template: str
    """Of the whole, over columns of theirs: `{0}` is the first."""
    by: tuple[Sql, ...] = ()
    """Keys that the parts are grouped by besides; their columns are the first."""
    is_listed: bool = False
    """It takes a list of the parts, so that there should be few."""


class Typed(msgspec.Struct, frozen=True):
    """SQL over the columns of the relation that it is used on.

    VARCHAR for text and json (then it is JSON), DOUBLE for number and duration (in
    seconds), HUGEINT or BIGINT for integer, BOOLEAN, TIMESTAMP_NS for time.
    """

    sql: Sql
    kind: Kind
    is_id: bool = False
    """It is the entry's id: printed as text, as a number of JavaScript ends at 2^53."""
    merged: Merged | None = None
    """Of an aggregate; None: it takes all rows at once."""
    is_stored: bool = False
    """It is an entry's own; such a time is not before 1970."""


class Field(msgspec.Struct, frozen=True):
    """A value in `fields` of the entries of a scan."""

    scan: ScanBuilder
    path: Path


class Loose(msgspec.Struct, frozen=True):
    """What was taken out of a text, or out of an object there: a number if it is
    wanted as one, and reads as one; otherwise as a field is.
    """

    text: Sql
    """NULL for objects and arrays."""
    json: Sql | None = None
    """JSON text; None: it is a text, and nothing else."""


Value = Typed | Field | Loose


def as_text(value: Value) -> Sql:
    """NULL where there is none; of an object or array too."""
    match value:
        case Field(scan, path):
            safe, hopeful = text_forms(path)
            return scan.column(("text", path), safe=safe, hopeful=hopeful)
        case Typed(sql, "text") | Loose(sql):
            return sql
        case Typed(sql, "json"):
            return of("json_extract_string({}, '$')", sql)
        case Typed(sql, "boolean"):
            return of("{}::VARCHAR", sql)
        case Typed(sql, "time"):
            return time_text(sql)
        case Typed(sql, "number" | "duration"):
            # 3.0 reads as 3, as the same number would in a log.
            return of("regexp_replace({}::VARCHAR, '\\.0$', '')", sql)
        case Typed(sql, _):
            return of("{}::VARCHAR", sql)


def as_number(value: Value) -> Sql:
    """A finite DOUBLE; NULL for what is none. TRUE is 1."""
    match value:
        case Field(scan, path):
            safe, hopeful = number_forms(path)
            return scan.column(("number", path), safe=safe, hopeful=hopeful)
        case Loose(text):
            return number_or_truth(text)
        case Typed(sql, "number" | "duration"):
            return sql
        case Typed(sql, "integer" | "boolean"):
            return of("{}::DOUBLE", sql)
        case Typed(_, "text" | "json"):
            return number_in(as_text(value))
        case Typed(sql, _):
            return of("(epoch_ns({}) / 1e9)", sql)


def other_text(value: Field | Loose) -> Sql:
    """What `as_number` leaves NULL. Where its hopeful form works there is none."""
    if isinstance(value, Loose):
        return of("CASE WHEN {} IS NULL THEN {} END", as_number(value), value.text)
    safe = safe_value(value.path, scalar=True).text
    return value.scan.column(("other", value.path), safe=safe, hopeful=NULL_TEXT)


def as_json(value: Value) -> Sql:
    """JSON text; NULL, not `null`, where there is no value."""
    match value:
        case Field(scan, path):
            safe, hopeful = json_forms(path)
            return scan.column(("json", path), safe=safe, hopeful=hopeful)
        case Loose(text, None):
            return of("to_json({})::VARCHAR", text)
        case Loose(_, json):
            assert json is not None
            return json
        case Typed(sql, "json"):
            return sql
        case Typed(sql, "number" | "duration"):
            made = "to_json(CASE WHEN isfinite({}) THEN {} END)::VARCHAR"
            return of(made, sql, sql)
        case Typed(_, "time"):
            return of("to_json({})::VARCHAR", as_text(value))
        case Typed(sql, _) if value.is_id:
            return of("to_json({}::VARCHAR)::VARCHAR", sql)
        case Typed(sql, _):
            return of("to_json({})::VARCHAR", sql)


def as_held(value: Value) -> tuple[Kind, Sql]:
    """As it can be carried along: what nobody knows the kind of as JSON."""
    match value:
        case Typed(sql, kind):
            return kind, sql
        case Loose(text, None):
            return "text", text
        case _:
            return "json", as_json(value)


def as_shown(value: Value) -> tuple[Kind, Sql]:
    """As it stands in results."""
    if isinstance(value, Typed) and value.is_id:
        return "text", of("{}::VARCHAR", value.sql)
    return as_held(value)


def member(held: Sql, path: Path) -> Loose:
    """What is at a path in a column of JSON objects."""
    found = [
        of("nullif(json_extract({}, {})::VARCHAR, 'null')", held, _pointed(way))
        for way in path.ways
    ]
    json = found[0] if len(found) == 1 else of("coalesce({}, {})", *found)
    text = scalar_at(held, path.ways[-1])
    for way in reversed(path.ways[:-1]):
        there = of("coalesce(json_type({}, {}), 'NULL') <> 'NULL'", held, _pointed(way))
        at = scalar_at(held, way)
        text = of("CASE WHEN {} THEN {} ELSE {} END", there, at, text)
    return Loose(text, json)


def scalar_at(held: Sql, way: tuple[str, ...]) -> Sql:
    """The text of a value in JSON; NULL for objects and arrays."""
    said = of("json_extract_string({}, {})", held, _pointed(way))
    return of(
        "CASE json_type({}, {}) WHEN 'OBJECT' THEN NULL WHEN 'ARRAY' THEN NULL "
        "WHEN 'DOUBLE' THEN {}::DOUBLE::VARCHAR ELSE {} END",
        *(held, _pointed(way), said, said),
    )


def _pointed(way: tuple[str, ...]) -> Sql:
    return Sql("?", (pointer(way),))


def as_boolean(value: Value) -> Sql:
    match value:
        case Typed(sql, "boolean"):
            return sql
        case Field() | Loose() | Typed(_, "text" | "json"):
            return of("TRY_CAST({} AS BOOLEAN)", as_text(value))
        case _:
            return of("({} <> 0)", as_number(value))


def as_time(value: Value) -> Sql:
    """TIMESTAMP_NS. A text is RFC 3339; a number is seconds since 1970."""
    match value:
        case Typed(sql, "time"):
            return sql
        case Field() | Loose() | Typed(_, "text" | "json"):
            text = as_text(value)
            us = of("epoch_us(TRY_CAST({} AS TIMESTAMPTZ))", text)
            ns = of("TRY_CAST({}::HUGEINT * 1000 AS BIGINT)", us)
            return of("make_timestamp_ns({})", ns)
        case _:
            ns = of("TRY_CAST({} * 1e9 AS BIGINT)", as_number(value))
            return of("make_timestamp_ns({})", ns)


def typed(value: Value) -> Typed:
    """A value as it is compared and grouped by: a field is text."""
    return value if isinstance(value, Typed) else Typed(as_text(value), "text")


def converted(value: Value, kind: Kind) -> Sql:
    match kind:
        case "text":
            return as_text(value)
        case "number" | "duration" | "integer":
            return as_number(value)
        case "boolean":
            return as_boolean(value)
        case "time":
            return as_time(value)
        case "json":
            return as_json(value)
        case _:
            assert_never(kind)


def is_missing(value: Value) -> Sql:
    sql = value.sql if isinstance(value, Typed) else as_json(value)
    return of("({} IS NULL)", sql)


def time_text(sql: Sql) -> Sql:
    """RFC 3339 in UTC, with as many digits as needed."""
    return of(
        "(rtrim(rtrim(strftime({}, '%Y-%m-%dT%H:%M:%S.%n'), '0'), '.') || 'Z')", sql
    )
