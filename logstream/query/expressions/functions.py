"""The functions of expressions: what they are called with, and their SQL.

Every function answers null for what it cannot do, and none fails a statement.
"""

from collections.abc import Sequence
from typing import Final

from logstream.core.sql import Sql
from logstream.query.elsewhere import function_hint
from logstream.query.expressions.function_kinds import (
    Function,
    call,
    common_kind,
    growing,
    joined,
    of_numbers,
    of_text,
    root,
    taking,
    test_of_texts,
)
from logstream.query.expressions.nodes import Expression, Text
from logstream.query.expressions.time_functions import TIME_FUNCTIONS
from logstream.query.fragments import of
from logstream.query.regexps import Captured, captured
from logstream.query.values import (
    Typed,
    Value,
    as_boolean,
    as_number,
    as_text,
    converted,
    is_missing,
    typed,
)


def function_called(name: str) -> str:
    """What to say about a name that is none."""
    return f"there is no function {name}(){function_hint(name, FUNCTIONS)}"


def _coalesce(values: Sequence[Value], nodes: Sequence[Expression]) -> Typed:
    kind = common_kind(values, nodes)
    return Typed(call("coalesce", [converted(one, kind) for one in values]), kind)


def _if(values: Sequence[Value], nodes: Sequence[Expression]) -> Typed:
    """`if(test, then, else)`, `case(test, then, test, then, …, else)`."""
    has_else = len(values) % 2 == 1
    results = [*range(1, len(values), 2), *([len(values) - 1] if has_else else [])]
    kind = common_kind([values[at] for at in results], [nodes[at] for at in results])
    parts: list[Sql] = []
    text = "CASE"
    for at in range(0, len(values) - 1, 2):
        text += " WHEN {} THEN {}"
        parts += [as_boolean(values[at]), converted(values[at + 1], kind)]
    if has_else:
        text += " ELSE {}"
        parts.append(converted(values[-1], kind))
    return Typed(of(text + " END", *parts), kind)


def _null_if(values: Sequence[Value], _: Sequence[Expression]) -> Typed:
    value = typed(values[0])
    other = converted(values[1], value.kind)
    text = "CASE WHEN {} = {} THEN NULL ELSE {} END"
    return Typed(of(text, value.sql, other, value.sql), value.kind)


def _exists(values: Sequence[Value], _: Sequence[Expression]) -> Typed:
    return Typed(of("(NOT {})", is_missing(values[0])), "boolean")


def _is_null(values: Sequence[Value], _: Sequence[Expression]) -> Typed:
    return Typed(is_missing(values[0]), "boolean")


def _length(values: Sequence[Value], _: Sequence[Expression]) -> Typed:
    return Typed(of("length({})", as_text(values[0])), "integer")


def _split(values: Sequence[Value], _: Sequence[Expression]) -> Typed:
    sql = of(
        "nullif(split_part({}, {}, TRY_CAST({} AS INTEGER)), '')",
        as_text(values[0]),
        as_text(values[1]),
        as_number(values[2]),
    )
    return Typed(sql, "text")


def _substr(values: Sequence[Value], _: Sequence[Expression]) -> Typed:
    start = _position(values[1])
    if len(values) == 2:
        return Typed(of("substring({}, {})", as_text(values[0]), start), "text")
    length = _position(values[2])
    text = "substring({}, {}, {})"
    return Typed(of(text, as_text(values[0]), start, length), "text")


def _position(value: Value) -> Sql:
    """Beyond 32 bits it fails, and no text is as long."""
    number = as_number(value)
    return of("TRY_CAST(least(greatest({}, -2e9), 2e9) AS BIGINT)", number)


def _matches(values: Sequence[Value], nodes: Sequence[Expression]) -> Typed:
    made = _captured(nodes[1]).re2
    sql = of("regexp_matches({}, ?)", as_text(values[0]), made)
    return Typed(sql, "boolean")


def _found(values: Sequence[Value], nodes: Sequence[Expression]) -> Typed:
    """The first group, or all of it where there is none."""
    made = _captured(nodes[1])
    text = f"nullif(regexp_extract({{}}, ?, {min(1, len(made.names))}), '')"
    return Typed(of(text, as_text(values[0]), made.re2), "text")


def _captured(node: Expression) -> Captured:
    assert isinstance(node, Text)
    return captured(node.value)


def _round(values: Sequence[Value], _: Sequence[Expression]) -> Typed:
    number = as_number(values[0])
    if len(values) == 1:
        return Typed(of("round({})", number), "number")
    digits = of(
        "TRY_CAST(least(greatest({}, -15), 15) AS INTEGER)", as_number(values[1])
    )
    return Typed(of("round({}, {})", number, digits), "number")


_MANY = 100

FUNCTIONS: Final[dict[str, Function]] = {
    "abs": of_numbers("abs({})", "abs(x)"),
    "ceil": of_numbers("ceil({})", "ceil(x)"),
    "floor": of_numbers("floor({})", "floor(x)"),
    "round": Function(least=1, most=2, make=_round, shown="round(x) or round(x, 2)"),
    "sqrt": root("sqrt({})", ">= 0", "sqrt(x)"),
    "exp": growing("exp({})", "exp(x)"),
    "ln": root("ln({})", "> 0", "ln(x)"),
    "log10": root("log10({})", "> 0", "log10(x)"),
    "log2": root("log2({})", "> 0", "log2(x)"),
    "pow": growing("pow({}, {})", "pow(x, y)"),
    "least": Function(
        least=1,
        most=_MANY,
        make=joined("number", "least", "number"),
        shown="least(a, b, …)",
    ),
    "greatest": Function(
        least=1,
        most=_MANY,
        make=joined("number", "greatest", "number"),
        shown="greatest(a, b, …)",
    ),
    "lower": of_text("lower({})", "lower(text)"),
    "upper": of_text("upper({})", "upper(text)"),
    "trim": of_text("trim({})", "trim(text)"),
    "replace": of_text("replace({}, {}, {})", "replace(text, from, to)"),
    "md5": of_text("md5({})", "md5(text)"),
    "substr": Function(
        least=2, most=3, make=_substr, shown="substr(text, from 1) or with a length"
    ),
    "split": Function(
        least=3, most=3, make=_split, shown='split(text, "separator", part from 1)'
    ),
    "concat": Function(
        least=1,
        most=_MANY,
        make=joined("text", "concat", "text"),
        shown="concat(a, b, …)",
    ),
    "length": Function(least=1, most=1, make=_length, shown="length(text)"),
    "contains": test_of_texts("contains({}, {})", "contains(text, part)"),
    "starts_with": test_of_texts("starts_with({}, {})", "starts_with(text, part)"),
    "ends_with": test_of_texts("ends_with({}, {})", "ends_with(text, part)"),
    "matches": Function(
        least=2,
        most=2,
        make=_matches,
        shown='matches(text, "pattern")',
        constant=(1,),
        pattern=1,
    ),
    "find": Function(
        least=2,
        most=2,
        make=_found,
        shown='find(text, "pattern (group)")',
        constant=(1,),
        pattern=1,
    ),
    "text": Function(
        least=1, most=1, make=taking("text", "{}", "text"), shown="text(x)"
    ),
    "number": Function(
        least=1, most=1, make=taking("number", "{}", "number"), shown="number(x)"
    ),
    "if": Function(least=2, most=3, make=_if, shown="if(test, then, else)"),
    "case": Function(
        least=2, most=_MANY, make=_if, shown="case(test, then, test, then, …, else)"
    ),
    "coalesce": Function(
        least=1, most=_MANY, make=_coalesce, shown="coalesce(a, b, …)"
    ),
    "null_if": Function(least=2, most=2, make=_null_if, shown="null_if(a, b)"),
    "exists": Function(least=1, most=1, make=_exists, shown="exists(name)"),
    "is_null": Function(least=1, most=1, make=_is_null, shown="is_null(name)"),
    **TIME_FUNCTIONS,
}
