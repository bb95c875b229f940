"""Timestamps: the same instant, however it was written, to the last nanosecond."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstream.core.timestamps import (
    MAX_NS,
    TimestampError,
    canonical,
    format_ns,
    parse_ns,
)

instants = st.integers(0, MAX_NS - 1)


@given(instants)
def test_formatting_then_parsing_is_the_identity(ns: int) -> None:
    """No digit of the nanoseconds is lost, and none is added."""
    text = format_ns(ns)
    assert parse_ns(text) == ns
    assert text.endswith("Z")
    assert canonical(text) == text


@given(instants)
def test_canonical_text_has_the_digits_it_needs_and_no_more(ns: int) -> None:
    """`.120Z` is `.12Z`, and a whole second has no fraction."""
    _, point, fraction = format_ns(ns).removesuffix("Z").partition(".")
    assert not fraction.endswith("0")
    assert bool(point) == bool(fraction)


@given(st.integers(0, 10**11 - 1))
def test_a_number_is_told_by_its_magnitude(seconds: int) -> None:
    """Seconds, milli-, micro- and nanoseconds of one instant, where they are told."""
    if seconds * 10**9 >= MAX_NS:
        with pytest.raises(TimestampError):
            parse_ns(seconds)
        return
    assert parse_ns(seconds) == seconds * 10**9
    assert parse_ns(str(seconds)) == seconds * 10**9
    for digits in (3, 6, 9):
        number = seconds * 10**digits
        if number >= 10 ** (8 + digits):
            assert parse_ns(number) == seconds * 10**9
            assert parse_ns(str(number)) == seconds * 10**9


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        ("1747094475.123456789", "2025-05-13T00:01:15.123456789Z"),
        ("1747094475123.5", "2025-05-13T00:01:15.1235Z"),
        ("1747094475123456.789", "2025-05-13T00:01:15.123456789Z"),
        (1747094475.5, "2025-05-13T00:01:15.5Z"),
        (0, "1970-01-01T00:00:00Z"),
        ("2025-05-13", "2025-05-13T00:00:00Z"),
        ("2025-05-13 00:01", "2025-05-13T00:01:00Z"),
        ("2025-05-13t00:01:15z", "2025-05-13T00:01:15Z"),
        ("2025-05-13T00:01:15,25+02", "2025-05-12T22:01:15.25Z"),
        ("2025-05-13T00:01:15 -0330", "2025-05-13T03:31:15Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2025-05-13T00:01:15.1234567891234Z", "2025-05-13T00:01:15.123456789Z"),
    ],
)
def test_what_people_write_is_read(given_value: str | float, expected: str) -> None:
    """Digits below a nanosecond are cut; a missing zone is UTC."""
    assert canonical(given_value) == expected


@pytest.mark.parametrize(
    "value",
    [
        *("", "yesterday", "2025-13-01", "2025-02-30T00:00:00Z", "0000-01-01"),
        *("1969-12-31T23:59:59.999Z", "2262-04-11", "3000-01-01T00:00:00Z"),
        *("2025-01-01T24:00:00Z", "2025-01-01T00:00:00+24:00", "99999999999999999999"),
        *(-1, -0.5, float("nan"), float("inf"), 1e300, 10**30, True, "1e5", "\x00"),
    ],
)
def test_what_is_no_instant_is_refused_with_a_reason(value: str | float) -> None:
    with pytest.raises(TimestampError, match=r"\w"):
        parse_ns(value)


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2262, 1, 1)),  # noqa: DTZ001
    st.integers(-23 * 60, 23 * 60),
)
def test_an_offset_moves_the_instant(at: datetime, minutes: int) -> None:
    """As the standard library reads it."""
    aware = at.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    expected = aware - datetime(1970, 1, 1, tzinfo=UTC)
    micros = expected // timedelta(microseconds=1)
    assert parse_ns(aware.isoformat()) == micros * 1000
