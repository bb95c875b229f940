"""Expressions to SQL, over the columns of a table."""

from logstream.core.errors import BadRequest
from logstream.core.results import Kind
from logstream.core.sql import Sql
from logstream.query.expressions.function_kinds import common_kind
from logstream.query.expressions.functions import FUNCTIONS
from logstream.query.expressions.nodes import (
    Among,
    Call,
    Every,
    Expression,
    Name,
    Negation,
    Negative,
    Null,
    Number,
    OneOf,
    Operation,
    Some,
    Span,
    Text,
    Truth,
)
from logstream.query.field_forms import finite
from logstream.query.fragments import join, of
from logstream.query.regexps import captured
from logstream.query.tables import Table
from logstream.query.values import (
    Typed,
    Value,
    as_boolean,
    as_number,
    as_text,
    as_time,
    converted,
)

MAX_SQL_CHARS = 100_000
"""Of one value."""

_SIGNS = ("+", "-", "*", "/", "%")
_NUMBERS: tuple[Kind, ...] = ("number", "integer", "duration")


def value_of(node: Expression, table: Table) -> Value:
    """What an expression is, for each row.

    Raises:
        BadRequest: a column that the table does not have.
    """
    match node:
        case Name(name):
            return table.value(name)
        case Text() | Number() | Span() | Truth() | Null():
            return _constant(node)
        case Call(function, arguments):
            values = [value_of(argument, table) for argument in arguments]
            return _bounded(FUNCTIONS[function].make(values, arguments))
        case Operation(sign) if sign in _SIGNS:
            return _bounded(_calculated(node, table))
        case Operation():
            return Typed(_comparison(node, table), "boolean")
        case Negative(inner):
            value = value_of(inner, table)
            is_span = isinstance(value, Typed) and value.kind == "duration"
            kind: Kind = "duration" if is_span else "number"
            return Typed(of("(-{})", as_number(value)), kind)
        case _:
            return Typed(test_of(node, table), "boolean")


def _bounded(value: Typed) -> Typed:
    """Some functions name what they are given many times, and calls may stand inside
    each other: 121 characters made 80 MB of SQL.
    """
    if len(value.sql.text) > MAX_SQL_CHARS:
        raise BadRequest(
            "The query has functions inside functions so often that it would be too "
            "large: make columns of some of them with eval, or use fewer."
        )
    return value


def _constant(node: Text | Number | Span | Truth | Null) -> Typed:
    match node:
        case Text(text):
            return Typed(Sql("?::VARCHAR", (text,)), "text")
        case Number(number):
            return Typed(Sql("?::DOUBLE", (number,)), "number")
        case Span(seconds):
            return Typed(Sql("?::DOUBLE", (seconds,)), "duration")
        case Truth(truth):
            return Typed(Sql("TRUE" if truth else "FALSE"), "boolean")
        case _:
            return Typed(Sql("NULL::VARCHAR"), "text")


def test_of(node: Expression, table: Table) -> Sql:
    """Whether an expression holds; never NULL."""
    return of("coalesce({}, FALSE)", holds(node, table))


def holds(node: Expression, table: Table) -> Sql:
    """The same, and NULL for FALSE too, behind WHERE: only this is pushed down."""
    match node:
        case Every(terms):
            return join(" AND ", [holds(term, table) for term in terms])
        case Some(terms):
            return join(" OR ", [holds(term, table) for term in terms])
        case Negation(inner):
            # What is not known to hold does not hold, so NOT of it does.
            return of("(({}) IS NOT TRUE)", holds(inner, table))
        case OneOf(value, options):
            return _one_of(value_of(value, table), options, table)
        case Among(value, query):
            return of("{} IN {}", as_text(value_of(value, table)), table.inner(query))
        case _:
            return as_boolean(value_of(node, table))


def _one_of(value: Value, options: tuple[Expression, ...], table: Table) -> Sql:
    found = [value_of(option, table) for option in options]
    kind = _side_kind(value, found, options)
    marks = ", ".join("{}" for _ in found)
    parts = [converted(one, kind) for one in found]
    return of(f"{{}} IN ({marks})", converted(value, kind), *parts)


def _side_kind(
    value: Value, others: list[Value], nodes: tuple[Expression, ...]
) -> Kind:
    if isinstance(value, Typed) and value.kind not in ("text", "json"):
        return "number" if value.kind in _NUMBERS else value.kind
    kind = common_kind(others, nodes)
    return "number" if kind in _NUMBERS else kind


def _comparison(node: Operation, table: Table) -> Sql:
    sign = node.sign
    left, right = value_of(node.left, table), value_of(node.right, table)
    if sign in ("~", "!~"):
        return _pattern(sign, left, node.right)
    if isinstance(node.left, Null) or isinstance(node.right, Null):
        raise BadRequest("Write `name is null` or exists(name): null equals nothing.")
    kinds = {side.kind for side in (left, right) if isinstance(side, Typed)}
    if "time" in kinds:
        return of(f"({{}} {sign} {{}})", as_time(left), as_time(right))
    if kinds & {*_NUMBERS} or (not kinds and sign not in ("=", "!=")):
        parts = [_sized(left, node.left), _sized(right, node.right)]
        return of(f"({{}} {sign} {{}})", *parts)
    if "boolean" in kinds:
        return of(f"({{}} {sign} {{}})", as_boolean(left), as_boolean(right))
    return of(f"({{}} {sign} {{}})", as_text(left), as_text(right))


def _sized(value: Value, node: Expression) -> Sql:
    """A number to compare. What was computed may be too large, or NaN, which is larger
    than all others to DuckDB. It is not said where it is computed: one in the other,
    such numbers would double each time.
    """
    number = as_number(value)
    is_computed = isinstance(value, Typed) and value.kind in ("number", "duration")
    return (
        finite(number)
        if is_computed and not isinstance(node, Number | Span)
        else number
    )


def _pattern(sign: str, left: Value, pattern: Expression) -> Sql:
    assert isinstance(pattern, Text)
    made = captured(pattern.value).re2
    found = of("regexp_matches({}, ?)", as_text(left), made)
    return found if sign == "~" else of("(NOT {})", found)


def _calculated(node: Expression, table: Table) -> Typed:
    """Of operations in a row the first stands deepest: not by recursion."""
    row: list[Operation] = []
    while isinstance(node, Operation) and node.sign in _SIGNS:
        row.append(node)
        node = node.left
    value = value_of(node, table)
    for one in reversed(row):
        value = _arithmetic(one.sign, value, value_of(one.right, table))
    assert isinstance(value, Typed)
    return value


def _arithmetic(sign: str, left: Value, right: Value) -> Typed:
    kinds = [one.kind if isinstance(one, Typed) else "number" for one in (left, right)]
    kind: Kind = "number"
    if kinds != ["number", "number"]:
        if (made := _of_times_or_texts(sign, kinds, left, right)) is not None:
            return made
        is_span = "duration" in kinds and sign in ("+", "-", "%")
        is_span = is_span or (sorted(kinds) == ["duration", "number"] and sign == "*")
        is_span = is_span or (kinds == ["duration", "number"] and sign == "/")
        kind = "duration" if is_span else "number"
    first, second = as_number(left), as_number(right)
    if sign in ("+", "-", "*"):
        return Typed(of(f"({{}} {sign} {{}})", first, second), kind)
    # As nullif() would be, which DuckDB writes out itself: so its size shows here.
    text = f"CASE WHEN {{}} <> 0 THEN {{}} {sign} {{}} END"
    return Typed(of(text, second, first, second), kind)


def _of_times_or_texts(
    sign: str, kinds: list[Kind], left: Value, right: Value
) -> Typed | None:
    """None: it is one of numbers."""
    match sign, kinds:
        case "-", ["time", "time"]:
            text = "((epoch_ns({})::HUGEINT - epoch_ns({})) / 1e9)"
            return Typed(of(text, as_time(left), as_time(right)), "duration")
        case "+" | "-", ["time", _]:
            moved = of(
                f"TRY_CAST(epoch_ns({{}}) {sign} {{}} * 1e9 AS BIGINT)",
                *(as_time(left), as_number(right)),
            )
            return Typed(of("make_timestamp_ns({})", moved), "time")
        case "+", ["text", _] | [_, "text"]:
            return Typed(of("({} || {})", as_text(left), as_text(right)), "text")
        case _:
            return None
