"""A tree to SQL: one boolean expression over the columns, two-valued.

It is never NULL: a field that is missing or null makes a condition FALSE, and NOT of
that TRUE. Values and names of fields are parameters, all of them.

The forms were chosen by measurement, for 1 000 000 entries on two cores (DuckDB 2.0):

- `variant_extract(fields, ?)::VARCHAR` is pushed down into the shredded column, with
  its dictionary and its smallest and largest value: 2 to 15 ms to test for equality.
  Anything else done to `fields` rebuilds the whole value of each row: 300 ms.
- Numbers: `TRY_CAST(…::VARCHAR AS DOUBLE)` 18 to 55 ms; `TRY_CAST(… AS DOUBLE)`
  without the detour through text 240 ms, `TRY(…::DOUBLE)` 8 s; a plain `…::DOUBLE`
  3 ms, but one text that is no number fails the statement (see `Layout.hopeful`).
- `CASE WHEN … LIKE … THEN CASE WHEN starts_with(…)` keeps objects and arrays out for
  2 to 4 ms; `AND variant_typeof(…) = 'VARCHAR'` costs 15 to 55 ms.
- A word: `contains(lower(message), ?) AND regexp_matches(…)` 90 ms, the regular
  expression alone 180 ms, `contains` alone 65 ms.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any, assert_never

import msgspec

from logstream.core.sql import TRUE, Sql
from logstream.query.glob import Glob, Wild
from logstream.query.meaning import (
    Always,
    Condition,
    IdBetween,
    Like,
    NumberBetween,
    OneOf,
    Present,
    Speaks,
    TextBetween,
    TimeBetween,
    condition_of,
)
from logstream.query.names import Column, Path, Subject
from logstream.query.nodes import And, Expr, Not, Or, fold_tree
from logstream.query.words import escape, words_of

FALSE = Sql("FALSE")


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """What may be known of the entries that the SQL will run over, to make it faster.

    Without it, the SQL is right for any entries.
    """

    keys: AbstractSet[str] | None = None
    """All keys at the top of `fields` in any of the entries; None: not known. A field
    that is in none costs nothing then (else 300 ms), a dotted name one way, not two."""

    hopeful: bool = False
    """Compare numbers by a cast that fails the whole statement, with a conversion
    error, if the field has a text that is no number, or an object, anywhere. Then run
    the SQL that is not hopeful. It is 6 to 15 times faster."""


ANY_LAYOUT = Layout()


def sql_of(expr: Expr, layout: Layout = ANY_LAYOUT) -> Sql:
    """The SQL of a tree.

    Raises:
        BadRequest: see `condition_of`.
    """

    def visit(node: Expr, inner: Sequence[Sql]) -> Sql:
        match node:
            case And():
                return _join(" AND ", inner)
            case Or():
                return _join(" OR ", inner)
            case Not():
                return _of("NOT ({})", inner[0])
            case _:
                return _condition(condition_of(node), layout)

    return fold_tree(expr, visit)


def _condition(condition: Condition, layout: Layout) -> Sql:
    match condition:
        case Always():
            return TRUE
        case Speaks(glob):
            return _speaks(glob)
        case IdBetween(low, high):
            return Sql("id BETWEEN ? AND ?", (low, high))
        case TimeBetween(low_ns, high_ns):
            return Sql(
                "timestamp BETWEEN make_timestamp_ns(?) AND make_timestamp_ns(?)",
                (low_ns, high_ns),
            )
        case NumberBetween(path, low, high):
            return _number_between(path.among(layout.keys), low, high, layout)
        case Present(path):
            return _present(path.among(layout.keys))
        case OneOf() | Like() | TextBetween():
            return _text(condition, layout)
        case _:
            assert_never(condition)


def _speaks(glob: Glob) -> Sql:
    words = words_of(glob)
    contains = Sql("contains(lower(message), ?)", (words.needle,))
    if words.is_plain:
        return contains
    matches = Sql("regexp_matches(lower(message), ?)", (words.re2(),))
    return _join(" AND ", (contains, matches)) if words.needle else matches


def _text(condition: OneOf | Like | TextBetween, layout: Layout) -> Sql:
    subject = _among(condition.subject, layout)
    if subject is None:
        return FALSE
    value = _text_of(subject)
    test, structured = _test_of(condition, value)
    if isinstance(subject, Column):
        return test
    if structured:
        return _unless_structured(subject, value, test)
    if len(subject.ways) > 1:
        return _of("coalesce({}, FALSE)", test)
    # Like this, and not by coalesce: both are pushed down, with smallest and largest.
    return _of("{} AND {} IS NOT NULL", test, value)


def _test_of(condition: OneOf | Like | TextBetween, value: Sql) -> tuple[Sql, bool]:
    """The test of a text, and whether the text of an object or array could pass it."""
    match condition:
        case OneOf(_, texts):
            return _one_of(value, texts), any(map(_may_open, texts))
        case Like(_, glob):
            return _like(value, glob), _may_open(glob.parts[0])
        case TextBetween(_, low, high):
            tests = []
            if low is not None:
                sign = ">=" if low.inclusive else ">"
                tests.append(_of(f"{{}} {sign} ?", value, low.value))
            if high is not None:
                sign = "<=" if high.inclusive else "<"
                tests.append(_of(f"{{}} {sign} ?", value, high.value))
            return _join(" AND ", tests), True
        case _:
            assert_never(condition)


def _among(subject: Subject, layout: Layout) -> Subject | None:
    if isinstance(subject, Column):
        return subject
    path = subject.among(layout.keys)
    return path if path.ways else None


def _may_open(part: str | Wild) -> bool:
    """Objects and arrays cast to a text that begins with `{` or `[`."""
    return isinstance(part, Wild) or part.startswith(("{", "["))


def _unless_structured(path: Path, value: Sql, test: Sql) -> Sql:
    is_text = _of("variant_typeof({}) = 'VARCHAR'", _value_of(path))
    opens = _of("starts_with({}, '{{') OR starts_with({}, '[')", value, value)
    check = _of("CASE WHEN {} THEN {} ELSE TRUE END", opens, is_text)
    return _of("CASE WHEN {} THEN {} ELSE FALSE END", test, check)


def _one_of(value: Sql, texts: tuple[str, ...]) -> Sql:
    if not texts:
        return FALSE
    if len(texts) == 1:
        return _of("{} = ?", value, texts[0])
    marks = ", ".join("?" for _ in texts)
    return _of(f"{{}} IN ({marks})", value, *texts)


def _like(value: Sql, glob: Glob) -> Sql:
    """LIKE backtracks: with more than two `*` it could take its time for ever."""
    if glob.parts.count(Wild.ANY) > 2:
        signs = {Wild.ANY: ".*", Wild.ONE: "."}
        pattern = "".join(
            signs[part] if isinstance(part, Wild) else escape(part)
            for part in glob.parts
        )
        return _of("regexp_full_match({}, ?)", value, f"(?s:{pattern})")
    signs = {Wild.ANY: "%", Wild.ONE: "_"}
    pattern = "".join(
        signs[part] if isinstance(part, Wild) else _escape_like(part)
        for part in glob.parts
    )
    return _of("{} LIKE ? ESCAPE '\\'", value, pattern)


def _escape_like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _number_between(path: Path, low: float, high: float, layout: Layout) -> Sql:
    if not path.ways:
        return FALSE
    text = _text_of(path)
    if not layout.hopeful or len(path.ways) > 1:
        number = _of("coalesce(TRY_CAST({} AS DOUBLE), 'NaN'::DOUBLE)", text)
        return _of("{} BETWEEN ? AND ?", number, low, high)
    value = _value_of(path)
    test = _of("{}::DOUBLE BETWEEN ? AND ?", value, low, high)
    if low <= 0 <= high or low <= 1 <= high:
        # A bool casts to 0 or 1, and is no number to us.
        test = _of("{} AND {} NOT IN ('true', 'false')", test, text)
    return _of("{} AND {} IS NOT NULL", test, value)


def _present(path: Path) -> Sql:
    ways = [_of("{} IS NOT NULL", _extract(way)) for way in path.ways]
    return _join(" OR ", ways) if ways else FALSE


def _text_of(subject: Subject) -> Sql:
    if isinstance(subject, Column):
        return Sql(subject.name)
    return _first_of(subject, "::VARCHAR")


def _value_of(path: Path) -> Sql:
    return _first_of(path, "")


def _first_of(path: Path, cast: str) -> Sql:
    """The value at the first way that leads to one.

    The guards keep a way that is not there from costing 300 ms. They are only worth it
    when there are two: a single `variant_extract` is pushed down, a guarded one is not.
    """
    values = [_of(f"{{}}{cast}", _extract(way)) for way in path.ways]
    if len(values) == 1:
        return values[0]
    guarded = [
        _of("CASE WHEN variant_exists(fields, ?) THEN {} END", way[0], value)
        for way, value in zip(path.ways, values, strict=True)
    ]
    return _of("coalesce({}, {})", *guarded)


def _extract(way: tuple[str, ...]) -> Sql:
    return Sql(
        "variant_extract(" * len(way) + "fields" + ", ?)" * len(way),
        way,
    )


def _join(joiner: str, parts: Sequence[Sql]) -> Sql:
    text = joiner.join(f"({part.text})" for part in parts)
    return Sql(text, tuple(value for part in parts for value in part.params))


def _of(template: str, *parts: Any) -> Sql:
    """Fill `{}` with the SQL among `parts`; the rest are values of `?`, in order."""
    text = template.format(*(part.text for part in parts if isinstance(part, Sql)))
    params: list[Any] = []
    for part in parts:
        params.extend(part.params if isinstance(part, Sql) else (part,))
    return Sql(text, tuple(params))
