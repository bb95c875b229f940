"""What a leaf of the tree means: a condition with nothing left to decide.

Everything that depends on names, numbers, levels and times is settled here, once, so
that the two forms of a filter, SQL and Python, cannot disagree about it.
"""

import math
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, assert_never

from logstream.core.errors import BadRequest
from logstream.core.levels import LEVELS, level_of
from logstream.core.timestamps import MAX_NS, MIN_NS, now_ns
from logstream.query.conditions import (
    Absent,
    Always,
    Condition,
    Either,
    Fits,
    IdBetween,
    IdIn,
    InAnyField,
    InNetwork,
    Like,
    NumberBetween,
    OneOf,
    Present,
    QuantityBetween,
    Speaks,
    TextBetween,
    TimeBetween,
)
from logstream.query.folding import fold
from logstream.query.glob import Glob, Wild, glob_of
from logstream.query.instants import back_from, covered, is_length
from logstream.query.names import Column, Path, Subject, subject_of
from logstream.query.networks import network_of
from logstream.query.nodes import (
    All,
    Anywhere,
    Bound,
    Compare,
    Exists,
    In,
    Leaf,
    Match,
    Operator,
    Range,
    Regex,
    Says,
)
from logstream.query.numbers import LARGEST, number_of_text, spellings
from logstream.query.quantities import quantity_of, scale_of
from logstream.query.regexps import Pattern, pattern_of

MAX_WILDCARDS = 100
"""In one word or value."""

NULL: Final = "null"
"""As a value, it also finds a field that is missing or null."""

_LARGEST_ID = 2**63 - 1
_ID = re.compile(r"[0-9]{1,19}")


def condition_of(leaf: Leaf) -> Condition:
    """What the leaf means. Times that depend on now mean that of the call: fix them
    before, with `times.fixed_at`.

    Raises:
        BadRequest: nothing: the value is not of the name's kind, or over a limit.
    """
    if getattr(leaf, "field", None) in _OF_NOW:
        return _meaning(leaf)
    return _kept(leaf)


_OF_NOW = ("timestamp", "_time")
_KEPT = 512
"""Meanings that are kept: a query asks for that of each leaf half a dozen times."""


def _meaning(leaf: Leaf) -> Condition:
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
        case Compare(field, operator, value):
            return _compare(subject_of(field), operator, value)
        case Range(field, low, high):
            return _between(subject_of(field), low, high)
        case In(field, values):
            return _in(subject_of(field), values)
        case Regex(field, pattern, flags):
            return _fits(subject_of(field), pattern_of(pattern, flags))
        case Anywhere(glob):
            return _anywhere(_bounded(glob))
        case _:
            assert_never(leaf)


_kept = lru_cache(_KEPT)(_meaning)


def _match(subject: Subject, glob: Glob) -> Condition:
    literal = glob.literal
    match subject:
        case Column("message") if glob.parts:
            return Speaks(_folded(glob))
        case Column("id" | "timestamp") if literal is None:
            raise BadRequest(f"{subject.name} takes no wildcards: compare it.")
        case Column("level") if literal is None:
            return Like(subject, _folded(glob))
        case Column("timestamp"):
            return _between(subject, Bound(literal or ""), Bound(literal or ""))
        case Path() if literal is not None:
            return _value(subject, literal)
        case _:
            if literal is None:
                return Like(subject, glob)
            return _equals(subject, literal)


def _value(path: Path, text: str) -> Condition:
    network = network_of(text)
    if network is not None:
        return InNetwork(path, text, network)
    texts = OneOf(path, spellings(text))
    return Either((texts, Absent(path))) if text == NULL else texts


def _in(subject: Subject, values: tuple[str, ...]) -> Condition:
    match subject:
        case Column("timestamp"):
            raise BadRequest("timestamp takes no list: compare it.")
        case Column("id"):
            return IdIn(tuple(map(_id, values)))
        case Column("level"):
            return OneOf(subject, _distinct(map(_level, values)))
        case Column():
            return OneOf(subject, _distinct(values))
        case _:
            pass
    networks = [
        InNetwork(subject, value, network)
        for value in values
        if (network := network_of(value)) is not None
    ]
    texts = OneOf(subject, _distinct(text for v in values for text in spellings(v)))
    null = (Absent(subject),) if NULL in values else ()
    return Either((texts, *networks, *null)) if networks or null else texts


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _fits(subject: Subject, pattern: Pattern) -> Condition:
    if isinstance(subject, Column) and subject.name in ("id", "timestamp"):
        raise BadRequest(f"{subject.name} takes no regular expression: compare it.")
    return Fits(subject, pattern)


def _anywhere(glob: Glob) -> Condition:
    text = glob.literal
    found: list[Condition] = [Speaks(_folded(glob))]
    found += [_match(Column(name), glob) for name in ("source", "level")]
    texts = () if text is None else spellings(text)
    found.append(InAnyField(texts, glob if text is None else None))
    return Either(tuple(found))


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


def _compare(subject: Subject, operator: Operator, value: str) -> Condition:
    if operator == "=":
        return _equals(subject, value)
    return _between(subject, *ends_of(operator, value))


def ends_of(operator: Operator, value: str) -> tuple[Bound | None, Bound | None]:
    bound = Bound(value, inclusive=operator in (">=", "<="))
    return (bound, None) if operator[0] == ">" else (None, bound)


def _between(subject: Subject, low: Bound | None, high: Bound | None) -> Condition:
    match subject:
        case Column("id"):
            return IdBetween(*_ids(low, high))
        case Column("timestamp"):
            return TimeBetween(*times_between(low, high, now_ns()))
        case Column("level"):
            return OneOf(subject, _levels_between(low, high))
        case Path():
            return (
                _numbers(subject, low, high)
                or _quantities(subject, low, high)
                or TextBetween(subject, low, high)
            )
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


def _quantities(
    path: Path, low: Bound | None, high: Bound | None
) -> QuantityBetween | None:
    found = [quantity_of(end.value) for end in (low, high) if end is not None]
    kinds = {None if one is None else one.kind for one in found}
    kind = kinds.pop()
    if kind is None or kinds:
        return None
    values = [one.value for one in found if one is not None]
    least = -LARGEST if low is None else values[0]
    most = LARGEST if high is None else values[-1]
    if low is not None and not low.inclusive:
        least = math.nextafter(least, math.inf)
    if high is not None and not high.inclusive:
        most = math.nextafter(most, -math.inf)
    return QuantityBetween(path, kind, scale_of(path.name, kind), least, most)


def times_between(low: Bound | None, high: Bound | None, now: int) -> tuple[int, int]:
    """Both ends belong to it."""
    if low is not None and low == high and is_length(low.value):
        return back_from(low.value, now), now
    least, most = MIN_NS, MAX_NS
    if low is not None:
        first, last = covered(low.value, now)
        least = first if low.inclusive else last + 1
    if high is not None:
        first, last = covered(high.value, now)
        most = last if high.inclusive else first - 1
    return least, most


def _ids(low: Bound | None, high: Bound | None) -> tuple[int, int]:
    least, most = 0, _LARGEST_ID
    if low is not None:
        least = _id(low.value) + (0 if low.inclusive else 1)
    if high is not None:
        most = _id(high.value) - (0 if high.inclusive else 1)
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


def _bounded(glob: Glob) -> Glob:
    wildcards = sum(isinstance(part, Wild) for part in glob.parts)
    if wildcards > MAX_WILDCARDS:
        raise BadRequest(f"One value has at most {MAX_WILDCARDS} wildcards.")
    return glob


def _folded(glob: Glob) -> Glob:
    parts = _bounded(glob).parts
    return glob_of(*(fold(part) if isinstance(part, str) else part for part in parts))
