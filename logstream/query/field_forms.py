"""Fields as they are projected from the entries: as text, as a number or as JSON, each
in two forms, one that never fails and a fast one (see `field_sql`). Only these are
pushed down into the store's columns. They are kept: queries are about the same fields.
"""

from functools import lru_cache

from logstream.core.doubts import INFINITE, LISTED, NESTED, any_of, unless
from logstream.core.sql import Sql
from logstream.query.field_sql import (
    extract_first,
    missing,
    others,
    safe_value,
)
from logstream.query.fragments import of
from logstream.query.names import Path
from logstream.query.numbers import LARGEST

_KEPT = 512
_MOST = f"{LARGEST!r}::DOUBLE"


@lru_cache(_KEPT)
def text_forms(path: Path) -> tuple[Sql, Sql]:
    """NULL for an object or array too.

    An object has a text, but is no value to compare or to group by. Said like this, it
    is 7 ms a million more than the text alone; with one CASE and an AND, 35 ms: the
    kind would be asked for of every value. It costs nothing where there are neither
    objects nor arrays.
    """
    fast = extract_first(path)
    text = of("{}::VARCHAR", fast)
    careful = of(
        "CASE WHEN {} >= '[' AND {} < '\\' OR {} >= '{{' AND {} < '|' "
        "THEN CASE WHEN variant_typeof({}) = 'VARCHAR' THEN {} END "
        "ELSE {} END",
        *(text, text, text, text, fast, text, text),
    )
    hopeful = unless(any_of((LISTED, NESTED)), careful, text)
    hopeful = unless(others(path, "scalar"), hopeful, text)
    hopeful = unless(missing(path), hopeful, Sql("NULL::VARCHAR"))
    return safe_value(path, scalar=True).text, hopeful


@lru_cache(_KEPT)
def number_forms(path: Path) -> tuple[Sql, Sql]:
    """A finite DOUBLE; NULL for what is none. TRUE is 1."""
    number = of("{}::DOUBLE", extract_first(path))
    hopeful = unless(INFINITE, finite(number), number)
    hopeful = unless(missing(path), hopeful, Sql("NULL::DOUBLE"))
    return number_or_truth(safe_value(path, scalar=False).text), hopeful


@lru_cache(_KEPT)
def json_forms(path: Path) -> tuple[Sql, Sql]:
    """JSON text; NULL, not `null`, where there is no value."""
    ways = [
        Sql("nullif(json_extract(fields::JSON, ?)::VARCHAR, 'null')", (pointer(way),))
        for way in path.ways
    ]
    fast = extract_first(path)
    hopeful = of("nullif({}::JSON::VARCHAR, 'null')", fast)
    # Of one kind alone they are read from their column: 10 of 38 000 errors in 4 ms
    # instead of 5. Of texts, each is made only once that a dictionary holds.
    hopeful = unless(
        any_of((others(path, "real"), INFINITE)),
        unless(others(path, "whole"), hopeful, of("{}::VARCHAR", fast)),
        of("to_json({}::DOUBLE)::VARCHAR", fast),
    )
    hopeful = unless(
        others(path, "text"), hopeful, of("to_json({}::VARCHAR)::VARCHAR", fast)
    )
    hopeful = unless(missing(path), hopeful, Sql("NULL::VARCHAR"))
    return ways[0] if len(ways) == 1 else of("coalesce({}, {})", *ways), hopeful


def number_or_truth(text: Sql) -> Sql:
    return of(
        "CASE {} WHEN 'true' THEN 1 WHEN 'false' THEN 0 ELSE {} END",
        text,
        number_in(text),
    )


def number_in(text: Sql) -> Sql:
    return finite(of("TRY_CAST({} AS DOUBLE)", text))


def finite(number: Sql) -> Sql:
    """NULL for NaN and the infinities: as texts, they stand in logs. Said like this, it
    takes 1 ms a million; with isfinite(), 4 ms.
    """
    return of(
        f"CASE WHEN {{}} BETWEEN -{_MOST} AND {_MOST} THEN {{}} END", number, number
    )


def pointer(way: tuple[str, ...]) -> str:
    """RFC 6901."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in way)
