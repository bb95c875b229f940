"""A field's value in SQL: two ways to get at it, one that never fails and a fast one.

Measured for 1 000 000 entries on two cores (DuckDB 2.0):

- `variant_extract(fields, ?)::VARCHAR` is pushed down into the shredded column, with
  its dictionary and its smallest and largest value: 2 to 15 ms for a test of equality,
  and 300 to 400 ms where the field is rare, missing or of mixed types. But it fails
  the statement on an object with keys that differ only in case (`{"Host": 1,
  "host": 2}`), in a CASE or TRY too. So does `…::DOUBLE`, 3 ms, on other text.
- `variant_extract_string(fields, ?)` fails on nothing and takes 60 to 130 ms whatever
  the field is, and `variant_type(fields, ?)` as much again. It writes
  some doubles in another way (1e16 as 10000000000000000.0).

The fast one is for who can run the statement again: see `Layout.hopeful`.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

import msgspec

from logstream.core.doubts import (
    DOTTED,
    LISTED,
    ValueKind,
    any_of,
    anything,
    both,
    other,
    unless,
)
from logstream.core.sql import Sql
from logstream.query.fragments import FALSE, join, of
from logstream.query.names import Path

_KEPT = 512
"""Pieces of SQL: a query asks for those of a field in each condition on it."""
_EXPONENT = re.compile(r"-?[0-9.]+e[+-][0-9]+")


class Value(msgspec.Struct, frozen=True):
    """A field's value as text, as `numbers.text_of` has it."""

    text: Sql
    """NULL when there is no value."""

    is_text: Sql | None
    """Whether it is a text, not an object or array, whose text begins with `{` or `[`.
    None: those are NULL in `text` already, or cannot matter."""

    pushed: bool
    """Whether a condition on `text` alone is pushed down into storage."""


@lru_cache(_KEPT)
def fast_value(path: Path, *, scalar: bool) -> Value:
    """May fail the statement.

    Args:
        scalar: The text of an object or array could pass the test.
    """
    value = extract_first(path)
    is_text = of("variant_typeof({}) = 'VARCHAR'", value) if scalar else None
    return Value(of("{}::VARCHAR", value), is_text, pushed=True)


@lru_cache(_KEPT)
def safe_value(path: Path, *, scalar: bool) -> Value:
    """Never fails.

    Args:
        scalar: The text of an object or array could pass the test, or that of a double
            below 1e-4 or from 1e16 on has to be exact. Without it, it takes half as
            long.
    """
    text = _string_of(path)
    if scalar:
        text = of(
            "CASE {} ELSE CASE {} WHEN 'OBJECT' THEN NULL WHEN 'ARRAY' THEN NULL "
            "WHEN 'DOUBLE' THEN TRY_CAST({} AS DOUBLE)::VARCHAR ELSE {} END END",
            *(when_missing(path), _kind_of(path), text, text),
        )
    return Value(text, None, pushed=False)


def needs_exact(texts: Iterable[str]) -> bool:
    """Whether one of the texts may be that of a double that has to be exact."""
    return any(_EXPONENT.fullmatch(text) for text in texts)


@lru_cache(_KEPT)
def text_of_any(path: Path) -> Sql:
    """The text of any value, JSON where it is an object or array. Never fails."""
    return _string_of(path)


@lru_cache(_KEPT)
def when_missing(path: Path) -> Sql:
    """A first arm of a CASE that gives NULL where there is no value, so that nothing
    else is asked for: one look at most entries instead of two. Of a name with a dot it
    takes none, for looks are bounded.
    """
    if len(path.ways) > 1:
        return Sql("WHEN FALSE THEN NULL")
    return of("WHEN {} IS NULL THEN NULL", _string_of(path))


@lru_cache(_KEPT)
def is_array(path: Path) -> Sql:
    return of("{} = 'ARRAY'", _kind_of(path))


@lru_cache(_KEPT)
def elements(array: Sql, *, exact: bool, path: str = "$[*]") -> Sql:
    """The texts of what is in an array, given as JSON text.

    146 ms for 1 000 000 arrays of two, exact ones 300 ms; by way of `VARIANT[]`, it
    would be 11 s.

    Args:
        exact: As in `safe_value` for `scalar`.
    """
    texts = of(f"json_extract_string({{}}, '{path}')", array)
    if not exact:
        return texts
    kinds = of(f"json_type({{}}, '{path}')", array)
    return of(
        "list_transform(list_zip({}, {}), lambda e: CASE e[2] WHEN 'OBJECT' THEN NULL "
        "WHEN 'ARRAY' THEN NULL WHEN 'DOUBLE' THEN TRY_CAST(e[1] AS DOUBLE)::VARCHAR "
        "ELSE e[1] END)",
        *(texts, kinds),
    )


@lru_cache(_KEPT)
def no_arrays(path: Path) -> Sql:
    """FALSE, but an error where the value is an array, which the fast form is slow for:
    1 500 ms instead of 300 ms. It costs nothing where there is none: texts that do not
    begin with `[` are told by the smallest and largest value; nor in a day without any.
    """
    text = of("{}::VARCHAR", extract_first(path))
    kind = of("variant_typeof({})", extract_first(path))
    # One CASE in the other: with AND, a NOT around it asks for the kind of all values,
    # and takes five times as long.
    test = of(
        "CASE WHEN {} >= '[' AND {} < '\\' THEN CASE "
        "WHEN starts_with({}, 'ARRAY') THEN error('an array') ELSE FALSE END "
        "ELSE FALSE END",
        *(text, text, kind),
    )
    return unless(LISTED, unless(others(path, "scalar"), test, FALSE), FALSE)


@lru_cache(_KEPT)
def others(path: Path, kind: ValueKind) -> str:
    """The doubt (see `core.doubts`) whether all values there are of the kind."""
    first, *rest = (other(way, kind) for way in path.ways)
    return any_of((first, *(both(DOTTED, one) for one in rest)))


@lru_cache(_KEPT)
def missing(path: Path) -> str:
    """The doubt whether any entry has a value there. What none has is looked for in
    each of them: 1 300 ms a million.
    """
    return any_of(map(anything, path.ways))


def is_present(path: Path, *, fast: bool) -> Sql:
    if fast:
        # As text it is pushed down: 3 ms a million instead of 55.
        found = of("{}::VARCHAR IS NOT NULL", extract_first(path))
        return unless(missing(path), found, FALSE)
    return join(" OR ", [of("{} IS NOT NULL", _string(way)) for way in path.ways])


@lru_cache(_KEPT)
def extract(way: tuple[str, ...]) -> Sql:
    return Sql("variant_extract(" * len(way) + "fields" + ", ?)" * len(way), way)


@lru_cache(_KEPT)
def extract_first(path: Path) -> Sql:
    """What the first way leads to that leads anywhere. Pushed down where no key has a
    dot; else 1.5 us a row.
    """
    if len(path.ways) == 1:
        return extract(path.ways[0])
    nested, flat = (extract(way) for way in path.ways)
    return unless(DOTTED, of("coalesce({}, {})", nested, flat), nested)


def _string_of(path: Path) -> Sql:
    """Of the first way that leads to a value."""
    texts = [_string(way) for way in path.ways]
    return texts[0] if len(texts) == 1 else of("coalesce({}, {})", *texts)


def _kind_of(path: Path) -> Sql:
    kinds = [_kind(way) for way in path.ways]
    if len(kinds) == 1:
        return kinds[0]
    # A way to a null leads nowhere, and has a kind all the same.
    return of("coalesce(nullif({}, 'VARIANT_NULL'), {})", *kinds)


def _string(way: tuple[str, ...]) -> Sql:
    text = of("variant_extract_string({}, ?)", *_base_and_key(way))
    if len(way) == 1:
        return text
    # Without the guard, 300 ms where the key at the top is missing.
    return of("CASE WHEN variant_exists(fields, ?) THEN {} END", way[0], text)


def _kind(way: tuple[str, ...]) -> Sql:
    return of("variant_type({}, ?)", *_base_and_key(way))


def _base_and_key(way: tuple[str, ...]) -> tuple[Sql, str]:
    """The empty key means the base itself to the functions used here, as it does not
    to `variant_extract`.
    """
    return extract(way[:-1] if way[-1] else way), way[-1]
