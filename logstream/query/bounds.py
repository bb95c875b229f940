"""Bounds: the ends of what is asked for, of times, ids and levels."""

import re

from logstream.core.errors import BadRequest
from logstream.core.levels import LEVELS, level_of
from logstream.core.timestamps import MAX_NS, MIN_NS
from logstream.query.folding import fold
from logstream.query.instants import back_from, covered, is_length
from logstream.query.nodes import Bound, Operator

_LARGEST_ID = 2**63 - 1
_ID = re.compile(r"[0-9]{1,19}")


def ends_of(operator: Operator, value: str) -> tuple[Bound | None, Bound | None]:
    bound = Bound(value, inclusive=operator in (">=", "<="))
    return (bound, None) if operator[0] == ">" else (None, bound)


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


def ids_between(low: Bound | None, high: Bound | None) -> tuple[int, int]:
    least, most = 0, _LARGEST_ID
    if low is not None:
        least = id_of(low.value) + (0 if low.inclusive else 1)
    if high is not None:
        most = id_of(high.value) - (0 if high.inclusive else 1)
    return least, most


def levels_between(low: Bound | None, high: Bound | None) -> tuple[str, ...]:
    first, after = 0, len(LEVELS)
    if low is not None:
        first = _rank(low.value) + (0 if low.inclusive else 1)
    if high is not None:
        after = _rank(high.value) + (1 if high.inclusive else 0)
    return LEVELS[first:after]


def _rank(name: str) -> int:
    level = level_named(name)
    if level not in LEVELS:
        raise BadRequest(f"Only these levels have an order: {', '.join(LEVELS)}.")
    return LEVELS.index(level)


def level_named(name: str) -> str:
    """The level that a name means. A name that means none is compared as it is."""
    return (level_of(name) if name.strip() else None) or fold(name)


def id_of(value: str) -> int:
    number = int(value) if _ID.fullmatch(value) else _LARGEST_ID + 1
    if number > _LARGEST_ID:
        raise BadRequest(
            "An id is a whole number below 2^63; a field of that name is fields.id."
        )
    return number
