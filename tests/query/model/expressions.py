"""What expressions are, of a row."""

import math
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol

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
from tests.query.model.functions import called
from tests.query.model.values import (
    NUMBERS,
    V,
    boolean,
    checked,
    common,
    converted,
    finite,
    number,
    text,
)

_SIGNS = "+-*/%"
_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SUMS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": lambda one, other: math.nan if math.isinf(one) else math.fmod(one, other),
}


class Row(Protocol):
    def __getitem__(self, name: str) -> V: ...
    def among(self, query: object) -> Sequence[str | None]:
        """The first column of another query, as text."""
        ...


def value_of(node: Expression, row: Row) -> V:
    match node:
        case Name(name):
            return row[name]
        case Text(said):
            return ("text", said)
        case Number(size):
            return ("number", size)
        case Span(seconds):
            return ("duration", seconds)
        case Truth(truth):
            return ("boolean", truth)
        case Null():
            return ("text", None)
        case _:
            return _made(node, row)


def _made(node: Expression, row: Row) -> V:
    match node:
        case Call(name, arguments):
            return called(name, [value_of(one, row) for one in arguments], arguments)
        case Operation(sign) if sign not in _SIGNS:
            return ("boolean", truth_of(node, row))
        case Operation() | Negative():
            return checked(_operand(node, row))
        case _:
            return ("boolean", truth_of(node, row) is True)


def _operand(node: Expression, row: Row) -> V:
    """In between, a number may be infinite."""
    match node:
        case Operation(sign, left, right) if sign in _SIGNS:
            return _calculated(sign, _operand(left, row), _operand(right, row))
        case Negative(inner):
            value = _operand(inner, row)
            found = number(value)
            kind = "duration" if value[0] == "duration" else "number"
            return (kind, None if found is None else -found)
        case _:
            return value_of(node, row)


def truth_of(node: Expression, row: Row) -> bool | None:
    match node:
        case Every(terms):
            found = [truth_of(term, row) for term in terms]
            return False if False in found else None if None in found else True
        case Some(terms):
            found = [truth_of(term, row) for term in terms]
            return True if True in found else None if None in found else False
        case Negation(inner):
            return truth_of(inner, row) is not True
        case OneOf(one, options):
            values = [value_of(option, row) for option in options]
            return _one_of(value_of(one, row), values, options)
        case Among(one, query):
            return _in(text(value_of(one, row)), row.among(query))
        case Operation(sign, left, right) if sign not in _SIGNS:
            return _compared(sign, _operand(left, row), _operand(right, row))
        case _:
            return boolean(value_of(node, row))


def _in(value: Any, options: Sequence[Any]) -> bool | None:
    if not options:
        return False
    if value is None:
        return None
    if value in [one for one in options if one is not None]:
        return True
    return None if None in options else False


def _one_of(value: V, options: list[V], nodes: tuple[Expression, ...]) -> bool | None:
    kind = value[0]
    if kind in ("text", "field", "json"):
        kind = common(options, nodes)
    return _in(converted(value, kind), [converted(one, kind) for one in options])


def _compared(sign: str, left: V, right: V) -> bool | None:
    kinds = {side[0] for side in (left, right) if side[0] != "field"}
    if sign in ("~", "!~"):
        said = text(left)
        if said is None:
            return None
        return (re.search(right[1], said) is not None) == (sign == "~")
    if "time" in kinds:
        kind = "time"
    elif kinds & NUMBERS or (not kinds and sign not in ("=", "!=")):
        kind = "number"
    else:
        kind = "boolean" if "boolean" in kinds else "text"
    one, other = converted(left, kind), converted(right, kind)
    if kind == "number":
        one, other = finite(one), finite(other)
    return None if one is None or other is None else _TESTS[sign](one, other)


def _calculated(sign: str, left: V, right: V) -> V:
    kinds = [one[0] for one in (left, right)]
    if "time" in kinds:
        return _moved(sign, left, right)
    if sign == "+" and "text" in kinds:
        one, other = text(left), text(right)
        return ("text", None if one is None or other is None else one + other)
    kind = "duration" if _is_span(sign, kinds) else "number"
    first, second = number(left), number(right)
    if first is None or second is None or (sign in "/%" and second == 0):
        return (kind, None)
    return (kind, _SUMS[sign](first, second))


def _is_span(sign: str, kinds: list[str]) -> bool:
    plain = ["number" if one == "field" else one for one in kinds]
    if sign == "*":
        return sorted(plain) == ["duration", "number"]
    if sign == "/":
        return plain == ["duration", "number"]
    return "duration" in plain


def _moved(sign: str, left: V, right: V) -> V:
    assert left[0] == "time"
    if right[0] == "time":
        gap = None
        if left[1] is not None and right[1] is not None:
            gap = (left[1] - right[1]) / 1e9
        return ("duration", gap)
    by = number(right)
    if left[1] is None or by is None:
        return ("time", None)
    return ("time", round(_SUMS[sign](left[1], by * 1e9)))
