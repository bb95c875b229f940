"""Pipes by example, run on a store of two days."""

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


def entry(minute: int, source: str, level: str, message: str, **fields: Any) -> Any:
    day, hour = divmod(minute, 1440)
    time = f"2026-01-{day + 1:02d}T{hour // 60:02d}:{hour % 60:02d}:00Z"
    return {
        "timestamp": time,
        "source": source,
        "level": level,
        "message": message,
        "fields": fields,
    }


ENTRIES = [
    entry(0, "web", "info", "GET /a", host="h1", status=200, took=10),
    entry(1, "web", "error", "GET /b", host="h1", status=500, took=90),
    entry(2, "web", "info", "GET /a", host="h2", status=204, took=30),
    entry(7, "auth", "warn", "login failed", user="ann", ip="10.0.0.1", tries=2),
    entry(8, "auth", "info", "login", user="bob", ip="10.0.0.2", tries="3"),
    entry(1440, "db", "error", "slow query", took="700", http={"code": 7}),
    entry(1441, "db", "info", "query", took=None, user="ann"),
]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    made = _module.Asked(tmp_path_factory.mktemp("store"), ENTRIES)
    yield made
    made.close()


EXAMPLES: list[tuple[str, list[dict[str, Any]]]] = [
    ("* | stats count()", [{"count()": 7}]),
    ("nothing | stats count() as n, sum(took)", [{"n": 0, "sum(took)": None}]),
    (
        "* | stats count() as n by source",
        [{"source": "auth", "n": 2}, {"source": "db", "n": 2}, {"source": "web", "n": 3}],
    ),
    (
        "* | stats count() as n by source | sort by n desc",
        [{"source": "web", "n": 3}, {"source": "auth", "n": 2}, {"source": "db", "n": 2}],
    ),
    (
        "* | stats count() as n by source | sort by source desc | sort by n",
        [{"source": "db", "n": 2}, {"source": "auth", "n": 2}, {"source": "web", "n": 3}],
    ),
    (
        "* | stats count() by source | where count > 2 | sort by count desc",
        [{"source": "web", "count()": 3}],
    ),
    (
        "* | stats count(), count(user) as count by source | sort by count desc",
        [
            {"source": "auth", "count()": 2, "count": 2},
            {"source": "db", "count()": 2, "count": 1},
            {"source": "web", "count()": 3, "count": 0},
        ],
    ),
    (
        "source:web | eval a = took, b = a + 1, a = 7, c = a, d = fields.a | tail 1 | fields a, b, c, d",
        [{"a": 7.0, "b": 11.0, "c": 7.0, "d": 7.0}],
    ),
    (
        'source:auth | eval fields.x = user, y = x, z = fields.x + "!" | tail 1 | fields x, y, z',
        [{"x": "ann", "y": "ann", "z": "ann!"}],
    ),
    (
        "source:db | eval http = 5, a = http.code, b = took, c = b | tail 1 | fields http, a, b, c",
        [{"http": 5.0, "a": None, "b": "700", "c": "700"}],
    ),
    (
        "* | stats by (level) count() as n",
        [{"level": "error", "n": 2}, {"level": "info", "n": 4}, {"level": "warn", "n": 1}],
    ),
    (
        "source:web | stats sum(took) as s, avg(took) as a, min(took) as lo, max(took) as hi, median(took) as m",
        [{"s": 130.0, "a": 130 / 3, "lo": 10.0, "hi": 90.0, "m": 30.0}],
    ),
    ("* | stats sum(took) as s", [{"s": 830.0}]),
    ("* | stats count(took) as n, count(user) as u", [{"n": 4, "u": 3}]),
    ("* | stats count() if (level:error took:>100) as n", [{"n": 1}]),
    ("* | stats count_if(took >= 90) as n", [{"n": 2}]),
    ("* | stats uniq(host) as h, uniq(source, level) as p", [{"h": 2, "p": 6}]),
    ("* | stats uniq_approx(host) as h", [{"h": 2}]),
    ("* | stats values(user) as u", [{"u": ["ann", "bob"]}]),
    (
        "* | stats first(message) as f, last(user) as l",
        [{"f": "GET /a", "l": "ann"}],
    ),
    ("source:web | stats quantile(took, 0.5) as q", [{"q": 30.0}]),
    ("source:web | stats p50(took) as q, stddev(status) as s", [
        {"q": 30.0, "s": pytest.approx(172.07, abs=0.1)}
    ]),
    (
        "* | stats count() as n by _time(5m)",
        [
            {"timestamp": "2026-01-01T00:00:00Z", "n": 3},
            {"timestamp": "2026-01-01T00:05:00Z", "n": 2},
            {"timestamp": "2026-01-02T00:00:00Z", "n": 2},
        ],
    ),
    (
        "status:* | stats count() as n by range(status, 100)",
        [{"status": 200.0, "n": 2}, {"status": 500.0, "n": 1}],
    ),
    ("* | stats rate() as r by _time(5m) | head 1", [
        {"timestamp": "2026-01-01T00:00:00Z", "r": 0.01}
    ]),
    ("* | top 1 source", [{"source": "web", "count": 3, "percent": 42.857}]),
    ("* | rare 1 level", [{"level": "warn", "count": 1, "percent": 14.286}]),
    ("* | top host", [
        {"host": "h1", "count": 2, "percent": 66.667},
        {"host": "h2", "count": 1, "percent": 33.333},
    ]),
    ("* | fields message | head 2", [{"message": "query"}, {"message": "slow query"}]),
    ("* | head 2 | fields message", [{"message": "query"}, {"message": "slow query"}]),
    ("* | fields message | tail 2", [{"message": "GET /b"}, {"message": "GET /a"}]),
    ("* | fields message | offset 5", [{"message": "GET /b"}, {"message": "GET /a"}]),
    ("* | fields message | offset 5 | head 1", [{"message": "GET /b"}]),
    ("* | offset 4 | offset 1 | head 5 | head 1 | fields message", [{"message": "GET /b"}]),
    ("* | offset 50 | head 5", []),
    ("host:* | sort by took desc | fields took", [{"took": 90}, {"took": 30}, {"took": 10}]),
    ("took:* | sort took | fields took as t", [{"t": 10}, {"t": 30}, {"t": 90}, {"t": "700"}]),
    ("host:* | sort -took limit 1 | fields http, took", [{"http": None, "took": 90}]),
    ("http.code:7 | fields http, http.code", [{"http": {"code": 7}, "http.code": 7}]),
    ("* | where took > 50 | stats count() as n", [{"n": 2}]),
    ("* | where not took > 50 | stats count() as n", [{"n": 5}]),
    ("* | where user = \"ann\" and source = 'auth' | fields message", [
        {"message": "login failed"}
    ]),
    ("* | where user is null | stats count() as n", [{"n": 4}]),
    ("* | where user is not null and exists(ip) | stats count() as n", [{"n": 2}]),
    ("* | where message ~ \"^GET /[ab]$\" | stats count() as n", [{"n": 3}]),
    ("* | where source in (\"web\", \"db\") | stats count() as n", [{"n": 5}]),
    ("* | where status in (200, 204) | stats count() as n", [{"n": 2}]),
    ("* | where user in (source:db | fields user) | fields message | sort by message", [
        {"message": "login failed"}, {"message": "query"}
    ]),
    ("* | where user not in (source:db | fields user) and exists(user) | fields user", [
        {"user": "bob"}
    ]),
    ("took:10 | eval ms = took * 1000, s = ms / 1000 + 1 | fields ms, s", [
        {"ms": 10000.0, "s": 11.0}
    ]),
    ("took:10 | eval x = 1 / 0, y = 5 % 0, z = sqrt(-1) | fields x, y | where x is null",
     [{"x": None, "y": None}]),
    ("user:* | eval who = upper(coalesce(user, 'nobody')) | top 1 who", [
        {"who": "ANN", "count": 2, "percent": 66.667}
    ]),
    ("source:web | eval ok = if(status < 400, 'yes', 'no') | stats count() as n by ok", [
        {"ok": "no", "n": 1}, {"ok": "yes", "n": 2}
    ]),
    ("took:10 | eval d = timestamp - time('2025-12-31T23:59:00Z') | fields d", [{"d": 60.0}]),
    ("took:10 | eval t = timestamp + 5m | fields t", [{"t": "2026-01-01T00:05:00Z"}]),
    ("took:10 | eval d = duration('1m30s') + 500ms | fields d", [{"d": 90.5}]),
    ("took:10 | eval p = split(message, ' ', 2), l = length(message) | fields p, l", [
        {"p": "/a", "l": 6}
    ]),
    ("* | eval m = find(message, 'GET (.*)') | top 1 m", [
        {"m": "/a", "count": 2, "percent": 66.667}
    ]),
    ("* | dedup source | fields source", [
        {"source": "db"}, {"source": "auth"}, {"source": "web"}
    ]),
    ("* | stats count() as n by source | sort by n desc, source | head 2 | drop n", [
        {"source": "web"}, {"source": "auth"}
    ]),
    ("* | stats count() as n by source | rename source as s, n as m | where m > 2", [
        {"s": "web", "m": 3}
    ]),
    ("took:10 | rename took as ms | drop host", [{
        "timestamp": "2026-01-01T00:00:00Z", "source": "web", "level": "info",
        "message": "GET /a", "fields": {"ms": 10, "status": 200},
    }]),
    ("took:10 | drop message, timestamp | eval message = 'new', took = null", [{
        "source": "web", "level": "info", "message": "new",
        "fields": {"host": "h1", "status": 200},
    }]),
    ("* | filter level:error | filter source:db | fields message", [{"message": "slow query"}]),
    ("* | head 3 | filter level:error | fields message", [{"message": "slow query"}]),
    ("* | stats count() as n by level, source | stats max(n) as m, sum(n) as s", [
        {"m": 2.0, "s": 7.0}
    ]),
    ("* | sample 1 | stats count() as n", [{"n": 7}]),
    ("tries:* | stats sum(tries) as s", [{"s": 5.0}]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "rows"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_a_query_answers(ask: Any, text: str, rows: list[dict[str, Any]]) -> None:
    assert ask(text) == rows


@pytest.mark.parametrize("text", [text for text, _ in EXAMPLES], ids=str)
def test_canonical_text_reads_back(text: str) -> None:
    query = parse_query(text)
    assert parse_query(str(query)) == query
    assert str(parse_query(str(query))) == str(query)


@pytest.mark.parametrize(
    ("text", "offset", "words"),
    [
        ("* | stast count()", 4, "did you mean stats?"),
        ("* | stats cuont()", 10, "did you mean count()?"),
        ("* | eval a = lowr(b)", 13, "did you mean lower()?"),
        ("* | where (a = 1", 16, "expected ')'"),
        ("* | ", 4, "the name of a pipe"),
        ("* | head x", 9, "a number of rows"),
        ("* | head -1", 9, "a number of rows"),
        ("* | where a ~ b", None, "regular expression"),
        ("* | where matches(a, '(')", 10, "no regular expression"),
        ("* | eval a = 1 b = 2", 15, "expected '|'"),
        ("* | stats count() as n by x as n", None, "the same name"),
        ("* | where " + "(" * 5000, None, "at most"),
        ("* | where " + "not " * 5000 + "a", None, "at most"),
        ("* " + "| head " * 60, None, "at most 50 pipes"),
        (
            "* | sort by " + ", ".join(f"a{n}" for n in range(40)),
            None,
            "at most 32 keys",
        ),
        ("* | where a in (b", None, "expected"),
        ("* | eval a = 5y", 14, "unit"),
        ("* | eval a = 'x", 13, "closing"),
        ("* | head 1)", 10, "closes nothing"),
    ],
)
def test_a_mistake_is_shown(text: str, offset: int | None, words: str) -> None:
    with pytest.raises((QuerySyntaxError, BadRequest)) as caught:
        compile_query(text)
    assert words in str(caught.value)
    if offset is not None:
        assert isinstance(caught.value, QuerySyntaxError)
        assert caught.value.offset == offset


@pytest.mark.parametrize(
    "text",
    [
        "* | stats count() by source | where x > 1",
        "* | fields a | fields b",
        "* | stats count() as n by source | filter level:error",
        "* | eval id = 5",
    ],
)
def test_what_is_not_there_is_said(text: str) -> None:
    with pytest.raises(BadRequest):
        compile_query(text)


def test_names_that_users_choose_are_never_sql(ask: Any) -> None:
    for name in ('"; DROP TABLE x --', "a'b", "`", "c1", "s0_0", "select", "ü", "{}"):
        quoted = "`" + name.replace("`", "\\`") + "`"
        rows = ask(f"took:10 | eval {quoted} = 1 | stats sum({quoted}) as {quoted}")
        assert rows == [{name: 1.0}]


def test_a_span_prunes_and_bounds(ask: Any) -> None:
    day = 1_767_225_600_000_000_000
    rows = ask("* | stats count() as n, rate() as r", from_ns=day, to_ns=day + 10**11)
    assert rows == [{"n": 2, "r": 0.02}]


def test_the_newest_rows_touch_the_newest_day_only(ask: Any) -> None:
    plan = compile_query("* | eval a = 1 | head 2").plan()
    found = ask.statements.explain(plan)
    assert [one.day for one in found.days["s0"]] == ["2026-01-02"]


def test_rows_behind_an_offset_read_no_more_than_both() -> None:
    [scan] = parse_query("level:error | offset 20 | head 10").plan().scans
    assert scan.newest == 30
    [scan] = parse_query("level:error | offset 20 | where n > 1 | head").plan().scans
    assert scan.newest is not None
    assert scan.newest > 1_000_000
