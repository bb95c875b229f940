"""The parser of syslog lines, as in `/var/log/syslog` and as sent over the network.

RFC 3164 (`Jun 14 15:16:01 host sshd[19939]: text`), the same with the long timestamps
that rsyslog writes by default, and RFC 5424; each with or without the `<PRI>`. The
message is the text behind the tag, since that is what people search; host, program,
process id and facility become fields. Without a `<PRI>` a line must have a tag: else
it could be anybody's text behind a time.
"""

from collections.abc import Callable, Sequence
from typing import Any

from logstream.core.levels import LEVEL_BY_NUMBER
from logstream.core.timestamps import canonical_or_none, now_ns
from logstream.parsers.calendar_dates import (
    MONTH_NUMBER,
    MONTHS,
    Years,
    of_ascii,
    utc_minute,
    with_seconds,
)
from logstream.parsers.line_levels import level_at_start
from logstream.plugins.contracts import BuildContext, Line, Options, ParserSpec

FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp"),
    *("cron", "authpriv", "ftp", "ntp", "security", "console", "solaris-cron"),
    *(f"local{n}" for n in range(8)),
)

_PRI = r"(?:<(\d{1,3})>)?"
_OLD = of_ascii(
    rf"{_PRI}(?:({MONTHS}) {{1,2}}(\d{{1,2}}) (?:(\d{{4}}) )?"
    r"([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(?:[.,](\d{1,9}))?"
    r"|(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):([0-5]\d|60)\.(\d{6})([+-]\d\d:\d\d))"
    r" ([^\s:\[\]]{1,255}+|\[?[\da-fA-F:.]{2,48}+\]?) {1,3}"
)
_TAG = of_ascii(
    r"(?:-- )?([^\s\[\]:]{1,128}+)(?: (\d[\w.]{0,31}))?(?:\[([^\]\s]{1,64})\])?:(?: |$)"
)
_NEW = of_ascii(
    rf"{_PRI}1 (-|\d{{4}}-\d\d-\d\dT\S{{5,32}}) (\S{{1,255}}) (\S{{1,48}})"
    r" (\S{1,128}) (\S{1,32}) (?=[-\[])"
)
_SD_ELEMENT = of_ascii(
    r'\[([^\s=\]"]{1,64})((?: [^\s=\]"]{1,64}="(?:[^"\\]|\\.)*+")*+)\]'
)
_SD_PARAM = of_ascii(r' ([^\s=\]"]{1,64})="((?:[^"\\]|\\.)*+)"')
_SD_ESCAPE = of_ascii(r'\\(["\\\]])')
_BOM = "\ufeff"
_LEVEL_WITHIN = 128


class SyslogOptions(Options, frozen=True, kw_only=True):
    pass


class SyslogParser:
    """Takes syslog lines. Not thread-safe: one per stream."""

    def __init__(self, now: Callable[[], int] = now_ns) -> None:
        self._years = Years(now)

    def parse(self, lines: Sequence[str]) -> Sequence[Line | None]:
        self._years.look_at_the_clock()
        return [self._old(line) or _new(line) for line in lines]

    def _old(self, line: str) -> Line | None:
        if (head := _OLD.match(line)) is None:
            return None
        pri, *time, host = head.groups()
        timestamp = self._short(*time[:7]) if time[0] else _long(*time[7:])
        if timestamp is None:
            return None
        tag = _TAG.match(line, head.end())
        if tag is None:
            if pri is None:
                return None
            return _line(timestamp, pri, {"host": host}, line[head.end() :])
        fields: dict[str, Any] = {"host": host, "program": tag[1]}
        if tag[2] is not None:
            fields["program_version"] = tag[2]
        if tag[3] is not None:
            fields["pid"] = _number(tag[3])
        return _line(timestamp, pri, fields, line[tag.end() :])

    def _short(self, *pieces: str) -> str | None:
        name, day, year, hour, minute, second, fraction = pieces
        month = MONTH_NUMBER[name]
        year = year or self._years.year_of(month, day)
        at = utc_minute(year, month, day, hour, minute, None)
        return with_seconds(at, second, fraction)


def _long(*pieces: str) -> str | None:
    year, month, day, hour, minute, second, fraction, zone = pieces
    at = utc_minute(year, month, day, hour, minute, zone)
    return with_seconds(at, second, fraction)


def _new(line: str) -> Line | None:
    if (head := _NEW.match(line)) is None:
        return None
    pri, time, host, program, pid, message_id = head.groups()
    named = (("host", host), ("program", program), ("msgid", message_id))
    fields: dict[str, Any] = {key: value for key, value in named if value != "-"}
    if pid != "-":
        fields["pid"] = _number(pid)
    end, data = _structured_data(line, head.end())
    if end is None:
        return None
    if data:
        fields["structured_data"] = data
    message = line[end:].removeprefix(" ").removeprefix(_BOM)
    timestamp = None if time == "-" else canonical_or_none(time)
    return _line(timestamp, pri, fields, message)


def _structured_data(line: str, start: int) -> tuple[int | None, dict[str, Any]]:
    """Where it ends (None: it is broken), and the elements by their names."""
    if line[start] == "-":
        return (start + 1 if line[start + 1 : start + 2] in {"", " "} else None), {}
    found: dict[str, Any] = {}
    end = start
    while element := _SD_ELEMENT.match(line, end):
        found[element[1]] = {
            name: _SD_ESCAPE.sub(r"\1", value)
            for name, value in _SD_PARAM.findall(element[2])
        }
        end = element.end()
    return (end if end > start and line[end : end + 1] in {"", " "} else None), found


def _line(
    timestamp: str | None, pri: str | None, fields: dict[str, Any], message: str
) -> Line:
    level = None
    if pri is not None and (number := int(pri)) < 8 * len(FACILITIES):
        level = LEVEL_BY_NUMBER[number & 7]
        fields["facility"] = FACILITIES[number >> 3]
    if level is None:
        level = level_at_start(message[:_LEVEL_WITHIN])
    return Line(timestamp=timestamp, level=level, message=message, fields=fields)


def _number(pid: str) -> str | int:
    return int(pid) if pid.isascii() and pid.isdigit() and len(pid) <= 9 else pid


def _build(options: SyslogOptions, context: BuildContext) -> SyslogParser:
    return SyslogParser()


SPEC = ParserSpec(
    name="syslog",
    summary="RFC 3164 and RFC 5424 lines: host, program, pid, facility as fields.",
    options=SyslogOptions,
    build=_build,
    priority=20,
)
