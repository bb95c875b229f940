"""More pipes by example, run on a store of two days."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from logstream.core.errors import BadRequest
from logstream.query.query import parse_query


def _loaded(name: str) -> ModuleType:
    """A module beside this one."""
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_logs = _loaded("pipes_logs")
Asked = _loaded("pipes_store").Asked
DAY, MINUTE, at = _logs.DAY, _logs.MINUTE, _logs.at


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    made = Asked(tmp_path_factory.mktemp("store"), _logs.ENTRIES)
    yield made
    made.close()


EXAMPLES: list[tuple[str, list[dict[str, Any]]]] = [
    ("source:auth | eval n = 1 | fields message, fields, fields.fields as none | tail 1", [
        {"message": "login failed user=ann from 10.0.0.1",
         "fields": {"user": "ann", "n": 1.0}, "none": None},
    ]),
    ("source:auth | where fields is not null | fields fields as f | head 1", [
        {"f": {"user": "bob"}},
    ]),
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
        {"op": None, "n": None, "o.k": None}, {"op": "put", "n": 3, "o.k": [1]}
    ]),
    ("source:kv | unpack json | where op = 'put' and n > 2 and o.k is not null", [{
        "timestamp": at(16), "source": "kv", "level": "info",
        "message": '{"op": "put", "n": 3, "o": {"k": [1]}}',
        "fields": {"op": "put", "n": 3, "o": {"k": [1]}},
    }]),
    ("source:kv | unpack json | unpack json | eval z = number(n) + 1 | fields host, n, z", [
        {"host": "h1", "n": None, "z": None}, {"host": None, "n": 3, "z": 4.0}
    ]),
    # As SPL has it, without commas.
    ("took:* | stats count as n avg(took) max(took) as m by source | sort source", [
        {"source": "db", "n": 1, "avg(took)": 700.0, "m": 700.0},
        {"source": "web", "n": 3, "avg(took)": 130 / 3, "m": 90.0},
    ]),
    # Behind `drop fields` there are those that are added.
    ("* | head 1 | drop fields, timestamp, source, level | eval x = 1, y = x + 1", [
        {"message": "query 0xcafe0123", "fields": {"x": 1.0, "y": 2.0}}
    ]),
    (("* | head 1 | eval z = 7 | drop fields | eval u = user, z2 = z | where user is null "
     "| extract 'query <q>' | fields u, z2, z, q, fields"), [
        {"u": None, "z2": None, "z": None, "q": "0xcafe0123",
         "fields": {"q": "0xcafe0123"}}
    ]),
    ("source:kv | head 1 | drop fields | eval host = 'h9' | stats count() by host", [
        {"host": "h9", "count()": 1}
    ]),
    # What is taken out of a text is a number where it is wanted as one, as a field is.
    ('* | extract "in <ms>ms" | stats max(ms) as a, min(ms) as b, last(ms) as c', [
        {"a": 90.0, "b": 10.0, "c": "30"}
    ]),
    ('* | extract_regexp "^query 0x(?P<x>[a-z0-9]+)|(?P<n>[0-9]+)ms" | where n > x', []),
    (('source:web | extract_regexp "(?P<a>\\d+) in (?P<b>\\d+)" '
     "| sort -b | eval c = a + b | fields a, b, c"), [
        {"a": "500", "b": "90", "c": 590.0}, {"a": "200", "b": "30", "c": 230.0},
        {"a": "200", "b": "10", "c": 210.0},
    ]),
    ('source:kv | unpack logfmt fields n | stats max(n) as m, uniq(n) as u', [
        {"m": 4.0, "u": 1}
    ]),
    ("source:kv | unpack json | stats max(n) as m, first(o) as o, uniq(o) as u", [
        {"m": 3.0, "o": {"k": [1]}, "u": 0}
    ]),
    # Deep into objects, and what is null there is no field.
    (('* | head 1 | eval j = \'{"user": null, "q": {"a": 1.0}}\' | unpack json from j '
     "| unpack json from j | drop j | fields user, q, q.a, fields"), [{
        "user": "ann", "q": {"a": 1.0}, "q.a": 1.0,
        "fields": {"user": "ann", "q": {"a": 1.0}},
    }]),
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
        "pattern": "GET <path> <num> in <duration>", "count": 3, "percent": 33.333,
        "first": at(0), "last": at(2), "sample": "GET /a 200 in 30ms",
        "trend": [3, 0, 0, 0, 0, 0, 0, 0, 0, 0],
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


def test_a_chart_covers_the_range_of_the_filter(ask: Any) -> None:
    text = "timestamp:[2026-01-01T00:00Z TO 2026-01-01T00:20Z} nothing"
    assert len(ask(f"{text} | timechart 5m count()")) == 4
    assert len(ask(f"{text} | timechart 5m count()", from_ns=DAY + 5 * MINUTE)) == 3


def test_what_stands_around_may_lie_outside_of_the_range(ask: Any) -> None:
    text = "source:web | context before 1 after 1 | fields message"
    near = ["GET /a 200 in 30ms", "GET /b 500 in 90ms", "GET /a 200 in 10ms"]
    span = {"from_ns": DAY + MINUTE, "to_ns": DAY + 2 * MINUTE}
    assert [row["message"] for row in ask(text, **span)] == near
    minute = f"{at(1)[:-4]}"
    inside = f"_time:{minute} {text}"
    assert [row["message"] for row in ask(inside)] == near
    ann = f"source:db _time:>={at(1441)} | context before 1 by user | fields source"
    assert [row["source"] for row in ask(ann)] == ["db", "auth"]


def test_a_chart_of_too_many_rows_is_refused(ask: Any) -> None:
    with pytest.raises(BadRequest, match="at most 10000 rows of time"):
        ask("* | timechart 1s count()")
    with pytest.raises(BadRequest, match="at most 10000 rows of time"):
        ask("* | timechart 1s count()", from_ns=DAY, to_ns=DAY + 1440 * MINUTE)


def test_what_is_no_pattern_to_the_store_is_a_bad_request(ask: Any) -> None:
    with pytest.raises(BadRequest, match="repeats go up to 1000"):
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


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("* | dedup host", 1),
        ("* | dedup 3 host, level", 2),
        ("* | sort by took | dedup host", 1),
        ("* | where took > 1 | dedup host", 0),
        ("* | eval h = upper(host) | dedup h", 0),
        ("* | head 10 | dedup host", 0),
    ],
)
def test_dedup_asks_for_the_first_rows_of_each_value_alone(
    text: str, columns: int
) -> None:
    """Where each row is an entry still, and what it goes by is read as it is."""
    (scan,) = parse_query(text).plan().scans
    by = () if scan.first is None else scan.first.by
    assert len(by) == columns
