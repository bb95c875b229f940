# ruff: noqa: E501 - log lines are as long as they are
"""What each parser makes of a line."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstream.core.timestamps import TimestampError, canonical, format_ns, parse_ns
from logstream.parsers.calendar_dates import Years
from logstream.parsers.detect import AutoParser
from logstream.parsers.json_lines import JsonParser
from logstream.parsers.logfmt import LogfmtParser
from logstream.parsers.rare_times import _NUMBERED, _WORDED, RareTimes
from logstream.parsers.syslog import SyslogParser
from logstream.parsers.text import TextParser
from logstream.plugins.contracts import Line, Parser


def now() -> int:
    return parse_ns("2026-03-01T12:00:00Z")


def text(line: str) -> Line:
    (found,) = TextParser(now).parse([line])
    assert found is not None
    assert found.message == line
    assert found.fields == {}
    return found


def taken(parser: Parser, line: str) -> Line:
    (found,) = parser.parse([line])
    assert found is not None
    return found


def refused(parser: Parser, line: str) -> bool:
    return parser.parse([line]) == [None]


@pytest.mark.parametrize(
    ("line", "timestamp", "level"),
    [
        ("2026-11-20T10:05:00Z INFO started", "2026-11-20T10:05:00Z", "info"),
        ("2026-11-20T10:05:00.120Z\tWARN\tslow", "2026-11-20T10:05:00.12Z", "warn"),
        ("2026-11-20T10:05:00.123456789+01:00 x", "2026-11-20T09:05:00.123456789Z", None),
        ("2026-11-20 10:05:00,123 - root - ERROR - no", "2026-11-20T10:05:00.123Z", "error"),
        ("2026-11-20 10:05:00.123 [main] DEBUG c.e.App - x", "2026-11-20T10:05:00.123Z", "debug"),
        ("2026-11-20 10:05:00.123  INFO 1 --- [main] x", "2026-11-20T10:05:00.123Z", "info"),
        ("[2026-11-20 10:05:00 +0100] [12] [ERROR] x", "2026-11-20T09:05:00Z", "error"),
        ("[2026-11-20T10:05:00,123][WARN ][o.e.n.Node] x", "2026-11-20T10:05:00.123Z", "warn"),
        ("[2026/11/20 10:05:00] [ info] [sp] x", "2026-11-20T10:05:00Z", "info"),
        ("2026/11/20 10:05:00 [error] 12#0: *1 x", "2026-11-20T10:05:00Z", "error"),
        ("2026-11-20 10:05:00.123 UTC [12] LOG:  ready", "2026-11-20T10:05:00.123Z", "info"),
        ("2026-11-20T10:05:00.1Z 0 [Note] [MY-1] x", "2026-11-20T10:05:00.1Z", "info"),
        ("2026-11-20T10:05:00Z info Starting", "2026-11-20T10:05:00Z", "info"),
        ("2026-11-20 10:05 short", "2026-11-20T10:05:00Z", None),
        ("20261120T100500Z x", "2026-11-20T10:05:00Z", None),
        ("web-1  | 2026-11-20T10:05:00Z ERROR x", "2026-11-20T10:05:00Z", "error"),
        ("INFO 2026-11-20 10:05:00 x", "2026-11-20T10:05:00Z", "info"),
        ("[WARN] 2026-11-20 10:05:00 x", "2026-11-20T10:05:00Z", "warn"),
        ("[Sun Dec 04 04:47:44 2005] [notice] x", "2005-12-04T04:47:44Z", "info"),
        ("[Sun Dec 04 04:47:44.5 2005] [core:error] [pid 1] x", "2005-12-04T04:47:44.5Z", "error"),
        ("Jun 14 15:16:01 something happened", "2025-06-14T15:16:01Z", None),
        ("17/06/09 20:10:40 INFO a.B: x", "2017-06-09T20:10:40Z", "info"),
        ("081109 203615 148 INFO dfs.X: x", "2008-11-09T20:36:15Z", "info"),
        ("03-17 16:13:38.811  1702  2395 V Tag: x", "2025-03-17T16:13:38.811Z", "trace"),
        ("02-17 16:13:38.811  1702  2395 S Tag: x", "2026-02-17T16:13:38.811Z", None),
        ("E0120 10:05:00.123456   12 file.go:1] x", "2026-01-20T10:05:00.123456Z", "error"),
        ('1.2.3.4 - bob [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 500 1', "2000-10-10T20:55:36Z", None),
        ("12:M 20 Nov 2026 10:05:00.123 * Ready", "2026-11-20T10:05:00.123Z", "info"),
        ("Fri, 20 Nov 2026 10:05:00 +0100 x", "2026-11-20T09:05:00Z", None),
        ("1066036250.603    310 192.168.0.227 TCP_MISS/200", "2003-10-13T09:10:50.603Z", None),
        ("1747094475123 INFO x", "2025-05-13T00:01:15.123Z", "info"),
        ("2016-12-31T23:59:60Z leap", "2017-01-01T00:00:00Z", None),
        ("20171224-0:7:20:44|Step_LSC|30002312|x", "2017-12-24T00:07:20.044Z", None),
        ("[10.30 16:49:06] chrome.exe - x", "2025-10-30T16:49:06Z", None),
        ("- 1117838570 2005.06.03 R02-M1 2005-06-03-15.42.50.363779 R02-M1 RAS KERNEL INFO x", "2005-06-03T22:42:50.363779Z", "info"),
        ("APPREAD 1117869872 2005.06.04 R04 2005-06-04-00.24.32.432192 R04 RAS APP FATAL x", "2005-06-04T07:24:32.432192Z", "fatal"),
        ("- 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 crond[2915]: x", "2005-11-09T20:01:01Z", None),
        ("134681 node-246 unix.hw state.unavailable 1077804742 1 Component x", "2004-02-26T14:12:22Z", None),
        ("2016-09-28 04:30:31, Error                 CSI    x", "2016-09-28T04:30:31Z", "error"),
        ("01/15/2024 3:04:05 PM: x", "2024-01-15T15:04:05Z", None),
        ("15/01/2024 22:00:00 INFO x", "2024-01-15T22:00:00Z", "info"),
        ("02/01/2024 22:00:00 x", "2024-02-01T22:00:00Z", None),
        ("02.01.2024 22:00:00 ERROR x", "2024-01-02T22:00:00Z", "error"),
        ("15.01.24 22:00:00 x", "2024-01-15T22:00:00Z", None),
        ("2024-01-15 12:00:00 AM WARN x", "2024-01-15T00:00:00Z", "warn"),
        ("2024-1-5 9:05:03 x", "2024-01-05T09:05:03Z", None),
        ("Start-Date: 2024-01-15  10:00:00", "2024-01-15T10:00:00Z", None),
        ("2024-01-15\t10:00:00\tFRA2\t1234", "2024-01-15T10:00:00Z", None),
        ("2024-01-15T10:00:00.123Z: ERROR: x", "2024-01-15T10:00:00.123Z", "error"),
        ("20240115 10:00:00.123 INFO x", "2024-01-15T10:00:00.123Z", "info"),
        ("20240115100000 INFO x", "2024-01-15T10:00:00Z", "info"),
        ("240115 10:00:00 [Note] mysqld: x", "2024-01-15T10:00:00Z", "info"),
        ("Jan 15, 2024 3:04:05 PM org.foo.Bar baz", "2024-01-15T15:04:05Z", None),
        ("Jan 15 10:00:00 2024 x", "2024-01-15T10:00:00Z", None),
        ("2024 Jan 15 10:00:00.5 ERROR x", "2024-01-15T10:00:00.5Z", "error"),
        ("*Mar  1 11:46:11.123: %SYS-5-CONFIG_I: x", "2026-03-01T11:46:11.123Z", "info"),
        ("000123: Mar  1 11:46:11: %LINK-3-UPDOWN: x", "2026-03-01T11:46:11Z", "error"),
        ("type=SYSCALL msg=audit(1705312800.123:456): x", "2024-01-15T10:00:00.123Z", None),
        ("@400000004a1b2c3d075bcd15 x", "2009-05-25T23:39:31.123456789Z", None),
        ("1:M 15 Jan 2024 10:00:00.123 # WARNING x", "2024-01-15T10:00:00.123Z", "warn"),
        ("I, [2024-01-15T10:00:00.5 #1234]  WARN -- : x", "2024-01-15T10:00:00.5Z", "warn"),
        ("[W 2024-01-15 10:00:00.5 ServerApp] x", "2024-01-15T10:00:00.5Z", "warn"),
        ("[I 10:00:00.5 NotebookApp] x", None, "info"),
        ("debug 2024-01-15 10:00:00 x", "2024-01-15T10:00:00Z", "debug"),
        ("[2024-01-15 10:00:00] production.ERROR: x", "2024-01-15T10:00:00Z", "error"),
        ("[15-Jan-2024 10:00:00 UTC] PHP Warning:  x", "2024-01-15T10:00:00Z", "warn"),
        ("[15-Jan-2024 10:00:00 Europe/Berlin] PHP Fatal error:  x", "2024-01-15T10:00:00Z", "fatal"),
        ("2024-01-15T10:00:00.5Z stderr F ERROR x", "2024-01-15T10:00:00.5Z", "error"),
        ("2024-01-15T10:00:00.123+0000 W NETWORK  [conn1] x", "2024-01-15T10:00:00.123Z", "warn"),
        ("2024-01-15 10:00:00.123 E | etcdserver: x", "2024-01-15T10:00:00.123Z", "error"),
        ("[1705312800] unbound[12:0] error: x", "2024-01-15T10:00:00Z", "error"),
        ("[15/Jan/2024 10:00:00] \"GET / HTTP/1.1\" 404 1", "2024-01-15T10:00:00Z", None),
        ("10:00:00.123 [main] WARN  com.example.Foo - x", None, "warn"),
        ("[10:00:00 ERR] x", None, "error"),
        ("[10:00:00] [Server thread/WARN]: x", None, "warn"),
        ("E/Tag( 123): x", None, "error"),
        ("\x1b[2m2024-01-15T10:00:00Z\x1b[0m \x1b[31mERROR\x1b[0m x", "2024-01-15T10:00:00Z", "error"),
        ("ERROR:root:no", None, "error"),
        ("INFO:     Started server", None, "info"),
        ("warning: unused variable", None, "warn"),
        ("[debug] x", None, "debug"),
        ('caller=x level=warn msg="a', None, "warn"),
        ("    at com.example.App(App.java:1)", None, None),
        ("", None, None),
    ],
)  # fmt: skip
def test_text_finds_time_and_level(
    line: str, timestamp: str | None, level: str | None
) -> None:
    found = text(line)
    assert (found.timestamp, found.level) == (timestamp, level)


@pytest.mark.parametrize(
    "line",
    [
        "there was an error in the middle",
        "2026-11-20 10:05:00 Connection lost, error 5",
        "2026-11-20 10:05:00 the WARN was ours",
        "error reading the file",
        "no error: all fine",
        "I am a sentence",
        "the log level: debug was set",
        "informational talk: none",
        "2026-11-20 10:05:00 Errors: 5",
        "2026-11-20 10:05:00 Error reading the file",
        "2026-11-20 10:05:00 I saw it",
        "E I E I O",
    ],
)
def test_a_word_in_a_sentence_is_no_level(line: str) -> None:
    assert text(line).level is None


@pytest.mark.parametrize(
    "line",
    [
        "the user logged in at 2020-01-01 00:00:00",
        "2026-13-01 10:00:00 no such month",
        "2026-02-30 10:00:00 no such day",
        "0001-01-01 00:00:00 before our time",
        "3000-01-01 00:00:00 after it",
        "99/99/99 10:00:00",
        "123456 123456",
        "1234567890",
        "Feb 31 10:00:00 host",
        "31/02/2024 10:00:00",
        "13/13/2024 10:00:00",
        "20241301100000",
        "10.0.0.1 10:00:00",
        "[10.32 16:49:06] x",
        "@5fffffffffffffffffffffff x",
        "@400000004a1b2c3dffffffff x",
        "2026-11-20T1\u0660:05:00Z digits of another script",
    ],
)
def test_what_is_no_time_of_the_line_is_not_taken_for_one(line: str) -> None:
    assert text(line).timestamp is None


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-20T10:05:0\u0665Z x",
        "2026-11-20T10:05:05.\u0661Z x",
        "15.01.2024 22:00:0\u0665 x",
        "20240115 10:00:0\u0665 x",
        "Jun 14 15:16:0\u0665 x",
    ],
)
def test_digits_of_other_scripts_are_in_no_timestamp(line: str) -> None:
    found = text(line).timestamp
    assert found is None or found == canonical(found)


def test_a_stream_shows_whether_the_day_comes_first() -> None:
    parser = TextParser(now)
    lines = ["02/01/2024 10:00:00", "31/01/2024 10:00:00", "02/01/2024 10:00:00"]
    days = [
        line.timestamp[:10] for line in parser.parse(lines) if line and line.timestamp
    ]
    assert days == ["2024-02-01", "2024-01-31", "2024-01-02"]


@pytest.mark.parametrize("examples", [*_NUMBERED, *_WORDED])
def test_each_rare_time_is_found_in_its_examples(examples: str) -> None:
    years = Years(now)
    years.look_at_the_clock()
    for example in examples.split(" · "):
        assert RareTimes(years).find(example), example


def test_a_date_without_a_year_is_in_the_past_or_tomorrow() -> None:
    assert text("Mar  2 11:00:00 x").timestamp == "2026-03-02T11:00:00Z"
    assert text("Mar  3 11:00:00 x").timestamp == "2025-03-03T11:00:00Z"
    assert text("Feb 29 11:00:00 x").timestamp == "2024-02-29T11:00:00Z"


@given(
    ns=st.integers(0, parse_ns("2262-04-10")),
    separator=st.sampled_from("T "),
    zone=st.sampled_from(["", "Z", "+00:00", "+05:30", "-0800", "+01"]),
)
def test_text_and_core_agree_on_rfc_3339(ns: int, separator: str, zone: str) -> None:
    """One way to write a time has one meaning, wherever it comes in."""
    written = format_ns(ns).rstrip("Z").replace("T", separator) + zone
    try:
        expected: str | None = canonical(written)
    except TimestampError:
        expected = None
    assert text(f"{written} x").timestamp == expected


@given(st.text(max_size=600))
def test_no_line_breaks_a_parser(line: str) -> None:
    for parser in (
        TextParser(now),
        JsonParser(now),
        SyslogParser(now),
        LogfmtParser(now),
    ):
        (found,) = parser.parse([line])
        assert found is None or isinstance(found.message, str)


MEGABYTE = 1 << 20
HOSTILE = [
    "[" * MEGABYTE,
    "(" * MEGABYTE,
    "{" * MEGABYTE,
    " " * MEGABYTE,
    "a." * MEGABYTE,
    "1 " * MEGABYTE,
    "- " * MEGABYTE,
    "a=b " * MEGABYTE,
    'a="' + "\\" * MEGABYTE,
    '{"a":' * 100_000,
    '{"a":"' + "x" * MEGABYTE,
    "<34>1 - h a p m " + "[a " * 300_000,
    '<34>1 - h a p m [a b="' + "\\" * MEGABYTE,
    "2026-11-20 10:00:00 " + "[x] " * 300_000,
    "2026-11-20 10:00:00 " + "a.b " * 300_000,
    "2026-11-20 10:00:00 " + "x" * MEGABYTE,
    "Jan  1 00:00:00 " + "h" * MEGABYTE,
    "Jan  1 00:00:00 h " + "p" * MEGABYTE,
    "\0" * MEGABYTE,
]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("line", HOSTILE, ids=lambda line: line[:24].encode().hex())
def test_a_hostile_line_costs_no_more_than_its_length(line: str) -> None:
    """Were one of the patterns to backtrack, this would take hours."""
    found = auto().parse([line] * 3)
    assert [each is not None and each.message == line for each in found] == [True] * 3


def auto() -> AutoParser:
    return AutoParser(
        [JsonParser(now), SyslogParser(now), LogfmtParser(now), TextParser(now)]
    )


def test_syslog_takes_the_line_apart() -> None:
    line = "Jun 14 15:16:01 combo sshd(pam_unix)[19939]: check pass; user unknown"
    assert taken(SyslogParser(now), line) == Line(
        timestamp="2025-06-14T15:16:01Z",
        message="check pass; user unknown",
        fields={"host": "combo", "program": "sshd(pam_unix)", "pid": 19939},
    )


def test_syslog_takes_the_long_timestamps_of_rsyslog() -> None:
    line = "2026-11-20T10:00:00.123456+01:00 web kernel: oops"
    found = taken(SyslogParser(now), line)
    assert found.timestamp == "2026-11-20T09:00:00.123456Z"
    assert found.fields == {"host": "web", "program": "kernel"}
    assert found.message == "oops"


def test_syslog_knows_level_and_facility_by_the_priority() -> None:
    found = taken(SyslogParser(now), "<34>Oct 11 22:14:15 box su: 'su root' failed")
    assert (found.level, found.fields["facility"]) == ("fatal", "auth")
    found = taken(SyslogParser(now), "<999>Oct 11 22:14:15 box su: no such priority")
    assert found.level is None
    assert "facility" not in found.fields


def test_syslog_takes_a_level_that_begins_the_message() -> None:
    line = "Dec 10 07:13:56 h sshd[2]: error: Received disconnect"
    assert taken(SyslogParser(now), line).level == "error"


def test_syslog_takes_rfc_5424() -> None:
    line = (
        '<165>1 2003-10-11T22:14:15.003Z box app 77 ID47 [ex@1 iut="3" '
        'say="a\\"b\\]"][two] \ufeffAn event'
    )
    assert taken(SyslogParser(now), line) == Line(
        timestamp="2003-10-11T22:14:15.003Z",
        level="info",
        message="An event",
        fields={
            "host": "box",
            "program": "app",
            "pid": 77,
            "msgid": "ID47",
            "structured_data": {"ex@1": {"iut": "3", "say": 'a"b]'}, "two": {}},
            "facility": "local4",
        },
    )
    assert taken(SyslogParser(now), "<13>1 - - - - - -").message == ""


@pytest.mark.parametrize(
    "line",
    [
        "Jun 14 15:16:01 something happened",
        "Jun 99 15:16:01 host tag: x",
        "2026-11-20T10:00:00Z started: yes",
        "<34>1 nonsense",
        "<34>1 - h a p m [broken",
        "plain text",
        "",
    ],
)
def test_syslog_leaves_other_lines_alone(line: str) -> None:
    assert refused(SyslogParser(now), line)


def test_json_finds_the_roles_under_the_usual_names() -> None:
    line = '{"@timestamp":"2026-11-20T10:00:00+01:00","lvl":"WARNING","msg":"m","service":"auth","n":{"a":[1]},"fields":{"x":1}}'
    assert taken(JsonParser(now), line) == Line(
        timestamp="2026-11-20T09:00:00Z",
        level="warn",
        source="auth",
        message="m",
        fields={"n": {"a": [1]}, "x": 1},
    )


@pytest.mark.parametrize(
    ("record", "timestamp"),
    [
        ('{"ts":1747094475.123,"msg":""}', "2025-05-13T00:01:15.123Z"),
        ('{"time":1747094475123}', "2025-05-13T00:01:15.123Z"),
        ('{"Timestamp":"2026/11/20 10:00:00"}', "2026-11-20T10:00:00Z"),
        ('{"date":"2026-11-20","time":"10:00"}', "2026-11-20T00:00:00Z"),
        ('{"t":"yesterday"}', None),
        ('{"t":5}', None),
        ('{"time":true}', None),
        ('{"time":"year 3000-01-01"}', None),
    ],
)
def test_json_takes_a_time_or_leaves_it_a_field(
    record: str, timestamp: str | None
) -> None:
    found = taken(JsonParser(now), record)
    assert found.timestamp == timestamp
    assert found.message == record
    if timestamp is None:
        assert found.fields


@pytest.mark.parametrize(
    ("record", "level"),
    [
        ('{"level":50}', "error"),
        ('{"severity":"NOTICE"}', "info"),
        ('{"level":"audit"}', "audit"),
        ('{"level":{"name":"x"}}', None),
        ('{"level":""}', None),
        ('{"priority":"high"}', None),
        ('{"PRIORITY":"3"}', "error"),
        ('{"log.level":"error"}', "error"),
    ],
)
def test_json_takes_a_level_or_leaves_it_a_field(
    record: str, level: str | None
) -> None:
    found = taken(JsonParser(now), record)
    assert found.level == level
    assert bool(found.fields) is (level is None)


@pytest.mark.parametrize(
    "line",
    [
        "[1]",
        "{",
        '{"a":1}}',
        "{'a':1}",
        "text",
        '{"a":NaN}',
        '{"a":"\\ud800"}',
        '{"a":' * 100 + "1" + "}" * 100,
        '{"a":' * 5000 + "1" + "}" * 5000,
    ],
)
def test_json_leaves_other_lines_alone(line: str) -> None:
    assert refused(JsonParser(now), line)


def test_json_keeps_a_record_of_many_brackets_that_is_flat() -> None:
    record = '{"a":[' + ",".join(["{}"] * 100) + "]}"
    assert taken(JsonParser(now), record).fields == {"a": [{}] * 100}


def test_logfmt_reads_pairs_to_the_end() -> None:
    line = 'time=2026-11-20T10:00:00Z level=warn msg="a \\"b\\"\\n" n=5 f=1.5 z=007 ok=true e='
    assert taken(LogfmtParser(now), line) == Line(
        timestamp="2026-11-20T10:00:00Z",
        level="warn",
        message='a "b"\n',
        fields={"n": 5, "f": 1.5, "z": "007", "ok": True, "e": ""},
    )


@pytest.mark.parametrize(
    "line",
    ["a=1 b=2", "msg=only", "level=info and text", "x level=info msg=a", "level=a level=b", ""],
)  # fmt: skip
def test_logfmt_leaves_other_lines_alone(line: str) -> None:
    assert refused(LogfmtParser(now), line)


class Stub:
    def __init__(self, *, takes: str = "", fails: bool = False, short: int = 0) -> None:
        self.takes = takes
        self.fails = fails
        self.short = short
        self.asked: list[list[str]] = []

    def parse(self, lines: Sequence[str]) -> Sequence[Line | None]:
        self.asked.append(list(lines))
        if self.fails:
            raise RuntimeError("scripted")
        found = [
            Line(message=self.takes) if line.startswith(self.takes) else None
            for line in lines
        ]
        return found[self.short :]


def test_the_first_parser_that_takes_a_line_has_it() -> None:
    """And those behind it are asked only for what is left."""
    first, second, last = Stub(takes="a"), Stub(takes="ab"), Stub(takes="")
    found = AutoParser([first, second, last]).parse(["ab", "b", "a", "c"])
    assert [each and each.message for each in found] == ["a", "", "a", ""]
    assert (second.asked, last.asked) == ([["b", "c"]], [["b", "c"]])


@pytest.mark.parametrize("broken", [Stub(fails=True), Stub(short=1)])
def test_a_parser_that_breaks_its_contract_is_passed_over(broken: Stub) -> None:
    found = AutoParser([broken, Stub(takes="x")]).parse(["x", "y"])
    assert [each and each.message for each in found] == ["x", None]
    assert found[1] is None


def test_what_becomes_of_a_line_does_not_depend_on_its_neighbours() -> None:
    lines = [
        '{"msg":"json"}',
        "Jun 14 15:16:01 host tag: syslog",
        "level=info msg=logfmt",
        "2026-11-20 10:00:00 text",
    ]
    alone = [auto().parse([line])[0] for line in lines]
    parser = auto()
    for order in (lines, lines[::-1], lines[2:] + lines[:2]):
        assert list(parser.parse(order)) == [alone[lines.index(x)] for x in order]
