"""Values of the model: a kind and what it is, and what it reads as.

The kind `field` is of a value in `fields`, of which nobody knows what it is.
"""

import math
from collections.abc import Sequence
from typing import Any

from logstream.core.timestamps import format_ns
from logstream.query.expressions.nodes import Expression, Null
from logstream.query.numbers import number_of_text, text_of

V = tuple[str, Any]
NUMBERS = frozenset({"number", "integer", "duration"})

_TRUTHS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0"), False),
}


def text(value: V) -> str | None:
    kind, one = value
    if kind == "time":
        return None if one is None else format_ns(one)
    said = text_of(one)
    if said is not None and isinstance(one, float) and kind in NUMBERS:
        return said.removesuffix(".0")
    return said


def number(value: V) -> float | None:
    kind, one = value
    if one is None or isinstance(one, dict | list):
        return None
    if kind == "time":
        return float(one / 1e9)
    if isinstance(one, str):
        if kind == "field" and one in ("true", "false"):
            return float(one == "true")
        return number_of_text(one)
    return float(one)


def boolean(value: V) -> bool | None:
    kind, one = value
    if one is None:
        return None
    if isinstance(one, bool):
        return one
    if kind in NUMBERS or kind == "time":
        found = number(value)
        return None if found is None else found != 0
    said = text(value)
    return None if said is None else _TRUTHS.get(said.lower())


def typed(value: V) -> V:
    """As it is compared and grouped by."""
    return ("text", text(value)) if value[0] == "field" else value


def converted(value: V, kind: str) -> Any:
    if kind in NUMBERS:
        return number(value)
    if kind == "boolean":
        return boolean(value)
    if kind == "time":
        assert value[0] == "time"
        return value[1]
    return text(value)


def common(values: Sequence[V], nodes: Sequence[Expression]) -> str:
    """What several values can all be."""
    kinds = {
        one[0]
        for one, node in zip(values, nodes, strict=True)
        if one[0] != "field" and not isinstance(node, Null)
    }
    if not kinds:
        return "text"
    if len(kinds) == 1:
        found = kinds.pop()
        return "number" if found == "integer" else found
    return "number" if kinds <= NUMBERS else "text"


class Beyond(Exception):
    """What the model says nothing about: a number that is too large, and is not just
    compared or shown.
    """


def checked(value: V) -> V:
    if isinstance(value[1], float) and not math.isfinite(value[1]):
        raise Beyond
    return value


def finite(number: float | None) -> float | None:
    """What is too large, or no number, is null."""
    return number if number is None or math.isfinite(number) else None
