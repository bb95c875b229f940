"""More pipes by example, run on a store of two days."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logstream.core.errors import BadRequest, QuerySyntaxError
from logstream.query.query import compile_query, parse_query

_spec = importlib.util.spec_from_file_location(
    "pipes_store", Path(__file__).with_name("pipes_store.py")
)
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)

DAY = 1_767_225_600_000_000_000
"""2026-01-01, in nanoseconds."""
MINUTE = 60 * 10**9


def at(minute: int) -> str:
    day, hour = divmod(minute, 1440)
    return f"2026-01-{day + 1:02d}T{hour // 60:02d}:{hour % 60:02d}:00Z"


def entry(minute: int, source: str, level: str, message: str, **fields: Any) -> Any:
    return {
        "timestamp": at(minute),
        "source": source,
        "level": level,
        "message": message,
        "fields": fields,
    }


ENTRIES = [
    entry(0, "web", "info", "GET /a 200 in 10ms", host="h1", took=10),
    entry(1, "web", "error", "GET /b 500 in 90ms", host="h1", took=90),
    entry(2, "web", "info", "GET /a 200 in 30ms", host="h2", took=30),
    entry(7, "auth", "warn", "login failed user=ann from 10.0.0.1", user="ann"),
    entry(8, "auth", "info", "login user=bob from 10.0.0.2", user="bob"),
    entry(16, "kv", "info", '{"op": "put", "n": 3, "o": {"k": [1]}}'),
    entry(17, "kv", "info", 'op=get msg="a \\"b\\" c" n=4 o=', host="h1"),
    entry(1440, "db", "error", "slow query 0xdeadbeef", took=700),
    entry(1441, "db", "info", "query 0xcafe0123", user="ann"),
]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    made = _module.Asked(tmp_path_factory.mktemp("store"), ENTRIES)
    yield made
    made.close()


EXAMPLES: list[tuple[str, list[dict[str, Any]]]] = [
    ("source:web OR source:auth | timechart 5m count() as n, max(took) as m", [
        {"timestamp": at(0), "n": 3, "m": 90.0},
        {"timestamp": at(5), "n": 2, "m": None},
    ]),
    ("source:web OR source:kv | timechart 5m count() as n, max(took) as m", [
        {"timestamp": at(0), "n": 3, "m": 90.0},
        {"timestamp": at(5), "n": 0, "m": None},
        {"timestamp": at(10), "n": 0, "m": None},
        {"timestamp": at(15), "n": 2, "m": None},
    ]),
    ("source:web OR source:auth | timechart 5m count() as n, avg(took) as a by level limit 1", [
        {"timestamp": at(0), "level": "info", "n": 2, "a": 20.0},
        {"timestamp": at(0), "level": "other", "n": 1, "a": None},
        {"timestamp": at(5), "level": "info", "n": 1, "a": None},
        {"timestamp": at(5), "level": "other", "n": 1, "a": None},
    ]),
    ("source:web | timechart 1m avg(took) as a by host limit 1", [
        {"timestamp": at(0), "host": "h1", "a": 10.0},
        {"timestamp": at(1), "host": "h1", "a": 90.0},
        {"timestamp": at(2), "host": "h1", "a": None},
    ]),
    ("source:web | timechart 1h rate() as r | where r > 0 | fields r", [
        {"r": pytest.approx(3 / 3600)}
    ]),
    ("nothing | timechart 1h count()", []),
    ('source:auth | extract "user=<user> from <ip>" | fields user, ip', [
        {"user": "bob", "ip": "10.0.0.2"}, {"user": "ann", "ip": "10.0.0.1"}
    ]),
    ('source:web | extract "GET <path> <_> in <ms>ms" | stats sum(ms) as s by path', [
        {"path": "/a", "s": 40.0}, {"path": "/b", "s": 90.0}
    ]),
    ('source:web OR user:bob | extract "<verb> /" | fields verb | head 2', [
        {"verb": None}, {"verb": "GET"}
    ]),
    ('source:auth | eval m = "k=[1]" | extract "[<`x>]<a>" from m | fields a', [
        {"a": None}, {"a": None}
    ]),
    ('source:auth | eval m = "k=[1].x\\ny" | extract "[<a>].<b>" from m | fields a, b | head 1',
     [{"a": "1", "b": "x\ny"}]),
    (r'source:auth | extract_regexp "user=(?P<who>\w+) (from) (?<ip>[\d.]+)$" | fields who, ip', [
        {"who": "bob", "ip": "10.0.0.2"}, {"who": "ann", "ip": "10.0.0.1"}
    ]),
    (r"""source:kv | extract_regexp 'msg="(?P<m>[^"]*\\)' | fields m | head 1""", [
        {"m": "a \\"}
    ]),
    ("source:kv | unpack json fields op, n, o.k | fields op, n, o.k", [
        {"op": None, "n": None, "o.k": None}, {"op": "put", "n": "3", "o.k": "[1]"}
    ]),
    ("source:kv | unpack json | where op = 'put' and n > 2 and o.k is not null", [{
        "timestamp": at(16), "source": "kv", "level": "info",
        "message": '{"op": "put", "n": 3, "o": {"k": [1]}}',
        "fields": {"op": "put", "n": 3, "o": {"k": [1]}},
    }]),
    ("source:kv | unpack json | unpack json | eval z = number(n) + 1 | fields host, n, z", [
        {"host": "h1", "n": None, "z": None}, {"host": None, "n": "3", "z": 4.0}
    ]),
    ("source:kv | unpack logfmt from message fields op, msg, n, o | fields op, msg, n, o", [
        {"op": "get", "msg": 'a "b" c', "n": "4", "o": None},
        {"op": None, "msg": None, "n": None, "o": None},
    ]),
    ('source:web | replace "/" with "\\\\" | fields message | head 1', [
        {"message": "GET \\a 200 in 30ms"}
    ]),
    (r'source:web | replace_regexp "(\d+)ms" with "<\1>" | fields message | head 1', [
        {"message": "GET /a 200 in <30>"}
    ]),
    ('source:web | replace "h" with "" in host | stats count() as n by host', [
        {"host": "1", "n": 2}, {"host": "2", "n": 1}
    ]),
    ("user:ann | replace 'a' with 'b' in user | head 1", [{
        "timestamp": at(1441), "source": "db", "level": "info",
        "message": "query 0xcafe0123", "fields": {"user": "bnn"},
    }]),
    ("* | patterns limit 1", [{
        "pattern": "GET /a <num> in <num>ms", "count": 2, "percent": 22.222,
        "first": at(0), "last": at(2), "sample": "GET /a 200 in 30ms",
        "trend": [2, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    }]),
    ("source:db | patterns | fields pattern, trend", [
        {"pattern": "query <hex>", "trend": [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]},
        {"pattern": "slow query <hex>", "trend": [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]},
    ]),
    (("took:10 | eval m = concat("
     "'a 2026-01-01T10:00:00.123Z 10:00 f81d4fae-7dec-11d0-a765-00a0c91e6bf6',"
     "' deadbeef 5d 9a8b7c 1,000.5 v2 café 10.1.2.3:80 \"x \\\\\" 1\" decade')"
     " | patterns from m | fields pattern"), [
        {"pattern": "a <time> <time> <uuid> <hex> <num>d <hex> <num> v<num> café <ip> <str> decade"}
    ]),
    ("source:auth | stats count() by message | patterns from message limit 1", [{
        "pattern": "login failed user=ann from <ip>", "count": 1, "percent": 50.0,
        "sample": "login failed user=ann from 10.0.0.1",
    }]),
    ("nothing | patterns", []),
    ("source:web | facets 1", [
        {"field": "host", "value": "h1", "count": 2, "percent": 66.667},
        {"field": "level", "value": "info", "count": 2, "percent": 66.667},
        {"field": "took", "value": "10", "count": 1, "percent": 33.333},
    ]),
    ("source:auth | eval level = 'x', a = user | drop user | facets", [
        {"field": "a", "value": "ann", "count": 1, "percent": 50.0},
        {"field": "a", "value": "bob", "count": 1, "percent": 50.0},
    ]),
    ("nothing | facets", []),
    ("* | join by (user) (source:auth | stats count() as n by user) | fields user, n", [
        {"user": "ann", "n": 1}, {"user": "bob", "n": 1}, {"user": "ann", "n": 1}
    ]),
    ("source:db | join on user (source:auth | stats count() as n by user) left | fields user, n", [
        {"user": "ann", "n": 1}, {"user": None, "n": None}
    ]),
    ("source:db | join by user (source:auth | fields user, source | rename source as s)", [{
        "timestamp": at(1441), "source": "db", "level": "info",
        "message": "query 0xcafe0123", "fields": {"user": "ann", "s": "auth"},
    }]),
    (("* | stats count() as n by level, source | join by (source, level) "
     "(host:* | stats max(took) as m by source, level) left | sort by m desc | head 2"), [
        {"level": "error", "source": "web", "n": 1, "m": 90.0},
        {"level": "info", "source": "web", "n": 2, "m": 30.0},
    ]),
    ("level:error | context before 1 after 1 | fields source, message", [
        {"source": "db", "message": "query 0xcafe0123"},
        {"source": "db", "message": "slow query 0xdeadbeef"},
        {"source": "web", "message": "GET /a 200 in 30ms"},
        {"source": "web", "message": "GET /b 500 in 90ms"},
        {"source": "web", "message": "GET /a 200 in 10ms"},
    ]),
    ("level:error | context after 1 | fields message", [
        {"message": "query 0xcafe0123"},
        {"message": "slow query 0xdeadbeef"},
        {"message": "GET /a 200 in 30ms"},
        {"message": "GET /b 500 in 90ms"},
    ]),
    ("took:90 | context before 2 by host | fields message", [
        {"message": "GET /b 500 in 90ms"}, {"message": "GET /a 200 in 10ms"}
    ]),
    ("level:error | context before 0 by user | stats count() as n", [{"n": 2}]),
    ("user:ann | where source = 'auth' | context | stats count() as n by source", [
        {"source": "auth", "n": 2}
    ]),
    ("* | transaction by source maxpause 5m | fields source, duration, count, first", [
        {"source": "db", "duration": 60.0, "count": 2, "first": at(1440)},
        {"source": "kv", "duration": 60.0, "count": 2, "first": at(16)},
        {"source": "auth", "duration": 60.0, "count": 2, "first": at(7)},
        {"source": "web", "duration": 120.0, "count": 3, "first": at(0)},
    ]),
    ("user:ann | transaction by (user) maxpause 1h", [
        {
            "user": "ann", "first": at(1441), "last": at(1441), "duration": 0.0,
            "count": 1, "messages": ["query 0xcafe0123"],
        },
        {
            "user": "ann", "first": at(7), "last": at(7), "duration": 0.0, "count": 1,
            "messages": ["login failed user=ann from 10.0.0.1"],
        },
    ]),
    ("* | transaction user | fields user, messages, last | head 1", [{
        "user": "bob", "messages": ["login user=bob from 10.0.0.2"], "last": at(8)
    }]),
    ("* | timechart 1m sum(took) as s by source | anomalies | where is_anomaly | head 2", [
        {
            "timestamp": at(0), "source": "web", "s": 10.0, "expected": 0.0,
            "score": 88.504, "is_anomaly": True,
            "explanation": "s is 10, above the usual 0 (score 88.504)",
        },
        {
            "timestamp": at(1), "source": "web", "s": 90.0, "expected": 0.0,
            "score": 796.534, "is_anomaly": True,
            "explanation": "s is 90, above the usual 0 (score 796.534)",
        },
    ]),
    (("source:web | timechart 1m count() as n, max(took) as m | anomalies of m threshold 2"
     " | fields m, expected, score, is_anomaly, explanation"), [
        {"m": 10.0, "expected": 30.0, "score": pytest.approx(-0.6745, abs=0.001), "is_anomaly": False, "explanation": None},
        {"m": 90.0, "expected": 30.0, "score": 2.023, "is_anomaly": True,
         "explanation": "m is 90, above the usual 30 (score 2.023)"},
        {"m": 30.0, "expected": 30.0, "score": 0.0, "is_anomaly": False, "explanation": None},
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "rows"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_a_query_answers(ask: Any, text: str, rows: list[dict[str, Any]]) -> None:
    assert ask(text) == rows


@pytest.mark.parametrize("text", [text for text, _ in EXAMPLES], ids=str)
def test_canonical_text_reads_back(text: str) -> None:
    query = parse_query(text)
    assert parse_query(str(query)) == query
    assert str(parse_query(str(query))) == str(query)


MISTAKES = [
    ("* | timechart", "a function such as count()"),
    ("* | timechart 5m count() by a, b", "goes by one field"),
    ("* | timechart 5m count() by a limit 0", "from 1 to 100"),
    ("* | timechart 5m count() as timestamp", "the same name"),
    ("* | stats count() by source | timechart 5m count()", "no column 'timestamp'"),
    ('* | extract "user"', "nothing to extract"),
    ('* | extract "<a><b>"', "between two names"),
    ('* | extract "<a> <a>"', "the same name"),
    ('* | extract "<id>"', "use another name"),
    ("* | extract user", "expected a text"),
    ('* | extract_regexp "user=(.*)"', "no group has a name"),
    ('* | extract_regexp "user=(?P<a>"', "no regular expression"),
    ("* | extract_regexp user", "in quotes"),
    ("* | unpack xml", "json or logfmt"),
    ("* | unpack logfmt", "expected `fields`"),
    ("* | unpack json fields a, a", "the same name"),
    ("* | fields a | unpack json from a", "no entries here"),
    ("* | patterns limit 0", "from 1 to"),
    ("* | stats count() | patterns", "no column 'message'"),
    ("* | stats count() | facets", "none here any more"),
    ("* | facets x", "a number of values"),
    ("* | join by (user) (source:auth)", "which columns it gives"),
    (
        "* | join by (user) (* | stats count() as source by user)",
        "have a column 'source'",
    ),
    ("* | join by (user) (* | stats count())", "no column 'user'"),
    ("* | join by (a, a) (* | fields a)", "twice"),
    ("* | join by (a) * | fields a", "expected '('"),
    ("* | join by (a) (* | fields a) outer", "expected '|'"),
    ("* | context before 1 before 2", "twice"),
    ("* | context before 5000", "from 0 to 1000"),
    ("* | fields a | context", "none here any more"),
    ("* | transaction by count", "the same name"),
    ("* | transaction by a maxpause 5", "such as 5m"),
    ("* | anomalies", "numbers over time"),
    ("* | fields message | anomalies", "no column of numbers"),
    ("* | stats count() as score | anomalies", "already"),
    ("* | stats count() | anomalies of n", "no column 'n'"),
    ("* | stats count() | anomalies threshold 0", "above zero"),
    ("* | timechart 5300w count()", "at most 5200w"),
    ("* | stats count() | compare 600w", "at most 520w"),
    ("*" + " | context" * 40, "at most 64 times"),
    ("*" + " | stats count() as n | compare | fields n" * 7, "at most 64 times"),
    ("* | extract '" + "x" * 1000 + "<a>'", "at most 1000 characters"),
    ("* | compare", "looks at numbers"),
    ("* | stats count() | compare 5", "such as 5m"),
    (
        "* | stats count() as n | compare | rename n_before as x | compare",
        "two columns",
    ),
    ('* | replace "" with "b"', "everywhere and nowhere"),
    ('* | replace "a" "b"', "expected with"),
    (r'* | replace_regexp "(a)" with "\2"', "there is no \\2"),
    (r'* | replace_regexp "(a" with "b"', "no regular expression"),
]


@pytest.mark.parametrize(("text", "words"), MISTAKES)
def test_a_mistake_is_shown(text: str, words: str) -> None:
    with pytest.raises((QuerySyntaxError, BadRequest)) as caught:
        compile_query(text)
    assert words in str(caught.value)


def test_a_chart_covers_the_range_of_the_query(ask: Any) -> None:
    end = DAY + 4 * MINUTE
    text = "source:web | timechart 1m count() as n by host limit 1"
    rows = ask(text, from_ns=DAY, to_ns=end)
    assert [(one["host"], one["n"]) for one in rows] == [
        ("h1", 1), ("other", 0), ("h1", 1), ("other", 0),
        ("h1", 0), ("other", 1), ("h1", 0), ("other", 0),
    ]  # fmt: skip
    rows = ask("nothing | timechart count() as n", from_ns=DAY, to_ns=end)
    assert len(rows) == 48
    assert rows[-1] == {"timestamp": "2026-01-01T00:03:55Z", "n": 0}


def test_a_chart_of_too_many_rows_is_refused(ask: Any) -> None:
    with pytest.raises(BadRequest, match="at most 10000 rows of time"):
        ask("* | timechart 1s count()")
    with pytest.raises(BadRequest, match="at most 10000 rows of time"):
        ask("* | timechart 1s count()", from_ns=DAY, to_ns=DAY + 1440 * MINUTE)


COMPARED = [
    ("* | stats count() as n, max(took) as m by level | compare", [
        {"level": "error", "n": 0, "n_before": 1, "n_change": -100.0,
         "m": None, "m_before": 90.0, "m_change": None},
        {"level": "info", "n": 1, "n_before": 2, "n_change": -50.0,
         "m": None, "m_before": 30.0, "m_change": None},
        {"level": "warn", "n": 1, "n_before": 0, "n_change": None,
         "m": None, "m_before": None, "m_change": None},
    ]),
    ("* | stats rate() as r | compare 5m", [
        {"r": 2 / 300, "r_before": 3 / 300, "r_change": -33.333}
    ]),
    ("* | timechart 1m count() as n | compare | head 1", [
        {"timestamp": at(5), "n": 0, "n_before": 1, "n_change": -100.0}
    ]),
    ("* | stats count() as n by source | compare | where n_before = 0", [
        {"source": "auth", "n": 2, "n_before": 0, "n_change": None}
    ]),
    ("took:* | stats count() as n by range(took, 50) as t | compare", [
        {"t": 0.0, "n": 0, "n_before": 2, "n_change": -100.0},
        {"t": 50.0, "n": 0, "n_before": 1, "n_change": -100.0},
    ]),
    ("* | top 1 source | drop percent | compare", [
        {"source": "auth", "count": 2, "count_before": 0, "count_change": None},
        {"source": "web", "count": 0, "count_before": 3, "count_change": -100.0},
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "rows"), COMPARED, ids=range(len(COMPARED)))
def test_a_range_is_compared_with_the_one_before(
    ask: Any, text: str, rows: list[dict[str, Any]]
) -> None:
    assert ask(text, from_ns=DAY + 5 * MINUTE, to_ns=DAY + 10 * MINUTE) == rows
    query = parse_query(text)
    assert parse_query(str(query)) == query


def test_without_a_range_the_last_span_is_compared(
    ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = DAY + 1442 * MINUTE
    monkeypatch.setattr("logstream.query.pipes.compare.time.time_ns", lambda: now)
    text = "* | stats count() as n by source | compare"
    assert ask("* | stats count() as n | compare 2m") == [
        {"n": 2, "n_before": 0, "n_change": None}
    ]
    assert {row["source"]: (row["n"], row["n_before"]) for row in ask(text)} == {
        "auth": (2, 0), "db": (2, 0), "kv": (2, 0), "web": (1, 2)
    }  # fmt: skip


def test_what_is_no_pattern_to_the_store_is_a_bad_request(ask: Any) -> None:
    with pytest.raises(BadRequest, match="invalid repetition"):
        ask(r'* | extract_regexp "(?P<b>(?:a{1000}){5})"')


NAMES = ['"; DROP TABLE x --', "a'b", "`", "c1", "s0_0", "select", "ü", "{}", "%s", "?"]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_users_choose_are_never_sql(ask: Any, name: str) -> None:
    quoted = "`" + name.replace("`", "\\`") + "`"
    value = '"' + name.replace('"', '\\"') + '"'
    for text, column in [
        (f"* | timechart 1d count() as {quoted} by source", name),
        (f"* | timechart 1d count() as n by level as {quoted}", name),
        (f"* | unpack json fields {quoted} | fields {quoted}", name),
        (f"* | unpack logfmt fields {quoted} | fields {quoted}", name),
        (f"* | replace {value} with {value} in {quoted} | fields {quoted}", name),
        (f"* | eval {quoted} = 'x' | patterns from {quoted}", "pattern"),
        (f"* | eval {quoted} = 'x' | transaction by {quoted} | fields {quoted}", name),
        (f"* | join by ({quoted}) (* | fields {quoted}) left | fields {quoted}", name),
        (f"* | eval {quoted} = 'x' | context by source | facets", "field"),
        (f"* | stats count() as {quoted} by source | anomalies", name),
        (f"* | stats count() as {quoted} | compare 1d", name),
        (f"* | extract {value[:-1]}<a>{value[1:]} | fields a", "a"),
    ]:
        rows = ask(text)
        assert rows
        assert column in rows[0]


def test_a_join_inside_is_compared_too(ask: Any) -> None:
    text = (
        "* | join by (user) (user:* | stats count() as c by user) "
        "| stats sum(c) as s | compare 1d"
    )
    rows = ask(text, from_ns=DAY + 1440 * MINUTE, to_ns=DAY + 2880 * MINUTE)
    assert rows == [{"s": 1.0, "s_before": 2.0, "s_change": -50.0}]
