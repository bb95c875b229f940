"""Times as fewer programs write them, asked for when no usual one is found.

Each pattern is anchored, bounded and without nested choice, as in `line_times`, and
named groups tell what is what. Which are tried depends on the line's first character:
a line of a stack trace costs one look-up.
"""

import re
from collections.abc import Mapping

from logstream.core.timestamps import canonical_or_none
from logstream.parsers.calendar_dates import (
    MONTH_NUMBER,
    MONTHS,
    Years,
    of_ascii,
    utc_minute,
    with_seconds,
)
from logstream.parsers.moment import Moment

_OPEN = r"[\[(<\"']{0,2}"
_CLOCK = (
    r"(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)"
    r"(?::(?P<second>[0-5]\d|60)(?:[.,](?P<fraction>\d{1,9})\d*+)?)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\b)?"
)
_ZONE = r"(?: ?(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d|[+-]\d\d)(?!\w|:\d))?"
_DIGITS = r"(?P<hour>[01]\d|2[0-3])(?P<minute>[0-5]\d)(?P<second>[0-5]\d)"
_MONTH = rf"(?P<name>{MONTHS})"

_NUMBERED = {
    "01/15/2024 3:04:05 PM · 15.01.2024 22:00:00 · 15-01-24 22:00": (
        rf"{_OPEN}(?P<one>\d{{1,2}})(?P<mark>[/.-])(?P<two>\d{{1,2}})(?P=mark)"
        rf"(?P<year>\d{{4}}|\d\d)(?:, ?|[ T_-]){_CLOCK}{_ZONE}"
    ),
    "2024-1-5 9:05:03 · 2024-01-15 10:00:00 PM": (
        rf"{_OPEN}(?P<year>\d{{4}})(?P<mark>[-/.])(?P<month>\d{{1,2}})(?P=mark)"
        rf"(?P<day>\d{{1,2}})(?:, ?|[ T_]){_CLOCK}{_ZONE}"
    ),
    "20171223-22:15:29:606 · 20240115 10:00:00.123": (
        r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)[- ](?P<hour>[01]?\d|2[0-3])"
        r":(?P<minute>[0-5]?\d):(?P<second>[0-5]?\d)"
        r"(?:[.,](?P<fraction>\d{1,9})|:(?P<ms>\d{1,3}))?(?!\d)"
    ),
    "20240115100000 · 20240115 100000": (
        rf"(?P<year>(?:19|20)\d\d)(?P<month>\d\d)(?P<day>\d\d)[ _-]?{_DIGITS}"
        r"(?:[.,](?P<fraction>\d{1,9}))?(?![\d.])"
    ),
    "240115 10:00:00": (rf"(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d) {{1,2}}{_CLOCK}"),
    "[10.30 16:49:06]": rf"\[(?P<month>\d\d)\.(?P<day>\d\d) {_CLOCK}\]",
    "2024 Jan 15 10:00:00.123": (
        rf"(?P<year>\d{{4}}) {_MONTH} {{1,2}}(?P<day>\d{{1,2}}) {_CLOCK}"
    ),
    "134681 node-246 unix.hw state_change.unavailable 1077804742 1 ": (
        r"\d{1,12} \S{1,64} \S{1,64} \S{1,64} (?P<epoch>1\d{9}) \d{1,3} "
    ),
}
"""By example."""
_WORDED = {
    "Jan 15, 2024 3:04:05 PM · Jan 15 10:00:00 2024 x": (
        rf"{_OPEN}{_MONTH} {{1,2}}(?P<day>\d{{1,2}})(?:,? (?P<year>\d{{4}}))?,? "
        rf"{_CLOCK}(?: (?P<behind>(?:19|20)\d\d)(?=[ :\]]))?"
    ),
    "type=SYSCALL msg=audit(1705312800.123:456): ": (
        r"(?:node=\S{1,255} )?type=[A-Z0-9_]{1,64} "
        r"msg=audit\((?P<epoch>1\d{9}\.\d{3}):\d{1,20}\)"
    ),
    "- 1117838570 2005.06.03 R02 2005-06-03-15.42.50.363779 R02 RAS KERNEL INFO ": (
        r"(?:-|[A-Z][A-Z0-9_]{1,31}) (?P<epoch>1\d{9}) \d{4}\.\d\d\.\d\d \S{1,64} "
        r"(?:\d{4}-\d\d-\d\d-\d\d\.\d\d\.\d\d\.(?P<fraction>\d{6}) \S{1,64} \S{1,32} "
        r"\S{1,32} (?P<level>[A-Z]{4,8}) )?"
    ),
    "@400000004a1b2c3d12345678": (
        r"@4(?P<tai>[0-9a-f]{15})(?P<nanosecond>[0-9a-f]{8})(?![0-9a-f])"
    ),
}
_TAI_AHEAD_S = 10
"""Of UTC, without leap seconds: what is taken for the second by who writes TAI64N."""


class RareTimes:
    """Not thread-safe: it remembers what its stream has shown.

    Args:
        years: For dates without one.
    """

    def __init__(self, years: Years) -> None:
        self._years = years
        self._numbered = [of_ascii(pattern) for pattern in _NUMBERED.values()]
        self._worded = [of_ascii(pattern) for pattern in _WORDED.values()]
        self._day_first: bool | None = None

    def find(self, head: str) -> Moment | None:
        first = head[:1]
        if first.isdigit():
            return self._try(self._numbered, head)
        if first in "[(<\"'" and head[1:3].strip("[(<\"'")[:1].isdigit():
            return self._try(self._numbered, head)
        if first in "-@[(<\"'tn" or first.isupper():
            return self._try(self._worded, head)
        return None

    def _try(self, patterns: list[re.Pattern[str]], head: str) -> Moment | None:
        for index, pattern in enumerate(patterns):
            if (found := pattern.match(head)) is None:
                continue
            pieces = found.groupdict()
            if (timestamp := self._timestamp(pieces)) is not None:
                if index:
                    patterns.insert(0, patterns.pop(index))
                return Moment(timestamp, found.end(), pieces.get("level"))
        return None

    def _timestamp(self, pieces: Mapping[str, str | None]) -> str | None:
        if epoch := pieces.get("epoch"):
            fraction = pieces.get("fraction")
            return canonical_or_none(f"{epoch}.{fraction}" if fraction else epoch)
        if tai := pieces.get("tai"):
            fraction = f"{int(pieces['nanosecond'] or '0', 16):09d}"
            if len(fraction) > 9:
                return None
            return canonical_or_none(f"{int(tai, 16) - _TAI_AHEAD_S}.{fraction}")
        if (date := self._date(pieces)) is None:
            return None
        second = (pieces.get("second") or "0").zfill(2)
        fraction = pieces.get("fraction")
        if ms := pieces.get("ms"):
            fraction = ms.zfill(3)
        hour = _hour(pieces.get("hour") or "", pieces.get("half"))
        minute = (pieces.get("minute") or "").zfill(2)
        at = utc_minute(*date, hour, minute, pieces.get("zone"))
        return with_seconds(at, second, fraction)

    def _date(self, pieces: Mapping[str, str | None]) -> tuple[str, str, str] | None:
        month = pieces.get("month") or MONTH_NUMBER.get(pieces.get("name") or "")
        day = pieces.get("day")
        if one := pieces.get("one"):
            two = pieces.get("two") or ""
            month, day = self._in_order(one, two, pieces.get("mark") or "")
        if month is None or day is None:
            return None
        month, day = month.zfill(2), day.zfill(2)
        year = pieces.get("year") or pieces.get("behind")
        return year or self._years.year_of(month, day), month, day

    def _in_order(self, one: str, two: str, mark: str) -> tuple[str, str]:
        """Month and day: `15/01` and `01/15` tell which is which, for `01/02` after
        them in the same stream, too. Before that, as in `01/02/2024` and `02.01.2024`:
        with a slash the month comes first, with anything else the day.
        """
        if int(one) > 12:
            self._day_first = True
        elif int(two) > 12:
            self._day_first = False
        known = self._day_first
        day_first = mark != "/" if known is None else known
        return (two, one) if day_first else (one, two)


def _hour(hour: str, half: str | None) -> str:
    """Of 24. Args: half: the first letter of AM or PM."""
    if half is None or int(hour) > 12:
        return hour
    return f"{int(hour) % 12 + (12 if half in 'pP' else 0):02d}"
