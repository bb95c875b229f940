"""Times in a query: `2025-05-13`, `2025-05`, `today`, `now-1h`, and what each covers.

A day, a month or a year is the whole of it: `>` is after its end, `<=` up to its end.
Anything else is one instant. All is UTC.
"""

import re
from datetime import UTC, datetime

from logstream.core.errors import BadRequest
from logstream.core.relative_time import parse_duration, parse_time
from logstream.core.timestamps import MAX_NS, NS_PER_S, TimestampError

_DAY_NS = 86_400 * NS_PER_S
_YEAR = re.compile(r"19[7-9][0-9]|2[01][0-9]{2}|22[0-5][0-9]|226[01]")
"""As a number since 1970, it would be less than an hour."""
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_RELATIVE = re.compile(r" *(now|today|yesterday|[+-])", re.IGNORECASE)
_LENGTH = re.compile(r"[0-9][0-9.]*[a-z].*", re.IGNORECASE)
_HELP = (
    "write it as 2025-05-01T00:00:00Z, 2025-05-01, 2025-05 or 2025 (all of it), "
    "now-15m, today or yesterday"
)


def covered(text: str, now_ns: int) -> tuple[int, int]:
    """The first and the last nanosecond that a time stands for.

    Raises:
        BadRequest: it is none; says how one is written.
    """
    text = text.strip()
    try:
        if _YEAR.fullmatch(text):
            return _month(int(text), 1)[0], _month(int(text), 12)[1]
        if found := _MONTH.fullmatch(text):
            return _month(int(found[1]), int(found[2]))
        start = parse_time(text, now_ns=now_ns)
    except (TimestampError, ValueError) as error:
        reason = str(error).split(". A time is")[0]
        raise BadRequest(f"This time {reason}: {_HELP}.") from None
    if _DAY.fullmatch(text) or text.lower() in ("today", "yesterday"):
        return start, min(start + _DAY_NS - 1, MAX_NS)
    return start, start


def is_relative(text: str) -> bool:
    """Whether it depends on now."""
    return bool(_RELATIVE.match(text)) or is_length(text)


def is_length(text: str) -> bool:
    """Whether it is a length of time, which no other time looks like."""
    return _LENGTH.fullmatch(text) is not None


def back_from(text: str, now_ns: int) -> int:
    """Where the last so long began.

    Raises:
        BadRequest: the length is none, or longer than time is.
    """
    try:
        start = now_ns - parse_duration(text)
    except TimestampError as error:
        raise BadRequest(f"{error}.") from None
    return max(start, 0)


def _month(year: int, month: int) -> tuple[int, int]:
    first = datetime(year, month, 1, tzinfo=UTC)
    after = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    low, high = int(first.timestamp()) * NS_PER_S, int(after.timestamp()) * NS_PER_S
    if not 0 <= low < MAX_NS or high > MAX_NS:
        raise TimestampError("lies outside 1970-01-01 to 2262-04-10")
    return low, high - 1
