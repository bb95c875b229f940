"""What a leaf of the tree means: a condition with nothing left to decide.

Everything that depends on names, numbers, levels and times is settled here, once, so
that the two forms of a filter, SQL and Python, cannot disagree about it.
"""

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, assert_never

from logstream.core.errors import BadRequest
from logstream.core.timestamps import now_ns
from logstream.query.bounds import (
    ends_of,
    id_of,
    ids_between,
    level_named,
    levels_between,
    times_between,
)
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
from logstream.query.names import TIME_NAMES, Column, Path, Subject, subject_of
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


def condition_of(leaf: Leaf) -> Condition:
    """What the leaf means. Times that depend on now mean that of the call: fix them
    before, with `times.fixed_at`.

    Raises:
        BadRequest: nothing: the value is not of the name's kind, or over a limit.
    """
    if getattr(leaf, "field", None) in TIME_NAMES:
        return _meaning(leaf)
    return _kept(leaf)


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
            return IdIn(tuple(map(id_of, values)))
        case Column("level"):
            return OneOf(subject, _distinct(map(level_named, values)))
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
            return OneOf(subject, (level_named(value),))
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


def _between(subject: Subject, low: Bound | None, high: Bound | None) -> Condition:
    match subject:
        case Column("id"):
            return IdBetween(*ids_between(low, high))
        case Column("timestamp"):
            return TimeBetween(*times_between(low, high, now_ns()))
        case Column("level"):
            return OneOf(subject, levels_between(low, high))
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


def _bounded(glob: Glob) -> Glob:
    wildcards = sum(isinstance(part, Wild) for part in glob.parts)
    if wildcards > MAX_WILDCARDS:
        raise BadRequest(f"One value has at most {MAX_WILDCARDS} wildcards.")
    return glob


def _folded(glob: Glob) -> Glob:
    parts = _bounded(glob).parts
    return glob_of(*(fold(part) if isinstance(part, str) else part for part in parts))
