"""`compare`: this range against the one before, on a store of two days."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

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
    ]),
    # Who leads now, with what it had before, when it did not lead.
    ("* | top 1 level | drop percent | compare", [
        {"level": "info", "count": 1, "count_before": 2, "count_change": -50.0},
    ]),
    ("* | rare 1 level | drop percent | compare", [
        {"level": "info", "count": 1, "count_before": 2, "count_change": -50.0},
    ]),
    # What rows are grouped by is that under another name too.
    (("took:* OR user:* | stats count() as n by range(took, 50) as t "
     "| rename t as r | fields n, r | compare | where n_before > 0"), [
        {"n": 0, "n_before": 2, "n_change": -100.0, "r": 0.0},
        {"n": 0, "n_before": 1, "n_change": -100.0, "r": 50.0},
    ]),
    # What is no number is that of now, and keeps no rows apart.
    (("* | stats count() as n, last(user) as u, max(timestamp) as t by level | compare "
     "| where n > 0 | drop n_change"), [
        {"level": "info", "n": 1, "n_before": 2, "u": "bob", "t": at(8)},
        {"level": "warn", "n": 1, "n_before": 0, "u": "ann", "t": at(7)},
    ]),
    # The order stays.
    (("* | stats count() as n by level | sort by n desc, level desc | compare "
     "| fields level, n_before"), [
        {"level": "warn", "n_before": 0},
        {"level": "info", "n_before": 2},
        {"level": "error", "n_before": 1},
    ]),
    # Without a span, it goes back by whole buckets.
    ("* | timechart 2m count() as n | compare | fields timestamp, n, n_before", [
        {"timestamp": at(4), "n": 0, "n_before": 0},
        {"timestamp": at(6), "n": 1, "n_before": 2},
        {"timestamp": at(8), "n": 1, "n_before": 1},
    ]),
    ("* | stats count() as n by _time(2m) | compare | fields timestamp, n, n_before", [
        {"timestamp": at(6), "n": 1, "n_before": 2},
        {"timestamp": at(8), "n": 1, "n_before": 1},
    ]),
    ("* | patterns | fields pattern, count | compare | fields count, count_before", [
        {"count": 1, "count_before": 0},
        {"count": 1, "count_before": 0},
        {"count": 0, "count_before": 3},
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
    monkeypatch.setattr("logstream.query.builder.now_ns", lambda: now)
    text = "* | stats count() as n by source | compare"
    assert ask("* | stats count() as n | compare 2m") == [
        {"n": 2, "n_before": 0, "n_change": None}
    ]
    assert {row["source"]: (row["n"], row["n_before"]) for row in ask(text)} == {
        "auth": (2, 0), "db": (2, 0), "kv": (2, 0), "web": (1, 2)
    }  # fmt: skip


def test_times_in_filters_move_along(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = DAY + 1441 * MINUTE + 1
    monkeypatch.setattr("logstream.query.builder.now_ns", lambda: now)
    text = "stats count() as n | compare"
    fewer = [{"n": 2, "n_before": 3, "n_change": -33.333}]
    assert ask(f"_time:[{at(5)} TO {at(10)}}} | {text}") == fewer
    assert ask(f"_time:>={at(5)} | {text} 5m", to_ns=DAY + 10 * MINUTE) == fewer
    assert ask(f"* | filter _time:[{at(5)} TO {at(10)}}} | {text}") == fewer
    same = [{"n": 2, "n_before": 2, "n_change": 0.0}]
    assert ask(f"_time:5m | {text} 1d") == same
    assert ask(f"NOT _time:<now-5m | {text} 1d") == same
    inside = "stats count() if (_time:1m) as n | compare 1d | drop n_change"
    for filter_text in ("_time:5m", "source:(web OR db) _time:2026-01-02"):
        assert ask(f"{filter_text} | {inside}") == [{"n": 1, "n_before": 1}]


def test_a_join_inside_is_compared_too(ask: Any) -> None:
    text = (
        "* | join by (user) (user:* | stats count() as c by user) "
        "| stats sum(c) as s | compare 1d"
    )
    rows = ask(text, from_ns=DAY + 1440 * MINUTE, to_ns=DAY + 2880 * MINUTE)
    assert rows == [{"s": 1.0, "s_before": 2.0, "s_change": -50.0}]


@pytest.fixture(scope="module")
def ask_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Before: many users and a start; now: one of them and a stop."""
    before = [f"user {name} left" for name in ("ann", "bob", "cyd", "dee", "eve")]
    texts = [(at(1), text) for text in (*before, "disk full", "disk full")]
    texts += [(at(6), "user ann left"), (at(7), "disk gone"), (at(8), "disk gone")]
    entries = [
        {"timestamp": when, "level": "info", "source": "a", "message": text}
        for when, text in texts
    ]
    made = Asked(tmp_path_factory.mktemp("users"), entries)
    yield made
    made.close()


RANGE = {"from_ns": DAY + 5 * MINUTE, "to_ns": DAY + 10 * MINUTE}
NAMES = "| fields pattern, count | compare | drop count_change"


def test_patterns_of_both_ranges_have_the_same_names(ask_users: Any) -> None:
    assert ask_users("* | patterns | fields pattern", **RANGE) == [
        {"pattern": "disk gone"}, {"pattern": "user ann left"}
    ]  # fmt: skip
    assert ask_users(f"* | patterns {NAMES}", **RANGE) == [
        {"pattern": "disk gone", "count": 2, "count_before": 0},
        {"pattern": "user <*> left", "count": 1, "count_before": 5},
        {"pattern": "disk full", "count": 0, "count_before": 2},
    ]
    behind = "* | where level = 'info' | patterns | where count > 0 "
    assert ask_users(behind + NAMES, **RANGE) == ask_users(
        f"* | patterns {NAMES}", **RANGE
    )


def test_patterns_of_a_query_inside_keep_to_themselves(ask_users: Any) -> None:
    inside = "message in (* | patterns limit 1 | fields sample)"
    text = f"* | where {inside} | stats count() as n"
    assert ask_users(text, **RANGE) == [{"n": 2}]
    found = ask_users(f"{text} | compare | drop n_change", **RANGE)
    assert found == [{"n": 2, "n_before": 1}]
    text = f"* | where {inside} | patterns | fields pattern, count"
    assert ask_users(text, **RANGE) == [{"pattern": "disk gone", "count": 2}]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("patterns limit 2", ["disk gone", "user <*> left"]),
        ("patterns limit 2 | fields pattern, count | head 1", ["disk gone"]),
        ("stats count() as count by message as pattern | head 2",
         ["disk full", "disk gone"]),
        ("stats count() as count by message as pattern | sort by count desc limit 1",
         ["disk gone"]),
        # What was there only before comes behind, the most frequent first.
        ("top 4 message as pattern",
         ["disk gone", "user ann left", "disk full", "user bob left"]),
        ("rare 3 message as pattern", ["user ann left", "disk gone", "user bob left"]),
    ],
)  # fmt: skip
def test_limits_are_those_of_what_comes_out(
    ask_users: Any, text: str, rows: list[str]
) -> None:
    found = ask_users(f"* | {text} | compare", **RANGE)
    assert [row["pattern"] for row in found] == rows
    figures = {row["pattern"]: row["count_before"] for row in found}
    known = {"disk gone": 0, "disk full": 2, "user <*> left": 5, "user ann left": 1}
    assert figures == {one: known.get(one, 1) for one in figures}
