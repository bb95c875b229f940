"""Tests of a field as a number, in SQL that may fail: see `field_sql` on its forms.

They are pushed down into the column of a field as long as nothing is computed from its
value. So of `took_ms:>250ms` it is the ends that are computed: 6 ms for 2 000 000
entries instead of 7, and of whole numbers 3 ms instead of 4 as doubles.
"""

import math

from logstream.core.doubts import unless
from logstream.core.sql import TRUE, Sql
from logstream.query.field_sql import extract_first, others
from logstream.query.fragments import FALSE, of
from logstream.query.names import Path
from logstream.query.numbers import EXACT, LARGEST

_STEPS = 8
"""From a quotient to the number that, multiplied, is on the other side of an end."""
_TOO_LARGE = 2.0**64
"""No whole number that is stored as one is."""


def between(path: Path, low: float, high: float, *, nullable: bool) -> Sql:
    """Whether it is a number from low to high; NULL for FALSE only if that may be."""
    value = of("{}::DOUBLE", extract_first(path))
    test = of("{} BETWEEN ? AND ?", value, low, high)
    if low <= 0 <= high or low <= 1 <= high:
        test = of("{} AND {}", test, _no_truth(path))
    test = never_null(test, value, nullable=nullable)
    if (whole := _whole_between(path, low, high, nullable=nullable)) is None:
        return test
    return unless(others(path, "whole"), test, whole)


def scaled_between(
    path: Path, scale: float, low: float, high: float, *, nullable: bool
) -> Sql:
    """The same of it, multiplied."""
    if (ends := _divided(scale, low, high)) is not None:
        return between(path, *ends, nullable=nullable)
    value = of("{}::DOUBLE", extract_first(path))
    test = of("{} * ? BETWEEN ? AND ?", value, scale, low, high)
    if low <= max(0.0, scale) and high >= 0:
        test = of("{} AND {}", test, _no_truth(path))
    return never_null(test, value, nullable=nullable)


def one_of(path: Path, numbers: tuple[float, ...], *, nullable: bool) -> Sql:
    """Whether it is one of these, which a double has exactly; of numbers alone."""
    value = of("{}::DOUBLE", extract_first(path))
    test = of(f"{{}} IN ({', '.join('?' for _ in numbers)})", value, *numbers)
    test = never_null(test, value, nullable=nullable)
    if len(numbers) > 1 or not 0 <= numbers[0] < EXACT or not numbers[0].is_integer():
        return test
    value = of("{}::UBIGINT", extract_first(path))
    whole = of("{} = ?", value, int(numbers[0]))
    return unless(
        others(path, "whole"), test, never_null(whole, value, nullable=nullable)
    )


def never_null(test: Sql, value: Sql, *, nullable: bool) -> Sql:
    """NULL of the value makes it FALSE; so said, both are pushed down, with smallest
    and largest value, as they are not by coalesce.
    """
    return test if nullable else of("{} AND {} IS NOT NULL", test, value)


def _no_truth(path: Path) -> Sql:
    """It would cast to 0 or 1, and is no number to us."""
    test = of("{}::VARCHAR NOT IN ('true', 'false')", extract_first(path))
    return unless(others(path, "number"), test, TRUE)


def _whole_between(
    path: Path, low: float, high: float, *, nullable: bool
) -> Sql | None:
    """Of whole numbers; None: compared as doubles, some are equal to an end that are
    not.
    """
    if low > EXACT or EXACT <= high < _TOO_LARGE:
        return None
    least = max(0, math.ceil(low))
    most = None if high >= EXACT else math.floor(high)
    if most is not None and most < least:
        return FALSE
    value = of("{}::UBIGINT", extract_first(path))
    if most is None and not least:
        return of("{} IS NOT NULL", value)
    if most is None:
        test = of("{} >= ?", value, least)
    else:
        test = of("{} BETWEEN ? AND ?", value, least, most)
    return never_null(test, value, nullable=nullable)


def _divided(scale: float, low: float, high: float) -> tuple[float, float] | None:
    """The ends of the doubles that, multiplied, lie from low to high; None: there are
    many around an end that come to the same, as there are around zero.
    """
    least = _end(scale, low, -math.inf)
    most = _end(scale, -high, -math.inf)
    return None if least is None or most is None else (least, -most)


def _end(scale: float, low: float, below: float) -> float | None:
    """The smallest double that is, multiplied, not below; what lies below it is."""
    if low == -LARGEST and scale <= 1:
        return low
    found = low / scale
    for _ in range(_STEPS):
        if found * scale < low:
            found = math.nextafter(found, math.inf)
        elif math.nextafter(found, below) * scale >= low:
            found = math.nextafter(found, below)
        else:
            return found if math.isfinite(found) else None
    return None
