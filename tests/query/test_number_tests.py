"""Ends of what is multiplied before it is compared."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstream.core.doubts import settled
from logstream.query.names import Path
from logstream.query.number_tests import scaled_between
from logstream.query.numbers import LARGEST

PATH = Path((("a",),))
SCALES = (1.0, 1e-9, 1e-6, 1e-3, 60.0, 86_400.0, 1024.0, 1024.0**6, 1e18)
ENDS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([LARGEST, -LARGEST, 0.0, 0.25, 0.1, 250.0, 1.0, 30_000.0]),
)


def ends_of(scale: float, low: float, high: float) -> tuple[float, float] | None:
    """Those that the value itself is compared with; None: it is multiplied."""
    sql = settled(scaled_between(PATH, scale, low, high, nullable=True), frozenset())
    if "*" in sql.text:
        return None
    _, least, most, *_ = sql.params
    return least, most


def neighbours(value: float) -> list[float]:
    above, below = math.nextafter(value, math.inf), math.nextafter(value, -math.inf)
    return [one for one in (value, above, below) if math.isfinite(one)]


@given(st.sampled_from(SCALES), ENDS, ENDS)
def test_the_ends_are_those_of_what_is_multiplied(
    scale: float, one: float, other: float
) -> None:
    low, high = min(one, other), max(one, other)
    if (ends := ends_of(scale, low, high)) is None:
        return
    near = [*neighbours(ends[0]), *neighbours(ends[1]), low / scale, high / scale]
    for value in (*near, 0.0, -0.0, LARGEST, -LARGEST):
        assert (ends[0] <= value <= ends[1]) == (low <= value * scale <= high)


@pytest.mark.parametrize("scale", [1e-3, 1e-9, 60.0])
def test_ends_of_usual_size_need_no_multiplication(scale: float) -> None:
    for low, high in ((0.25, LARGEST), (0.25, 3.0), (-LARGEST, 90.0)):
        assert ends_of(scale, low, high) is not None


def test_around_zero_the_value_is_multiplied() -> None:
    """Where it is so small that there is nothing left of it, it counts as zero."""
    assert ends_of(1e-3, 0.0, 1.0) is None
