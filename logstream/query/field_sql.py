"""A field's value in SQL: two ways to get at it, one that never fails and a fast one.

Measured for 1 000 000 entries on two cores (DuckDB 2.0):

- `variant_extract(fields, ?)::VARCHAR` is pushed down into the shredded column, with
  its dictionary and its smallest and largest value: 2 to 15 ms for a test of equality,
  and 300 to 400 ms where the field is rare, missing or of mixed types. But it fails
  the statement on an object with keys that differ only in case (`{"Host": 1,
  "host": 2}`), in a CASE or TRY too. So does `…::DOUBLE`, 3 ms, on other text.
- `variant_extract_string(fields, ?)` fails on nothing and takes 60 to 130 ms whatever
  the field is. It writes some doubles in another way (1e16 as 10000000000000000.0).

The fast one is for who can run the statement again: see `Layout.hopeful`.
"""

import re
from collections.abc import Iterable

import msgspec

from logstream.core.sql import Sql
from logstream.query.fragments import join, of
from logstream.query.names import Path

_EXPONENT = re.compile(r"-?[0-9.]+e[+-][0-9]+")


class Value(msgspec.Struct, frozen=True):
    """A field's value, as expressions."""

    text: Sql
    """As `numbers.text_of` has it, or the text of an object or array, which begins
    with `{` or `[`. NULL when there is no value."""

    is_text: Sql
    """Whether it is a text, and not another kind of value."""

    pushed: bool
    """Whether a condition on `text` alone is pushed down into storage."""


def fast_value(way: tuple[str, ...]) -> Value:
    """May fail the statement."""
    value = extract(way)
    return Value(
        of("{}::VARCHAR", value), of("variant_typeof({}) = 'VARCHAR'", value), True
    )


def safe_value(path: Path, *, exact: bool) -> Value:
    """Never fails.

    Args:
        exact: Have the text of doubles right too: as numbers below 1e-4 and from 1e16
            on are not, without a second look at the value.
    """
    text, kind = _text_and_kind(path)
    if exact:
        # Digits and '-' sort before ':': other texts are not looked at twice.
        text = of(
            "CASE WHEN {} < ':' AND {} = 'DOUBLE' "
            "THEN TRY_CAST({} AS DOUBLE)::VARCHAR ELSE {} END",
            *(text, kind, text, text),
        )
    return Value(text, of("{} = 'VARCHAR'", kind), False)


def needs_exact(texts: Iterable[str]) -> bool:
    """Whether one of the texts may be that of a double that has to be exact."""
    return any(_EXPONENT.fullmatch(text) for text in texts)


def number(path: Path) -> Sql:
    """The finite double that it is; NaN, or another that is not finite, if none."""
    text, _ = _text_and_kind(path)
    return of("coalesce(TRY_CAST({} AS DOUBLE), 'NaN'::DOUBLE)", text)


def is_present(path: Path, *, fast: bool) -> Sql:
    if fast:
        return of("{} IS NOT NULL", extract(path.ways[0]))
    return join(" OR ", [of("{} IS NOT NULL", _string(way)) for way in path.ways])


def extract(way: tuple[str, ...]) -> Sql:
    return Sql("variant_extract(" * len(way) + "fields" + ", ?)" * len(way), way)


def _text_and_kind(path: Path) -> tuple[Sql, Sql]:
    """Of the first way that leads to a value; the text may not be exact."""
    first, *others = path.ways
    text, kind = _string(first), _kind(first)
    for other in others:
        kind = of(
            "CASE WHEN {} IS NOT NULL THEN {} ELSE {} END", text, kind, _kind(other)
        )
        text = of("coalesce({}, {})", text, _string(other))
    return text, kind


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
