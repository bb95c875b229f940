"""Times in filters: what each covers, what depends on now, and the span of a query."""

from datetime import UTC, datetime
from typing import Any, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstream.core.entry import Entry
from logstream.core.sql import Sql
from logstream.core.timestamps import canonical, format_ns, parse_ns
from logstream.query import compile_expr, parse
from logstream.query.filter import Filter

NOW = "2026-11-21T10:30:00Z"
DAY_NS = 86_400 * 10**9


class Store(Protocol):
    def hold(self, entries: list[Entry]) -> None: ...
    def finds(self, sql: Sql) -> list[bool]: ...


def at(timestamp: str, **fields: Any) -> Entry:
    return Entry(
        id=1,
        timestamp=timestamp,
        source="web",
        level="info",
        message="a",
        fields=fields,
    )


def compiled(text: str) -> Filter:
    return compile_expr(parse(text), at_ns=parse_ns(NOW))


@pytest.mark.parametrize(
    ("text", "finds", "misses"),
    [
        ("_time:5m", "2026-11-21T10:25:00Z", "2026-11-21T10:24:59.9Z"),
        ("_time:5m", NOW, "2026-11-21T10:30:00.1Z"),
        ("timestamp:1h30m", "2026-11-21T09:00:00Z", "2026-11-21T08:59:59Z"),
        ("timestamp:>now-1h", "2026-11-21T09:30:00.1Z", "2026-11-21T09:30:00Z"),
        ("timestamp:>-1h", "2026-11-21T09:30:00.1Z", "2026-11-21T09:30:00Z"),
        ("timestamp:<=now-1d", "2026-11-20T10:30:00Z", "2026-11-20T10:30:01Z"),
        ("timestamp:today", "2026-11-21T00:00:00Z", "2026-11-20T23:59:59Z"),
        ("timestamp:today", "2026-11-21T23:59:59.999999999Z", "2026-11-22T00:00:00Z"),
        ("timestamp:yesterday", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"),
        ("timestamp:>yesterday", "2026-11-21T00:00:00Z", "2026-11-20T23:59:59Z"),
        ("timestamp:>=yesterday", "2026-11-20T00:00:00Z", "2026-11-19T23:59:59Z"),
        ("_time:2026-11-20", "2026-11-20T23:59:59.9Z", "2026-11-21T00:00:00Z"),
        ("_time:2026-02", "2026-02-28T23:59:59Z", "2026-03-01T00:00:00Z"),
        ("_time:2026-12", "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"),
        ("_time:>2026-11-20", "2026-11-21T00:00:00Z", "2026-11-20T23:59:59Z"),
        ("_time:<=2026-11-20", "2026-11-20T23:59:59Z", "2026-11-21T00:00:00Z"),
        ("_time:<2026-11-20", "2026-11-19T23:59:59Z", "2026-11-20T00:00:00Z"),
        ("_time:[now-2d TO yesterday]", "2026-11-20T23:59:59Z", NOW),
        ("_time:[2026-11-01 TO 2026-11-02}", "2026-11-01T23:59:59Z", "2026-11-02"),
        ("_time:(today OR 2026-01)", "2026-01-05T00:00:00Z", "2026-02-05T00:00:00Z"),
        ("-_time:5m", "2026-11-21T10:24:59.9Z", NOW),
    ],
)
def test_what_a_time_covers(store: Store, text: str, finds: str, misses: str) -> None:
    entries = [at(finds), at(canonical(misses))]
    query = compiled(text)
    store.hold(entries)
    assert [query.matches(entry) for entry in entries] == [True, False]
    assert store.finds(query.sql) == [True, False]
    assert parse(query.text) == query.expr


def test_the_text_keeps_what_depends_on_now() -> None:
    query = compiled("_time:5m AND timestamp:>=now-1h")
    assert query.text == "_time:5m AND timestamp:>=now-1h"
    assert query.sql == compiled(query.text).sql


def test_now_is_when_a_filter_is_compiled() -> None:
    moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    assert compile_expr(parse("_time:1h")).matches(at(moment))
    assert not compile_expr(parse("_time:1h")).matches(at(NOW.replace("2026", "2020")))


def ns(text: str | None) -> int | None:
    return None if text is None else parse_ns(text)


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("error", None, None),
        ("timestamp:>=2026-11-20", "2026-11-20", None),
        ("timestamp:<2026-11-20", None, "2026-11-20"),
        ("error _time:2026-11-20", "2026-11-20", "2026-11-21"),
        ("timestamp:>=2026-11-18 timestamp:<2026-11-20", "2026-11-18", "2026-11-20"),
        ("timestamp:2026-11-18 OR timestamp:2026-11-20", "2026-11-18", "2026-11-21"),
        ("timestamp:2026-11-18 OR error", None, None),
        ("NOT timestamp:2026-11-18", None, None),
        ("timestamp:2026-11-18 timestamp:2026-11-20", "2026-11-20", "2026-11-20"),
        ("x:1 (error OR y:1) _time:today", "2026-11-21", "2026-11-22"),
        ("fields.timestamp:>=2026-11-18", None, None),
        ("timestamp:*", None, None),
    ],
)
def test_the_span_of_a_query(text: str, begin: str | None, end: str | None) -> None:
    assert compiled(text).span == (ns(begin), ns(end))


TIMES = ["2026-11-19", "2026-11", "today", "now-1d", "5m", "2026-11-20T12:00:00Z"]
conditions = st.one_of(
    st.sampled_from(TIMES).map("timestamp:{}".format),
    st.tuples(st.sampled_from(["<", "<=", ">", ">="]), st.sampled_from(TIMES))
    .filter(lambda pair: pair[1] != "5m")
    .map(lambda pair: "timestamp:" + "".join(pair)),
    st.just("error"),
)
queries = st.recursive(
    conditions,
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        inner.map("NOT ({})".format),
    ),
    max_leaves=5,
)


@given(queries, st.integers(-3 * DAY_NS, 3 * DAY_NS))
def test_nothing_outside_of_the_span_matches(text: str, offset: int) -> None:
    query = compiled(text)
    moment = parse_ns(NOW) + offset
    begin, end = query.span
    if (begin is not None and moment < begin) or (end is not None and moment >= end):
        assert not query.matches(at(format_ns(moment)))
