"""Times as people type them: `-15m`, `today`, or any instant that we take anywhere.

Everything is UTC. `now` is the caller's to pass in, so that one command or request
has one "now" for all of its times.
"""

import re

from logstream.core.timestamps import (
    MAX_NS,
    MIN_NS,
    NS_PER_S,
    TimestampError,
    parse_ns,
)

FORMS = (
    "a time back from now such as -15m, -2h30m or -1d (units s m h d w), "
    "now, today, yesterday, RFC 3339 such as 2025-05-01T00:00:00Z or a part of it, "
    "2025-05-01, 2025-05 or 2025, or seconds, milli-, micro- or nanoseconds since 1970"
)

_DAY_NS = 86_400 * NS_PER_S
_UNIT_NS = {
    "ms": 1_000_000,
    "s": NS_PER_S,
    "m": 60 * NS_PER_S,
    "h": 3_600 * NS_PER_S,
    "d": _DAY_NS,
    "w": 7 * _DAY_NS,
}
_PART = re.compile(r"(\d{1,12})(?:\.(\d{1,9}))?(ms|s|m|h|d|w)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")
_YEAR = re.compile(r"(19[7-9][0-9]|2[01][0-9]{2}|22[0-5][0-9]|226[01])(?:-([0-9]{2}))?")
"""With a month or not; as a number since 1970, it would be less than an hour."""
_RELATIVE = re.compile(r"(now|today|yesterday)?(?: *([+-]) *([0-9][0-9.a-z]*))?")


def parse_duration(text: str) -> int:
    """`15m`, `2h30m`, `1.5h`, `250ms` as nanoseconds.

    Raises:
        TimestampError: anything else; says which units there are.
    """
    wanted = text.strip().lower()
    if not _DURATION.fullmatch(wanted):
        raise TimestampError(
            f"{text!r} is no length of time: write such as 30s, 15m, 2h30m, 1d or 2w"
        )
    return sum(
        (int(whole) * 10**9 + int((part or "0").ljust(9, "0")))
        * _UNIT_NS[unit]
        // 10**9
        for whole, part, unit in _PART.findall(wanted)
    )


def parse_time(text: str, *, now_ns: int) -> int:
    """Nanoseconds since the epoch.

    Args:
        text: A year or a month, for its begin; `now`, `today` or `yesterday`
            (midnight, UTC), each with `-15m` or `+1h` after it or not; `-15m` alone
            counts from now; or what `parse_ns` takes.
        now_ns: What `now` is.

    Raises:
        TimestampError: none of these, or outside 1970 to 2262; names the forms.
    """
    wanted = text.strip().lower()
    found = _RELATIVE.fullmatch(wanted)
    if not wanted or found is None:
        part = _YEAR.fullmatch(wanted)
        if part is not None:
            wanted = f"{part[1]}-{part[2] or '01'}-01"
        try:
            return parse_ns(wanted if part else text)
        except TimestampError as error:
            raise TimestampError(f"{text!r} {error}. A time is {FORMS}.") from None
    word, sign, length = found.groups()
    if length and not _DURATION.fullmatch(length):
        raise TimestampError(f"{text!r} is no time. A time is {FORMS}.")
    at = _start(word or "now", now_ns)
    if length:
        at += parse_duration(length) * (-1 if sign == "-" else 1)
    if not MIN_NS <= at < MAX_NS:
        raise TimestampError(f"{text!r} lies outside 1970-01-01 to 2262-04-10.")
    return at


def _start(word: str, now_ns: int) -> int:
    if word == "now":
        return now_ns
    midnight = now_ns - now_ns % _DAY_NS
    return midnight if word == "today" else midnight - _DAY_NS
