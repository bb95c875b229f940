r"""Regular expressions that mean the same to every engine, and take linear time.

A pattern is read by Python's own parser and taken apart into a small tree, in which
each character class is a list of ranges of code points. From it come the text for RE2,
where nothing is left to how an engine reads `\s`, `$` or case, and the automaton that
matches in Python (see `automaton`). What does not fit into the tree is refused:
look-around, back references, atomic groups, flags inside.

In a filter, what counts is only whether there is a match: groups are dropped, and
greedy and lazy are the same. `captured` keeps both.
"""

import re
import warnings
from collections.abc import Iterable
from functools import lru_cache
from re import _constants as op  # type: ignore[attr-defined]  # no stub has it
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Literal

import msgspec

from logstream.core.errors import BadRequest

MAX_CHARS = 1_000
MAX_STEPS = 2_000
"""Of the automaton, with repeats written out. RE2 takes about 20 times as many."""
MAX_REPEAT = 1_000
"""RE2's own limit, of nested repeats together."""
_MAX_NESTING = 50

Ranges = tuple[tuple[int, int], ...]
Place = Literal["start", "end", "boundary", "inside"]

_LEADING_FLAGS = re.compile(r"\(\?([is]+)\)")
_LAST = 0x10FFFF
_NEWLINE = ((10, 10),)
_DIGIT: Ranges = ((48, 57),)
_WORD: Ranges = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACE: Ranges = ((9, 13), (32, 32))


class Chars(msgspec.Struct, frozen=True):
    """One character, out of these."""

    ranges: Ranges


class At(msgspec.Struct, frozen=True):
    """No character, but a place."""

    place: Place


class Sequence(msgspec.Struct, frozen=True):
    parts: "tuple[Pattern, ...]"


class Choice(msgspec.Struct, frozen=True):
    parts: "tuple[Pattern, ...]"


class Repeat(msgspec.Struct, frozen=True):
    part: "Pattern"
    least: int
    most: int | None
    is_lazy: bool = False


class Group(msgspec.Struct, frozen=True):
    """What it finds is wanted."""

    part: "Pattern"


Pattern = Chars | At | Sequence | Choice | Repeat | Group


class Captured(msgspec.Struct, frozen=True):
    """A pattern that is there to take something out of a text."""

    re2: str
    names: tuple[str | None, ...]
    """Of its groups."""


_PLACES: dict[Any, Place] = {
    op.AT_BEGINNING: "start",
    op.AT_BEGINNING_STRING: "start",
    op.AT_END: "end",
    op.AT_END_STRING: "end",
    op.AT_BOUNDARY: "boundary",
    op.AT_NON_BOUNDARY: "inside",
}
_INSIDE = r"\B"
_RE2_PLACES = {"start": r"\A", "end": r"\z", "boundary": r"\b", "inside": _INSIDE}


@lru_cache(maxsize=256)
def pattern_of(text: str, flags: str) -> Pattern:
    """Take a pattern apart.

    Args:
        flags: Of `i` and `s`.

    Raises:
        BadRequest: it is none, or has what is not supported, or is too large.
    """
    return _checked(_Reading("i" in flags, "s" in flags).all(_parsed(text), 1, 0))


@lru_cache(maxsize=256)
def captured(text: str) -> Captured:
    """A pattern with its groups; its flags stand in front of it, as in `(?i)x`.

    Raises:
        BadRequest: as `pattern_of`.
    """
    found = _LEADING_FLAGS.match(text)
    flags, text = (found[1], text[found.end() :]) if found else ("", text)
    parsed = _parsed(text)
    made = _Reading("i" in flags, "s" in flags, keeps=True).all(parsed, 1, 0)
    names: list[str | None] = [None] * (parsed.state.groups - 1)
    for name, number in parsed.state.groupdict.items():
        names[number - 1] = name
    return Captured(re2_of(_checked(made)), tuple(names))


def _parsed(text: str) -> Any:
    if len(text) > MAX_CHARS:
        raise BadRequest(f"A regular expression has at most {MAX_CHARS} characters.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about sets of sets, which we have not
            parsed = parser.parse(text, re.ASCII)
    except re.error as error:
        raise BadRequest(f"This is no regular expression: {error}.") from None
    except (RecursionError, OverflowError):
        raise BadRequest("This regular expression is nested too deeply.") from None
    if parsed.state.flags & ~re.ASCII.value:
        raise BadRequest(
            "Flags of a regular expression are i and s, in front of it or behind: "
            "(?i)x or /x/i."
        )
    return parsed


def _checked(pattern: Pattern) -> Pattern:
    if steps_of(pattern) > MAX_STEPS:
        raise BadRequest("This regular expression is too large: repeat less.")
    return pattern


class _Reading:
    def __init__(self, any_case: bool, all_dots: bool, *, keeps: bool = False) -> None:
        self._any_case = any_case
        self._dot = () if all_dots else _NEWLINE
        self._keeps = keeps

    def all(self, items: Iterable[Any], rounds: int, depth: int) -> Pattern:
        if depth > _MAX_NESTING:
            raise BadRequest("This regular expression is nested too deeply.")
        parts = [self._one(code, given, rounds, depth) for code, given in items]
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _one(self, code: Any, given: Any, rounds: int, depth: int) -> Pattern:
        match code:
            case op.LITERAL:
                return self._chars(((given, given),))
            case op.NOT_LITERAL:
                return Chars(_negated(self._chars(((given, given),)).ranges))
            case op.ANY:
                return Chars(_negated(self._dot))
            case op.IN:
                return self._class(given)
            case op.AT if given in _PLACES:
                return At(_PLACES[given])
            case op.MAX_REPEAT | op.MIN_REPEAT:
                low, high, body = given
                most = None if high is op.MAXREPEAT else int(high)
                rounds *= max(low, most or 1, 1)
                if rounds > MAX_REPEAT:
                    raise BadRequest(f"Repeats go up to {MAX_REPEAT}, all together.")
                is_lazy = self._keeps and code is op.MIN_REPEAT
                return Repeat(self.all(body, rounds, depth + 1), low, most, is_lazy)
            case op.SUBPATTERN if not (given[1] or given[2]):
                part = self.all(given[3], rounds, depth + 1)
                return Group(part) if self._keeps and given[0] is not None else part
            case op.BRANCH:
                return Choice(
                    tuple(self.all(body, rounds, depth + 1) for body in given[1])
                )
            case _:
                raise BadRequest(
                    "Regular expressions have no look-around, back references, atomic "
                    "groups or flags inside: they take linear time."
                )

    def _chars(self, ranges: Iterable[tuple[int, int]]) -> Chars:
        found = list(ranges)
        if self._any_case:
            found += [folded for pair in found for folded in _other_case(pair)]
        return Chars(_normal(found))

    def _class(self, items: Iterable[Any]) -> Chars:
        ranges: list[tuple[int, int]] = []
        negated = False
        for code, given in items:
            match code:
                case op.NEGATE:
                    negated = True
                case op.LITERAL:
                    ranges.append((given, given))
                case op.RANGE:
                    ranges.append(given)
                case op.CATEGORY:
                    ranges += _category(given)
                case _:
                    raise BadRequest("This set of characters is not supported.")
        chars = self._chars(ranges)
        return Chars(_negated(chars.ranges)) if negated else chars


def _category(code: Any) -> Ranges:
    match code:
        case op.CATEGORY_DIGIT:
            return _DIGIT
        case op.CATEGORY_NOT_DIGIT:
            return _negated(_DIGIT)
        case op.CATEGORY_WORD:
            return _WORD
        case op.CATEGORY_NOT_WORD:
            return _negated(_WORD)
        case op.CATEGORY_SPACE:
            return _SPACE
        case _:
            return _negated(_SPACE)


def _other_case(pair: tuple[int, int]) -> list[tuple[int, int]]:
    """Of letters a-z in a range; of any letter that stands alone."""
    low, high = pair
    if low == high:
        swapped = (chr(low).lower(), chr(low).upper())
        return [(ord(one), ord(one)) for one in swapped if len(one) == 1]
    found = []
    for first, last, shift in ((65, 90, 32), (97, 122, -32)):
        least, most = max(low, first), min(high, last)
        if least <= most:
            found.append((least + shift, most + shift))
    return found


def _normal(ranges: Iterable[tuple[int, int]]) -> Ranges:
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return tuple(found)


def _negated(ranges: Ranges) -> Ranges:
    found = []
    at = 0
    for low, high in ranges:
        if low > at:
            found.append((at, low - 1))
        at = high + 1
    if at <= _LAST:
        found.append((at, _LAST))
    return tuple(found)


def steps_of(pattern: Pattern) -> int:
    """How many steps the automaton has, at least."""
    match pattern:
        case Sequence(parts) | Choice(parts):
            return 1 + sum(map(steps_of, parts))
        case Repeat(part, least, most):
            return 1 + (steps_of(part) + 1) * max(least + (most is None), most or 0)
        case Group(part):
            return steps_of(part)
        case _:
            return 1


def found_by_re2(pattern: Pattern) -> str:
    r"""The text that RE2 takes to look for it in a text.

    RE2 goes by bytes: between those of one character, none of a word, is a `\B`. So
    what may be nothing but that has to come behind a whole character.
    """
    text = re2_of(pattern)
    if _INSIDE in text and _may_be_inside(pattern):
        return rf"(?s:\A|.)(?:{text})"
    return text


def _may_be_inside(pattern: Pattern) -> bool:
    r"""Whether it matches where there is nothing but a `\B`."""
    match pattern:
        case Chars():
            return False
        case At(place):
            return place == "inside"
        case Sequence(parts):
            return all(map(_may_be_inside, parts))
        case Choice(parts):
            return any(map(_may_be_inside, parts))
        case Repeat(part, least):
            return least == 0 or _may_be_inside(part)
        case Group(part):
            return _may_be_inside(part)


def re2_of(pattern: Pattern) -> str:
    """The text that RE2 takes, for a partial match."""
    match pattern:
        case Chars(ranges):
            return _re2_class(ranges)
        case At(place):
            return _RE2_PLACES[place]
        case Sequence(parts):
            return f"(?:{''.join(map(re2_of, parts))})"
        case Choice(parts):
            return f"(?:{'|'.join(map(re2_of, parts))})"
        case Repeat(part, least, most, is_lazy):
            times = f"{{{least},{'' if most is None else most}}}"
            return f"(?:{re2_of(part)}){times}{'?' * is_lazy}"
        case Group(part):
            return f"({re2_of(part)})"


def _re2_class(ranges: Ranges) -> str:
    if not ranges:
        return r"[^\x{0}-\x{10ffff}]"
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return rf"\x{{{ranges[0][0]:x}}}"
    pairs = (rf"\x{{{low:x}}}-\x{{{high:x}}}" for low, high in ranges)
    return f"[{''.join(pairs)}]"
