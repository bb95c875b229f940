"""Timestamps: any of the ways that senders write one, to the canonical text.

Canonical is RFC 3339 in UTC with `Z` and as many fractional digits as it needs and
no more. The store keeps nanoseconds in 64 bits, so an instant must lie in 1970-01-01
to 2262-04-11. Nothing here goes through a float: 1747094475.123456789 keeps its nine
digits when it comes as text.
"""

import re
import time
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

NS_PER_S = 1_000_000_000
MIN_NS = 0
MAX_NS = date(2262, 4, 11).toordinal() * 86_400 * NS_PER_S - (
    date(1970, 1, 1).toordinal() * 86_400 * NS_PER_S
)
"""Midnight that begins 2262-04-11: the last, partial day is cut."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,18}))?)?"
    r" ?(Z|z|UTC|[+-]\d\d(?::?\d\d)?)?)?"
)
_DIGITS = re.compile(r"(\d{1,19})(?:\.(\d{1,9})\d*)?")


class TimestampError(ValueError):
    """The text or number is no instant that can be stored; says why."""


def now_ns() -> int:
    return time.time_ns()


def format_ns(ns: int) -> str:
    """Nanoseconds since the epoch as canonical text."""
    seconds, fraction = divmod(ns, NS_PER_S)
    text = _format_s(seconds)
    if fraction == 0:
        return text + "Z"
    return f"{text}.{fraction:09d}".rstrip("0") + "Z"


@lru_cache(1024)
def _format_s(seconds: int) -> str:
    """Entries come, and are shown, many to a second."""
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")


def parse_ns(value: str | float) -> int:
    """Nanoseconds since the epoch.

    Args:
        value: RFC 3339 (a blank for the `T`, a missing zone = UTC and a missing time
            of day are allowed), or a number, also as text, of seconds, milli-, micro-
            or nanoseconds since the epoch, told by magnitude.

    Raises:
        TimestampError: neither, or outside 1970 to 2262.
    """
    if isinstance(value, str):
        ns = _parse_text(value.strip())
    elif isinstance(value, bool):
        raise TimestampError("is true or false, not a time")
    elif isinstance(value, int):
        ns = _scale(value, 0)
    else:
        if not -1e19 < value < 1e19:
            raise TimestampError("is no finite number")
        whole = int(value)
        ns = _scale(whole, round((value - whole) * NS_PER_S))
    if not MIN_NS <= ns < MAX_NS:
        raise TimestampError("lies outside 1970-01-01 to 2262-04-10")
    return ns


def canonical(value: str | float) -> str:
    """`parse_ns`, then `format_ns`."""
    return format_ns(parse_ns(value))


def canonical_or_none(value: str | float) -> str | None:
    """None where `canonical` raises."""
    try:
        return canonical(value)
    except TimestampError:
        return None


def _scale(whole: int, fraction_e9: int) -> int:
    """By magnitude: s below 1e11 (the year 5138), ms below 1e14, µs below 1e17."""
    if whole < 0:
        raise TimestampError("lies before 1970-01-01")
    if whole < 10**11:
        return whole * NS_PER_S + fraction_e9
    if whole < 10**14:
        return whole * 1_000_000 + fraction_e9 // 1_000
    if whole < 10**17:
        return whole * 1_000 + fraction_e9 // 1_000_000
    return whole


def _parse_text(text: str) -> int:
    if found := _DIGITS.fullmatch(text):
        return _scale(int(found[1]), int((found[2] or "0").ljust(9, "0")))
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise TimestampError("is neither RFC 3339 nor a number since the epoch")
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    leap = second == "60"
    try:
        at = datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            59 if leap else int(second or 0),
            tzinfo=UTC,
        )
    except ValueError as error:
        raise TimestampError(str(error)) from None
    seconds = (at - _EPOCH) // timedelta(seconds=1) + (1 if leap else 0)
    return (seconds - _zone_s(zone)) * NS_PER_S + int(
        (fraction or "0")[:9].ljust(9, "0")
    )


def _zone_s(zone: str | None) -> int:
    if zone is None or zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise TimestampError("has an offset that no zone has")
    return (hours * 3600 + minutes * 60) * (-1 if zone[0] == "-" else 1)
