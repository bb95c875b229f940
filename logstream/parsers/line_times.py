"""Where a line of text carries its time, and which time it is.

Only at the beginning, or after one word (a host, a file's name, a level), but for a few
formats that are known as a whole (access logs, some of `rare_times`): a time in
the middle of a sentence is what the line talks about, not when it was written. Every
pattern is anchored, bounded and without nested choice, and looks at the head of the
line only, so a hostile line costs what a plain one does.
"""

from collections.abc import Callable

from logstream.core.timestamps import canonical_or_none, now_ns
from logstream.parsers.calendar_dates import (
    MONTH_NUMBER,
    MONTHS,
    Years,
    of_ascii,
    utc_minute,
    with_seconds,
)
from logstream.parsers.moment import Moment
from logstream.parsers.rare_times import RareTimes

_OPEN = r"[\[(<\"']{0,2}"
_BEFORE = rf"(?:{_OPEN}|(?P<before>\S{{1,100}}+)[ \t]++(?:\|[ \t]*+)?{_OPEN})"
_CLOCK = r"([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)"
_FRACTION = r"(?:[.,](\d{1,9})\d*+)?+"
_ZONE = r"(?: ?(Z|UTC|GMT|[+-]\d\d:?\d\d|[+-]\d\d)(?!\w|:\d))?"
_NO_HALF = r"(?! ?[AaPp]\.?[Mm]\b)"
"""Of twelve hours: those are `rare_times`, as all that is refused here may be."""
_REDIS = of_ascii(r"\d{1,10}:[XCSM]")
_REDIS_LEVELS = {" . ": "debug", " - ": "debug", " * ": "info", " # ": "warn"}

_ISO = of_ascii(
    rf"{_BEFORE}(\d{{4}})([-/.])(\d\d)\3(\d\d)(?:[T_\t]|,? {{1,2}})"
    rf"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d|60){_FRACTION})?+{_NO_HALF}{_ZONE}"
)
_COMPACT = of_ascii(
    r"[\[(]?(\d{4})(\d\d)(\d\d)T([01]\d|2[0-3])([0-5]\d)([0-5]\d)"
    rf"{_FRACTION}{_ZONE}(?!\d)"
)
_ANDROID = of_ascii(
    rf"(\d\d)-(\d\d) {_CLOCK}\.(\d{{3,9}})[ \t]+\d{{1,10}}[ \t]+\d{{1,10}} "
    r"(?P<level>[VDIWEFS])[ /]"
)
_KLOG = of_ascii(rf"(?P<level>[IWEF])(\d\d)(\d\d) {_CLOCK}\.(\d{{6}})[ \t]+\d+[ \t]")
_HDFS = of_ascii(
    r"(\d\d)(0[1-9]|1[0-2])(\d\d) ([01]\d|2[0-3])([0-5]\d)([0-5]\d)(?= \d{1,10} [A-Z])"
)
_SLASHED = of_ascii(rf"{_OPEN}(\d\d)/(\d\d)/(\d\d) {_CLOCK}{_FRACTION}")
_CTIME = of_ascii(
    rf"{_OPEN}(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ({MONTHS}) +(\d{{1,2}}) "
    rf"{_CLOCK}{_FRACTION}(?: [A-Z]{{1,5}})? (\d{{4}})(?!\d)"
)
_SYSLOG = of_ascii(
    rf"(?:<\d{{1,3}}>)?(?:\d{{1,10}}: )?[*.]?{_OPEN}({MONTHS}) {{1,2}}(\d{{1,2}})"
    rf"(?:,? (\d{{4}}))? {_CLOCK}{_FRACTION}{_NO_HALF}(?! (?:19|20)\d\d[ :\]])"
)
_MAIL = of_ascii(
    rf"{_BEFORE}(?:[A-Z][a-z]{{2}}, )?(\d{{1,2}})[ -]({MONTHS})[ -](\d{{4}}) "
    rf"{_CLOCK}{_FRACTION}{_ZONE}"
)
_ACCESS = of_ascii(
    rf"\[(\d\d)/({MONTHS})/(\d{{4}})[: ]{_CLOCK}{_FRACTION}(?: ([+-]\d{{4}}))?\]"
)
_EPOCH = of_ascii(r"[\[(]?(1\d{9}(?:\d{3}){0,3}(?:\.\d{1,9})?)(?=[\])]?[ \t|,:]|[\])])")
_ACCESS_WITHIN = 256
"""Host, identity and user stand before the time of an access log."""


Finder = Callable[[str], Moment | None]


class LineTimes:
    """Finds the time of a line; remembers which format the line before had."""

    def __init__(self, now: Callable[[], int] = now_ns) -> None:
        self._years = Years(now)
        self._finders: list[Finder] = [
            _iso,
            _slashed,
            self._syslog,
            _ctime,
            self._android,
            _hdfs,
            _access,
            _mail,
            self._klog,
            _compact,
            _epoch,
            RareTimes(self._years).find,
        ]

    def start_batch(self) -> None:
        self._years.look_at_the_clock()

    def find(self, head: str) -> Moment | None:
        """Args: head: the beginning of a line, cut by the caller."""
        finders = self._finders
        for index, finder in enumerate(finders):
            found = finder(head)
            if found is not None:
                if index:
                    # A file keeps to its format: the one that fits goes to the front.
                    finders.insert(0, finders.pop(index))
                return found
        return None

    def _android(self, head: str) -> Moment | None:
        if (m := _ANDROID.match(head)) is None:
            return None
        month, day, hour, minute, second, fraction, level = m.groups()
        year = self._years.year_of(month, day)
        at = utc_minute(year, month, day, hour, minute, None)
        return _moment(with_seconds(at, second, fraction), m.end(), level=level)

    def _klog(self, head: str) -> Moment | None:
        if (m := _KLOG.match(head)) is None:
            return None
        level, month, day, hour, minute, second, fraction = m.groups()
        year = self._years.year_of(month, day)
        at = utc_minute(year, month, day, hour, minute, None)
        return _moment(with_seconds(at, second, fraction), m.end(), level=level)

    def _syslog(self, head: str) -> Moment | None:
        if (m := _SYSLOG.match(head)) is None:
            return None
        name, day, year, hour, minute, second, fraction = m.groups()
        month = MONTH_NUMBER[name]
        year = year or self._years.year_of(month, day)
        at = utc_minute(year, month, day, hour, minute, None)
        return _moment(with_seconds(at, second, fraction), m.end())


def _moment(
    timestamp: str | None,
    end: int,
    *,
    level: str | None = None,
    word_before: bool = False,
) -> Moment | None:
    if timestamp is None:
        return None
    return Moment(timestamp, end, level, word_before)


def _iso(head: str) -> Moment | None:
    if (m := _ISO.match(head)) is None:
        return None
    before, year, _, month, day, hour, minute, second, fraction, zone = m.groups()
    at = utc_minute(year, month, day, hour, minute, zone)
    timestamp = with_seconds(at, second or "00", fraction)
    return _moment(timestamp, m.end(), word_before=before is not None)


def _compact(head: str) -> Moment | None:
    if (m := _COMPACT.match(head)) is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = m.groups()
    at = utc_minute(year, month, day, hour, minute, zone)
    return _moment(with_seconds(at, second, fraction), m.end())


def _hdfs(head: str) -> Moment | None:
    if (m := _HDFS.match(head)) is None:
        return None
    year, month, day, hour, minute, second = m.groups()
    at = utc_minute(year, month, day, hour, minute, None)
    return _moment(with_seconds(at, second, None), m.end())


def _slashed(head: str) -> Moment | None:
    if (m := _SLASHED.match(head)) is None:
        return None
    year, month, day, hour, minute, second, fraction = m.groups()
    at = utc_minute(year, month, day, hour, minute, None)
    return _moment(with_seconds(at, second, fraction), m.end())


def _ctime(head: str) -> Moment | None:
    if (m := _CTIME.match(head)) is None:
        return None
    name, day, hour, minute, second, fraction, year = m.groups()
    at = utc_minute(year, MONTH_NUMBER[name], day, hour, minute, None)
    return _moment(with_seconds(at, second, fraction), m.end())


def _mail(head: str) -> Moment | None:
    if (m := _MAIL.match(head)) is None:
        return None
    before, day, name, year, hour, minute, second, fraction, zone = m.groups()
    at = utc_minute(year, MONTH_NUMBER[name], day, hour, minute, zone)
    timestamp = with_seconds(at, second, fraction)
    level = None
    if before is not None and _REDIS.fullmatch(before):
        level = _REDIS_LEVELS.get(head[m.end() : m.end() + 3])
    return _moment(timestamp, m.end(), level=level, word_before=before is not None)


def _access(head: str) -> Moment | None:
    if (m := _ACCESS.search(head, 0, _ACCESS_WITHIN)) is None:
        return None
    day, name, year, hour, minute, second, fraction, zone = m.groups()
    at = utc_minute(year, MONTH_NUMBER[name], day, hour, minute, zone)
    return _moment(with_seconds(at, second, fraction), m.end())


def _epoch(head: str) -> Moment | None:
    if (m := _EPOCH.match(head)) is None:
        return None
    return _moment(canonical_or_none(m[1]), m.end())


def whole_time(text: str, times: LineTimes) -> str | None:
    """The canonical timestamp of a value that is a time and nothing else."""
    # First the finder: it remembers the minute, and is four times as fast.
    found = times.find(text) if len(text) <= 64 else None
    if found is not None and not text[found.end :].strip(" \t])>\"'"):
        return None if found.word_before else found.timestamp
    return canonical_or_none(text)
