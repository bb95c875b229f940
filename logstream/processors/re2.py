r"""Python patterns that RE2, the engine of DuckDB, finds the same matches of.

A pattern is taken apart by Python's own parser and written anew for RE2, as far as both
engines surely agree: literals, classes, groups, alternatives, bounded and unbounded
repeats, `\b` and the ASCII meaning of `\d \w \s`. Both prefer the leftmost match, and
of those the first alternative. Whatever else there is makes it None: look-around, back
references, flags, `$`, and anything that can match the empty text, of which the engines
replace different ones.
"""

import re
from collections.abc import Iterable
from re import _constants as op  # type: ignore[attr-defined]  # no stub has it
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

_MAX_ROUNDS = 500
"""Of nested repeats together: RE2 refuses 1000."""
_SURROGATES = range(0xD800, 0xE000)
_CLASSES = {
    op.CATEGORY_DIGIT: "0-9",
    op.CATEGORY_NOT_DIGIT: r"\D",
    op.CATEGORY_WORD: "0-9A-Za-z_",
    op.CATEGORY_NOT_WORD: r"\W",
    # RE2's own \s lacks the vertical tab, so there is no class for \S.
    op.CATEGORY_SPACE: r"\t\n\v\f\r ",
}
_PLACES = {op.AT_BOUNDARY: r"\b", op.AT_NON_BOUNDARY: r"\B"}


class _Unlike(Exception):
    """The engines may differ."""


def to_re2(pattern: str) -> str | None:
    """The pattern for RE2; None: it is not sure to find the same.

    Args:
        pattern: Compiles, with `re.ASCII`.
    """
    parsed = parser.parse(pattern, re.ASCII)
    if parsed.state.flags & ~re.ASCII.value or parsed.getwidth()[0] == 0:
        return None
    try:
        return _all(parsed, 1)
    except _Unlike:
        return None


def _all(items: Iterable[Any], rounds: int) -> str:
    return "".join(_one(code, argument, rounds) for code, argument in items)


def _one(code: Any, argument: Any, rounds: int) -> str:
    match code:
        case op.LITERAL:
            return _character(argument)
        case op.NOT_LITERAL:
            return f"[^{_character(argument)}]"
        case op.ANY:
            return r"[^\n]"
        case op.IN:
            return _class(argument)
        case op.AT if argument in _PLACES:
            return _PLACES[argument]
        case op.MAX_REPEAT | op.MIN_REPEAT:
            return _repeat(argument, rounds, lazy=code is op.MIN_REPEAT)
        case op.SUBPATTERN:
            _, added, removed, body = argument
            if not (added or removed):
                return f"(?:{_all(body, rounds)})"
        case op.BRANCH:
            return f"(?:{'|'.join(_all(body, rounds) for body in argument[1])})"
        case _:
            pass
    raise _Unlike


def _repeat(argument: Any, rounds: int, *, lazy: bool) -> str:
    low, high, body = argument
    rounds *= max(low, 1 if high is op.MAXREPEAT else high, 1)
    if rounds > _MAX_ROUNDS or body.getwidth()[0] == 0:
        raise _Unlike
    upper = "" if high is op.MAXREPEAT else high
    return f"(?:{_all(body, rounds)}){{{low},{upper}}}{'?' if lazy else ''}"


def _class(items: Iterable[Any]) -> str:
    parts: list[str] = []
    for code, argument in items:
        match code:
            case op.NEGATE:
                parts.append("^")
            case op.LITERAL:
                parts.append(_character(argument))
            case op.RANGE:
                low, high = argument
                parts.append(f"{_character(low)}-{_character(high)}")
            case op.CATEGORY if argument in _CLASSES:
                parts.append(_CLASSES[argument])
            case _:
                raise _Unlike
    return f"[{''.join(parts)}]"


def _character(code: int) -> str:
    if code in _SURROGATES:
        raise _Unlike
    return rf"\x{{{code:x}}}"
