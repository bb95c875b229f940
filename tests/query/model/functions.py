"""The functions of expressions."""

import hashlib
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from logstream.query.expressions.nodes import Expression, Span
from tests.query.model.values import (
    V,
    boolean,
    common,
    converted,
    finite,
    number,
    text,
    typed,
)


def called(name: str, values: list[V], nodes: Sequence[Expression]) -> V:
    if name in _SPECIAL:
        return _SPECIAL[name](values, nodes)
    if name in _NUMERIC:
        found = _all_there(_NUMERIC[name], [number(one) for one in values])
        return ("number", finite(found))
    texts = [text(one) for one in values]
    if name in _TEXTUAL:
        return ("text", _all_there(_TEXTUAL[name], texts))
    return ("boolean", _all_there(_TESTS[name], texts))


def _all_there(function: Callable[..., Any], given: Sequence[Any]) -> Any:
    return None if None in given else function(*given)


def _if(values: list[V], nodes: Sequence[Expression]) -> V:
    results = [*range(1, len(values), 2)]
    if len(values) % 2 == 1:
        results.append(len(values) - 1)
    kind = common([values[at] for at in results], [nodes[at] for at in results])
    for at in range(0, len(values) - 1, 2):
        if boolean(values[at]):
            return (kind, converted(values[at + 1], kind))
    return (kind, converted(values[-1], kind) if len(values) % 2 == 1 else None)


def _coalesce(values: list[V], nodes: Sequence[Expression]) -> V:
    kind = common(values, nodes)
    found = [converted(one, kind) for one in values]
    return (kind, next((one for one in found if one is not None), None))


def _null_if(values: list[V], _: Sequence[Expression]) -> V:
    kind, one = typed(values[0])
    other = converted(values[1], kind)
    return (kind, None if one is not None and one == other else one)


def _edge(of: Callable[[list[float]], float]) -> Callable[..., V]:
    def found(values: list[V], _: Sequence[Expression]) -> V:
        there = [one for one in map(number, values) if one is not None]
        return ("number", of(there) if there else None)

    return found


def _bucket(values: list[V], nodes: Sequence[Expression]) -> V:
    if isinstance(nodes[1], Span):
        ns = values[0][1]
        span_ns = round(nodes[1].seconds * 1e9)
        return ("time", None if ns is None else bucket(ns, span_ns))
    one, size = number(values[0]), number(values[1])
    if one is None or size is None or size == 0:
        return ("number", None)
    return ("number", finite(_whole(math.floor)(one / size) * size))


def bucket(ns: int, span_ns: int) -> int:
    """Its begin; weeks begin on Monday."""
    offset = 345_600 * 10**9 if span_ns % (604_800 * 10**9) == 0 else 0
    return ns - (ns - offset) % span_ns


def _split(values: list[V], _: Sequence[Expression]) -> V:
    said, by, at = text(values[0]), text(values[1]), number(values[2])
    if said is None or by is None or at is None:
        return ("text", None)
    parts = said.split(by) if by else [said]
    place = round(at)
    if place == 0 or abs(place) > len(parts):
        return ("text", None)
    return ("text", parts[place - 1 if place > 0 else place] or None)


def _substr(values: list[V], _: Sequence[Expression]) -> V:
    said, first = text(values[0]), number(values[1])
    length = number(values[2]) if len(values) == 3 else math.inf
    if said is None or first is None or length is None:
        return ("text", None)
    assert first >= 1
    assert length >= 0
    start = round(first) - 1
    return (
        "text",
        said[start:] if length == math.inf else said[start:][: round(length)],
    )


def _round(values: list[V], _: Sequence[Expression]) -> V:
    one = number(values[0])
    digits = number(values[1]) if len(values) == 2 else 0
    if one is None or digits is None:
        return ("number", None)
    return ("number", rounded(one, round(digits)))


def rounded(one: float, digits: int) -> float:
    """Halves away from zero."""
    scale = 10.0**digits
    return math.copysign(_whole(math.floor)(abs(one) * scale + 0.5), one) / scale


def _part(name: str, values: list[V], _: Sequence[Expression]) -> V:
    if values[0][1] is None:
        return ("integer", None)
    when = datetime.fromtimestamp(values[0][1] // 10**9, UTC)
    part = when.isoweekday() if name == "weekday" else getattr(when, name)
    return ("integer", part)


def _whole(of: Callable[[float], int]) -> Callable[[float], float]:
    """What is large is whole already."""
    return lambda one: (
        one if not abs(one) < 2**53 else math.copysign(float(of(one)), one)
    )


def _either(test: Callable[[V], bool]) -> Callable[..., V]:
    return lambda values, _: ("boolean", test(values[0]))


_SPECIAL: dict[str, Callable[[list[V], Sequence[Expression]], V]] = {
    "if": _if,
    "case": _if,
    "coalesce": _coalesce,
    "null_if": _null_if,
    "is_null": _either(lambda value: value[1] is None),
    "exists": _either(lambda value: value[1] is not None),
    "least": _edge(min),
    "greatest": _edge(max),
    "bucket": _bucket,
    "split": _split,
    "substr": _substr,
    "round": _round,
    "concat": lambda values, _: ("text", "".join(text(one) or "" for one in values)),
    "length": lambda values, _: (
        "integer",
        None if (said := text(values[0])) is None else len(said),
    ),
    "number": lambda values, _: ("number", number(values[0])),
    "epoch": lambda values, _: ("number", number(values[0])),
    **{
        name: partial(_part, name)
        for name in ("year", "month", "day", "weekday", "hour", "minute")
    },
}


def _where(test: Callable[[float], bool], of: Callable[[float], float]) -> Any:
    return lambda one: of(one) if test(one) else None


_NUMERIC: dict[str, Callable[..., float | None]] = {
    "abs": abs,
    "floor": _whole(math.floor),
    "ceil": _whole(math.ceil),
    "sqrt": _where(lambda one: one >= 0, math.sqrt),
    "ln": _where(lambda one: one > 0, math.log),
    "log2": _where(lambda one: one > 0, math.log2),
    "log10": _where(lambda one: one > 0, math.log10),
}


def _replaced(said: str, old: str, new: str) -> str:
    return said.replace(old, new) if old else said


_TEXTUAL: dict[str, Callable[..., str]] = {
    "lower": str.lower,
    "upper": str.upper,
    "trim": lambda said: said.strip(" "),
    "text": str,
    "replace": _replaced,
    "md5": lambda said: hashlib.md5(said.encode()).hexdigest(),
}
_TESTS: dict[str, Callable[..., bool]] = {
    "contains": lambda said, part: part in said,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
}
