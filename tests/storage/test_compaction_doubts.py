"""Doubts: what a compacted day knows of its entries, and answers that rely on it."""

import re
from typing import Any

import pytest

from logstream.core.doubts import (
    DOTTED,
    INFINITE,
    LISTED,
    NESTED,
    UNTOLD,
    ValueKind,
    other,
    there,
)
from logstream.core.entry import Entry
from logstream.query import compile_filter
from logstream.query.query import compile_query
from logstream.storage.doubting import MAX_FIELDS
from logstream.storage.partition import Key, index_of
from logstream.storage.selection import Selection
from logstream.storage.skip_index import open_index
from logstream.storage.statements import Statements
from tests.storage.compacted_day import DAY, compact, entry

KINDS: tuple[ValueKind, ...] = (
    *("number", "whole", "real"),
    *("text", "truth", "scalar"),
)


def as_entry(fields: dict[str, Any]) -> Entry:
    at = "2026-01-01T00:00:00Z"
    return Entry(timestamp=at, source="db", level="info", message="", fields=fields)


def finds_what_it_means(store: Any, text: str, given: list[dict[str, Any]]) -> None:
    """Of entries with these fields, in the order they were loaded in."""
    query = compile_filter(text)
    expected = {
        f"entry {at}"
        for at, fields in enumerate(given)
        if query.matches(as_entry(fields))
    }
    for fast in (query.fast_sql, query.where_sql):
        chosen = Selection(where=query.sql, fast=fast, needs=query.needs)
        page = store.reader.entries(chosen, limit=100)
        assert {row.message for row in page.rows} == expected, text


def index_of_day(store: Any) -> Any:
    (partition,) = store.partitions.readable([Key(DAY)])
    path = partition.path
    (key,) = (
        store.hub.cursor()
        .execute(f"SELECT key FROM {partition.name}.compacted")
        .fetchall()[0]
    )
    return open_index(index_of(path), key=key)


@pytest.mark.parametrize(
    ("fields", "unfounded"),
    [
        ({"a": 1, "b": {"c.d": None}}, {DOTTED, LISTED}),
        ({"a.b": 1}, {LISTED, NESTED}),
        ({"a": {"b": [1]}}, {DOTTED}),
        ({"a": [], "b.c": "x"}, {NESTED}),
        ({"a": [{"b": 1}]}, {DOTTED, NESTED}),
        ({"a": {}}, {DOTTED, LISTED}),
        ({}, {DOTTED, LISTED, NESTED}),
    ],
)
def test_a_day_knows_what_its_entries_have_not(
    store: Any, fields: dict[str, Any], unfounded: set[str]
) -> None:
    store.load(*(entry(at, "db", table=f"t{at % 5}") for at in range(20)))
    store.load(entry(1, "app", **fields))
    compact(store)
    found = index_of_day(store).unfounded
    assert found & {DOTTED, LISTED, NESTED} == unfounded


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ([1, -2, 0.5, 2**64], {"number", "scalar"}),
        ([1, 1.5], {"number", "scalar"}),
        ([1, -1], {"number", "scalar"}),
        ([0, 7, None, 2**64 - 1], {"number", "whole", "scalar"}),
        ([1.0, -1e300, None, 2**64], {"number", "real", "scalar"}),
        (["a", "1"], {"text", "scalar"}),
        ([True, False], {"truth", "scalar"}),
        (["a", None], {"text", "scalar"}),
        ([1, "a"], {"scalar"}),
        ([1, True], {"scalar"}),
        ([None], set()),
        ([1, [1]], set()),
        (["a", {"b": 1}], set()),
        (["a", {}], set()),
    ],
)
def test_a_day_knows_the_kinds_of_a_field(
    store: Any, values: list[Any], kinds: set[ValueKind]
) -> None:
    store.load(*(entry(at, "db", a=value) for at, value in enumerate(values)))
    store.load(*(entry(at, "db", o={"a": one}) for at, one in enumerate(values)))
    compact(store)
    found = index_of_day(store).unfounded
    for way in (("a",), ("o", "a")):
        known = {kind for kind in KINDS if other(way, kind) in found}
        assert known == kinds


def test_of_names_that_differ_in_case_only_a_day_knows_nothing(store: Any) -> None:
    store.load(entry(0, "db", a=1, b=1, C={"d": 1}))
    store.load(entry(1, "db", A="x", b=1, c={"d": 1}))
    compact(store)
    found = index_of_day(store).unfounded
    assert other(("b",), "number") in found
    for way in (("a",), ("A",), ("C", "d"), ("c", "d")):
        assert other(way, "scalar") not in found


@pytest.mark.parametrize(
    ("value", "known"), [(1.5, True), ("NaN", False), ("inf", True), (1e300, True)]
)
def test_a_day_knows_whether_its_numbers_are_finite(
    store: Any, value: Any, *, known: bool
) -> None:
    store.load(entry(0, "db", a=value))
    compact(store)
    assert (INFINITE in index_of_day(store).unfounded) == known


NUMBERS = [0, 1, 200, -200, 200.0, 0.5, 2**53, 2**53 + 1, 2**64 - 1, 1e16, 1e300]
TEXTS = ["200", "200.0", "0", "true", "null", "", "[1]", "{}", "NaN", "inf", "a"]
ALL_VALUES = {
    "numbers": NUMBERS,
    "whole numbers": [0, 1, 2, 200, 2**53, 2**53 + 1, 2**53 + 3, 2**64 - 1],
    "real numbers": [0.0, -0.0, 1.0, 0.5, -200.0, 200.0, 2.0**53, 1e16, 1e300, 1e-9],
    "small numbers": [0, 1, 199, 200, 201, 499],
    "texts": TEXTS,
    "truths": [True, False],
    "all but arrays": [*NUMBERS, *TEXTS, True, False, {"a": 1}, {}],
    "all": [*NUMBERS, *TEXTS, True, False, {"a": 1}, {}, [200], [True, "null"], []],
}
TESTS = (
    *("200", "200.0", "2e2", "0", "-0.0", "0.5", "1", "true", "false", "null", "inf"),
    *("9007199254740992", "9007199254740993", "18446744073709551615", "1e300", '""'),
    *("in(200, 0.5)", "in(200, true)", "in(a, null)", "in(null, 200)", "in(true, inf)"),
    *(">=0", "<1", "[0 TO 1]", "*", "2*", '"[*"', "/[0-9]/", "/^.1/", '"{}"', '"[1]"'),
    *(">0", "<0", "<=-1", ">=200", ">200", "[0.5 TO 200.5]", "{1 TO 200}", "[9 TO 3]"),
    *(">=9007199254740992", ">9007199254740992", "<=9007199254740992", ">1e300"),
    *("<=9007199254740995", ">=9007199254740996", "<=18446744073709551615", ">=2e19"),
)


@pytest.mark.parametrize("values", ALL_VALUES.values(), ids=ALL_VALUES)
def test_a_day_that_knows_its_kinds_finds_what_the_filter_means(
    store: Any, values: list[Any]
) -> None:
    given = [{}, {"a": None}, *({"a": value} for value in values)]
    store.load(*(entry(at, "db", **fields) for at, fields in enumerate(given)))
    compact(store)
    for test in TESTS:
        for text in (f"a:{test}", f"-a:{test}", f"a:{test} OR a:7"):
            finds_what_it_means(store, text, given)


@pytest.mark.parametrize("name", ["a_ms", "a_bytes", "a_kb", "a_hours", "a.b_ms"])
@pytest.mark.parametrize("values", ALL_VALUES.values(), ids=ALL_VALUES)
def test_a_day_that_knows_its_kinds_finds_quantities(
    store: Any, values: list[Any], name: str
) -> None:
    given = [{}, *({name: value} for value in (*values, "200ms", "1kB", None))]
    store.load(*(entry(at, "db", **fields) for at, fields in enumerate(given)))
    compact(store)
    sizes = (">=200B", ">200B", "<=0.2kB", ">=0kB", "<1kB", ">200kB", "[1kB TO 200kB]")
    times = (">=200ms", ">200ms", "<=1ms", "<0ms", ">=0s", "<720000s", ">1us", ">1e3ms")
    for test in (*sizes, *times):
        finds_what_it_means(store, f"{name}:{test}", given)


PIPES = (
    "* | stats count() by a",
    "* | stats first(a), last(a), values(a), uniq(a)",
    "* | stats sum(a), avg(a), min(a), max(a), median(a) | eval x = 1",
    "* | sort by a | fields a",
    "* | fields id, a | rename a as b",
    "* | top 30 a",
    "* | where a > 0 | stats count()",
)


ABSENT = (
    *(
        "b:>0",
        "-b:>0",
        "b:x",
        "-b:x",
        "b:null",
        "-b:null",
        "b:*",
        "-b:*",
        "b:in(1, null)",
    ),
    *(
        "b.c:x",
        "-b.c:>5",
        "a.c:*",
        "-a.c:1",
        "b_ms:>1s",
        "-b:/x/",
        "A:1",
        "-A:*",
        "b:1",
    ),
)
ABSENT_PIPES = (
    "* | stats count() by b",
    "* | stats sum(b), count(b), uniq(b), values(b), first(b)",
    "* | sort by b desc, a | fields a, b",
    "* | where b > 0 or b is null | fields b, b.c, a.c, A",
    "* | top b",
    "* | eval x = b + 1, y = coalesce(b, 5) | fields x, y",
)


@pytest.mark.parametrize("kept", [{"a": 1}, {"a": {"d": None}}, {}])
def test_what_no_entry_has_is_not_looked_for(store: Any, kept: dict[str, Any]) -> None:
    given = [{}, {"a": None, "b": None}, kept]
    store.load(*(entry(at, "db", **fields) for at, fields in enumerate(given)))
    statements = Statements(store.hub, store.partitions, timeout_s=60)

    def rows(text: str) -> list[Any]:
        plan = compile_query(text).plan(limit=100)
        return statements.run(plan, lambda result: [*result.batches()])

    before = {text: rows(text) for text in (*ABSENT, *ABSENT_PIPES)}
    compact(store)
    found = index_of_day(store).unfounded
    assert UNTOLD in found
    assert there(("b",)) not in found
    assert (there(("A",)) in found) == bool(kept)
    for text, expected in before.items():
        assert rows(text) == expected, text
        plan = compile_query(text).plan()
        explained = statements.explain(plan).sql
        if ".entries" in explained and not re.search(r"\b[aA]\b", text):
            assert "variant_extract" not in explained, text
    store.load(entry(3, "late", b=1, A=2))
    late = entry(3, "late", b=1)
    assert late["message"] in str(rows("b:1"))
    assert rows("* | stats sum(b), sum(A)") == [[(1.0, 2.0)]]


def test_of_too_many_fields_a_day_tells_of_none(store: Any) -> None:
    many = MAX_FIELDS // 2 + 1
    store.load(entry(0, "db", **{f"a{at}": at for at in range(many)}))
    store.load(entry(1, "db", **{f"b{at}": at for at in range(many)}))
    compact(store)
    found = index_of_day(store).unfounded
    assert UNTOLD not in found
    assert there(("a1",)) not in found
    query = compile_filter("c:1 OR b2:2")
    chosen = Selection(where=query.sql, fast=query.fast_sql, needs=query.needs)
    assert [row.message for row in store.reader.entries(chosen, limit=9).rows] == [
        "entry 1"
    ]


@pytest.mark.parametrize("text", PIPES)
@pytest.mark.parametrize("values", ALL_VALUES.values(), ids=ALL_VALUES)
def test_pipes_give_the_same_over_a_day_that_knows_its_kinds(
    store: Any, values: list[Any], text: str
) -> None:
    given = [{}, {"a": None}, *({"a": value} for value in values)]
    store.load(*(entry(at, "db", **fields) for at, fields in enumerate(given)))
    statements = Statements(store.hub, store.partitions, timeout_s=60)
    plan = compile_query(text).plan(limit=100)

    def found() -> list[tuple[Any, ...]]:
        return statements.run(
            plan, lambda result: [row for rows in result.batches() for row in rows]
        )

    before = found()
    compact(store)
    assert found() == before


QUERIES = {
    "a.b:x": {"nested", "dotted", "late"},
    "-a.b:x": {"other", "array"},
    "a.b:*": {"nested", "dotted", "late", "other", "array"},
    "a.b:y": {"other"},
    "tags:q": {"array", "late"},
    "-tags:q": {"nested", "dotted", "other"},
    "tags:q*": {"array", "late"},
}


@pytest.mark.parametrize("text", QUERIES)
@pytest.mark.parametrize("first", [("nested", "other"), ("dotted", "other", "array")])
def test_what_comes_late_is_found_with_a_dot_and_in_an_array(
    store: Any, text: str, first: tuple[str, ...]
) -> None:
    made: dict[str, dict[str, Any]] = {
        "nested": {"a": {"b": "x"}},
        "dotted": {"a.b": "x"},
        "other": {"a": {"b": "y"}, "tags": "z"},
        "array": {"a": {"b": "z"}, "tags": ["q"]},
        "late": {"a.b": "x", "tags": ["q", "r"]},
    }
    query = compile_filter(text)
    chosen = Selection(where=query.sql, fast=query.fast_sql, needs=query.needs)

    def found() -> set[str]:
        page = store.reader.entries(chosen, limit=100)
        return {row.source for row in page.rows}

    store.load(*(entry(1, name, **made[name]) for name in first))
    assert found() == QUERIES[text] & {*first}
    compact(store)
    assert found() == QUERIES[text] & {*first}
    store.load(entry(2, "late", **made["late"]))
    assert found() == QUERIES[text] & {*first, "late"}
