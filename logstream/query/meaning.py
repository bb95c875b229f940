"""What a leaf of the tree means: a condition with nothing left to decide.

Everything that depends on names, numbers, levels and times is settled here, once, so
that the two forms of a filter, SQL and Python, cannot disagree about it.
"""

import math
import re
from collections.abc import Callable
from typing import assert_never

import msgspec

from logstream.core.errors import BadRequest
from logstream.core.levels import LEVELS, level_of
from logstream.core.timestamps import MAX_NS, MIN_NS, TimestampError, parse_ns
from logstream.query.folding import fold
from logstream.query.glob import Glob, Wild, glob_of
from logstream.query.names import Column, Path, Subject, subject_of
from logstream.query.nodes import (
    All,
    Bound,
    Compare,
    Exists,
    Leaf,
    Match,
    Operator,
    Range,
    Says,
)
from logstream.query.numbers import LARGEST, number_of_text, spellings

MAX_WILDCARDS = 100
"""In one word or value."""

_LARGEST_ID = 2**63 - 1
_ID = re.compile(r"[0-9]{1,19}")


class Always(msgspec.Struct, frozen=True):
    """Whatever the entry is."""


class Speaks(msgspec.Struct, frozen=True):
    """The message holds the words. `glob` is folded."""

    glob: Glob


class Present(msgspec.Struct, frozen=True):
    """A value is there, of any kind but null."""

    path: Path


class OneOf(msgspec.Struct, frozen=True):
    """The value's text is one of these."""

    subject: Subject
    texts: tuple[str, ...]


class Like(msgspec.Struct, frozen=True):
    """The whole of the value's text fits the pattern, which has wildcards."""

    subject: Subject
    glob: Glob


class TextBetween(msgspec.Struct, frozen=True):
    """The value's text lies between, by code points. At least one end is given."""

    subject: Subject
    low: Bound | None
    high: Bound | None


class NumberBetween(msgspec.Struct, frozen=True):
    """The value is a finite number, or a text that is one, from low to high."""

    path: Path
    low: float
    high: float


class IdBetween(msgspec.Struct, frozen=True):
    low: int
    high: int


class TimeBetween(msgspec.Struct, frozen=True):
    low_ns: int
    high_ns: int


Condition = (
    Always
    | Speaks
    | Present
    | OneOf
    | Like
    | TextBetween
    | NumberBetween
    | IdBetween
    | TimeBetween
)


def condition_of(leaf: Leaf) -> Condition:
    """What the leaf means.

    Raises:
        BadRequest: nothing: the value is not of the name's kind, or over a limit.
    """
    match leaf:
        case All():
            return Always()
        case Says(glob):
            return Speaks(_folded(glob))
        case Exists(field):
            subject = subject_of(field)
            return Always() if isinstance(subject, Column) else Present(subject)
        case Match(field, glob):
            return _match(subject_of(field), _bounded(glob))
        case Compare(field, "=", value):
            return _equals(subject_of(field), value)
        case Compare(field, operator, value):
            low, high = _ends(operator, value)
            return _between(subject_of(field), low, high)
        case Range(field, low, high):
            return _between(subject_of(field), low, high)
        case _:
            assert_never(leaf)


def _match(subject: Subject, glob: Glob) -> Condition:
    literal = glob.literal
    match subject:
        case Column("message") if glob.parts:
            return Speaks(_folded(glob))
        case Column("id" | "timestamp") if literal is None:
            raise BadRequest(f"{subject.name} takes no wildcards: compare it.")
        case Column("level") if literal is None:
            return Like(subject, _folded(glob))
        case Path() if literal is not None:
            return OneOf(subject, spellings(literal))
        case _:
            if literal is None:
                return Like(subject, glob)
            return _equals(subject, literal)


def _equals(subject: Subject, value: str) -> Condition:
    match subject:
        case Column("level"):
            return OneOf(subject, (_level(value),))
        case Column("source" | "message"):
            return OneOf(subject, (value,))
        case Path() if number_of_text(value) is None:
            return OneOf(subject, (value,))
        case _:
            return _between(subject, Bound(value), Bound(value))


def _ends(operator: Operator, value: str) -> tuple[Bound | None, Bound | None]:
    bound = Bound(value, inclusive=operator in (">=", "<="))
    return (bound, None) if operator[0] == ">" else (None, bound)


def _between(subject: Subject, low: Bound | None, high: Bound | None) -> Condition:
    match subject:
        case Column("id"):
            return IdBetween(*_whole_ends(low, high, _id, 0, _LARGEST_ID))
        case Column("timestamp"):
            return TimeBetween(*_whole_ends(low, high, _ns, MIN_NS, MAX_NS))
        case Column("level"):
            return OneOf(subject, _levels_between(low, high))
        case Path():
            return _numbers(subject, low, high) or TextBetween(subject, low, high)
        case _:
            return TextBetween(subject, low, high)


def _numbers(path: Path, low: Bound | None, high: Bound | None) -> NumberBetween | None:
    least = -LARGEST if low is None else number_of_text(low.value)
    most = LARGEST if high is None else number_of_text(high.value)
    if least is None or most is None:
        return None
    if low is not None and not low.inclusive:
        least = math.nextafter(least, math.inf)
    if high is not None and not high.inclusive:
        most = math.nextafter(most, -math.inf)
    return NumberBetween(path, least, most)


def _whole_ends(
    low: Bound | None,
    high: Bound | None,
    read: Callable[[str], int],
    least: int,
    most: int,
) -> tuple[int, int]:
    if low is not None:
        least = read(low.value) + (0 if low.inclusive else 1)
    if high is not None:
        most = read(high.value) - (0 if high.inclusive else 1)
    return least, most


def _levels_between(low: Bound | None, high: Bound | None) -> tuple[str, ...]:
    first, after = 0, len(LEVELS)
    if low is not None:
        first = _rank(low.value) + (0 if low.inclusive else 1)
    if high is not None:
        after = _rank(high.value) + (1 if high.inclusive else 0)
    return LEVELS[first:after]


def _rank(name: str) -> int:
    level = _level(name)
    if level not in LEVELS:
        raise BadRequest(f"Only these levels have an order: {', '.join(LEVELS)}.")
    return LEVELS.index(level)


def _level(name: str) -> str:
    """The level that a name means. A name that means none is compared as it is."""
    return (level_of(name) if name.strip() else None) or fold(name)


def _id(value: str) -> int:
    number = int(value) if _ID.fullmatch(value) else _LARGEST_ID + 1
    if number > _LARGEST_ID:
        raise BadRequest(
            "An id is a whole number below 2^63; a field of that name is fields.id."
        )
    return number


def _ns(value: str) -> int:
    try:
        return parse_ns(value)
    except TimestampError as error:
        raise BadRequest(
            f"This time {error}: write it as 2025-05-01T00:00:00Z or 2025-05-01."
        ) from None


def _bounded(glob: Glob) -> Glob:
    wildcards = sum(isinstance(part, Wild) for part in glob.parts)
    if wildcards > MAX_WILDCARDS:
        raise BadRequest(f"One value has at most {MAX_WILDCARDS} wildcards.")
    return glob


def _folded(glob: Glob) -> Glob:
    parts = _bounded(glob).parts
    return glob_of(*(fold(part) if isinstance(part, str) else part for part in parts))
