"""Times as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstream.core.relative_time import parse_duration, parse_time
from logstream.core.timestamps import TimestampError, format_ns, parse_ns

NOW = parse_ns("2025-05-13T10:20:30.5Z")


def expect_time(text: str, wanted: str) -> None:
    assert format_ns(parse_time(text, now_ns=NOW)) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("now", "2025-05-13T10:20:30.5Z"),
        ("NOW", "2025-05-13T10:20:30.5Z"),
        ("today", "2025-05-13T00:00:00Z"),
        ("yesterday", "2025-05-12T00:00:00Z"),
        ("-15m", "2025-05-13T10:05:30.5Z"),
        ("-2h30m", "2025-05-13T07:50:30.5Z"),
        ("-1.5h", "2025-05-13T08:50:30.5Z"),
        ("-1d", "2025-05-12T10:20:30.5Z"),
        ("-1w", "2025-05-06T10:20:30.5Z"),
        ("-500ms", "2025-05-13T10:20:30Z"),
        ("+1h", "2025-05-13T11:20:30.5Z"),
        ("now-15m", "2025-05-13T10:05:30.5Z"),
        ("now - 15m", "2025-05-13T10:05:30.5Z"),
        ("today+6h", "2025-05-13T06:00:00Z"),
        ("2025-05-01T00:00:00Z", "2025-05-01T00:00:00Z"),
        ("2025-05-01", "2025-05-01T00:00:00Z"),
        ("2025-05-01T02:00:00+02:00", "2025-05-01T00:00:00Z"),
        ("1747094475", "2025-05-13T00:01:15Z"),
        ("1747094475123", "2025-05-13T00:01:15.123Z"),
    ],
)
def test_each_form_is_understood(text: str, wanted: str) -> None:
    expect_time(text, wanted)


@pytest.mark.parametrize(
    "text", ["", " ", "soon", "-", "-15", "-15x", "15m", "2025-13-01", "today-", "-1m5"]
)
def test_what_is_no_time_is_told_the_forms(text: str) -> None:
    """The message alone is enough to get it right the second time."""
    with pytest.raises(TimestampError, match=r"-15m.*today.*RFC 3339"):
        parse_time(text, now_ns=NOW)


def test_a_time_before_the_epoch_is_refused() -> None:
    with pytest.raises(TimestampError, match="1970"):
        parse_time("-9999w", now_ns=NOW)


@pytest.mark.parametrize("text", ["", "5", "h", "-5m", "5 apples", "1h-5m"])
def test_what_is_no_length_of_time_is_told_so(text: str) -> None:
    with pytest.raises(TimestampError, match="2h30m"):
        parse_duration(text)


@given(st.integers(0, 999), st.sampled_from(["s", "m", "h", "d", "w"]))
def test_minus_a_length_is_now_minus_that_length(number: int, unit: str) -> None:
    text = f"{number}{unit}"
    assert parse_time(f"-{text}", now_ns=NOW) == NOW - parse_duration(text)


@pytest.mark.parametrize(
    ("text", "begin"),
    [
        ("2015", "2015-01-01T00:00:00Z"),
        (" 2015-07 ", "2015-07-01T00:00:00Z"),
        ("1970", "1970-01-01T00:00:00Z"),
        ("2261-12", "2261-12-01T00:00:00Z"),
        ("1969", "1970-01-01T00:32:49Z"),
        ("20150", "1970-01-01T05:35:50Z"),
    ],
)
def test_a_year_and_a_month_are_their_begin(text: str, begin: str) -> None:
    assert format_ns(parse_time(text, now_ns=0)) == begin


@pytest.mark.parametrize("text", ["2015-13", "2015-00", "2015-7", "2015-"])
def test_a_month_that_is_none_is_no_time(text: str) -> None:
    with pytest.raises(TimestampError):
        parse_time(text, now_ns=0)
