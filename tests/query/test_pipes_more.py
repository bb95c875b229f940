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
