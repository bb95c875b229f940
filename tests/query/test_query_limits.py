"""The largest queries that are allowed run; larger ones are refused, clearly."""

import sys
from typing import Protocol

import pytest

from logstream.core.entry import Entry
from logstream.core.errors import BadRequest, QuerySyntaxError
from logstream.core.sql import Sql
from logstream.query import (
    Expr,
    Match,
    Not,
    Says,
    all_of,
    any_of,
    compile_expr,
    compile_filter,
    glob_of,
)
from logstream.query.limits import MAX_DEPTH, MAX_TERMS, MAX_TEXT_BYTES

ENTRY = Entry(
    id=1,
    timestamp="2025-01-01T00:00:00Z",
    source="web",
    level="info",
    message="a b",
    fields={"a": 1},
)


class Store(Protocol):
    def hold(self, entries: list[Entry]) -> None: ...
    def finds(self, sql: Sql) -> list[bool]: ...


def expect_both_say(store: Store, text: str, answer: bool) -> None:
    query = compile_filter(text)
    store.hold([ENTRY])
    assert query.matches(ENTRY) is answer
    assert store.finds(query.sql) == [answer]
    assert compile_filter(query.text).matches(ENTRY) is answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (" OR ".join(["x"] * (MAX_TERMS - 1) + ["a"]), True),
        (" ".join(["a"] * (MAX_TERMS - 1) + ["x"]), False),
        (" OR ".join(f"y.z:>{n}" for n in range(125)), False),
        (" ".join(f"-y.z:*{n}*" for n in range(71)), True),
        (" ".join(f"-y:*{n}*" for n in range(MAX_TERMS)), True),
        ("-(" + " OR ".join(f"y:>{n}" for n in range(MAX_TERMS)) + ")", True),
        (" OR ".join(f"y.z:{n}" for n in range(MAX_TERMS - 1)) + " OR a", True),
        ("(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH, True),
        ("NOT " * MAX_DEPTH + "a", True),
        ("-" * MAX_DEPTH + "a", True),
        ("(a (x OR " * (MAX_DEPTH // 2) + "b" + "))" * (MAX_DEPTH // 2), True),
        ("(a x OR " * MAX_DEPTH + "b" + ")" * MAX_DEPTH, True),
        ("-(" * (MAX_DEPTH // 2) + "a x" + ")" * (MAX_DEPTH // 2), False),
        ("a.b.c" * 12 + ":>1 OR a", True),
        ("x" * (MAX_TEXT_BYTES - 5) + " OR a", True),
        ("y:" + "x" * (MAX_TEXT_BYTES - 7) + " OR a", True),
        ("x?" * 50 + "*" + "é" * 16_000 + " OR a", True),
        ("y:" + "x*" * 100 + " OR a", True),
        ("x*" * 100 + " OR a", True),
        ("a" * 4_000 + ":x OR a", True),
        (" OR ".join(["." * 63 + ":x"] * 900) + " OR a", True),
        ("y:in(" + ", ".join(f"v{n}" for n in range(9_000)) + ") OR a", True),
        ("y:(" + " OR ".join("x" for _ in range(MAX_TERMS - 1)) + ") OR a", True),
        ("-y:(" + " OR ".join(f"*{n}*" for n in range(100)) + ")", True),
        ("/(a{10}b?){60}|x/ OR a", True),
        ("/" + "(" * 20 + "a" + ")*" * 20 + "/", True),
        ("/(a|a)*(a|a)*(a|a)*(a|a)*z/ OR a", True),
        ("/(x+x+)+y/ OR /a/", True),
        (" OR ".join(["/[^é]{900}z/"] * 8) + " OR a", True),
        (" OR ".join(["*:nothing"] * 200) + " OR a", True),
        (" OR ".join(["y:10.0.0.0/9"] * 200) + " OR a", True),
        (" OR ".join(["y:2001:db8::/33"] * 40) + " OR a", True),
        (" OR ".join(["y:>5m"] * 60) + " OR a", True),
    ],
    ids=range(33),
)
def test_the_largest_queries_run(store: Store, text: str, answer: bool) -> None:
    expect_both_say(store, text, answer)


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        (" OR ".join(["x"] * (MAX_TERMS + 1)), 5 * MAX_TERMS, "at most 1000 terms"),
        ("(" * 10_000, MAX_DEPTH, "at most 200 levels"),
        ("(" * 10_000 + "a" + ")" * 10_000, MAX_DEPTH, "at most 200 levels"),
        ("NOT " * 10_000 + "a", 4 * MAX_DEPTH, "at most 200 levels"),
        ("-" * 10_000 + "a", MAX_DEPTH, "at most 200 levels"),
        ("x" * (MAX_TEXT_BYTES + 1), MAX_TEXT_BYTES - 1, "at most 65536 bytes"),
        ("é" * (MAX_TEXT_BYTES // 2 + 1), MAX_TEXT_BYTES // 2 + 1, "65536 bytes"),
        ("a OR " * 200_000, MAX_TEXT_BYTES - 1, "at most 65536 bytes"),
        ("x:" + "(" * 10_000, 2 + MAX_DEPTH, "at most 200 levels"),
        ("x:(" + "-" * 10_000 + "a)", 2 + MAX_DEPTH, "at most 200 levels"),
        ("/" + "(" * 400 + "a" + ")" * 400 + "/", 0, "nested too deeply"),
        ("/(((a{9}){9}){9}){9}/", 0, "Repeats go up to 1000"),
        ("/(?:[a-y]{500}|[b-z]{500}){2}é{900}/", 0, "too large"),
        ("/a{99999999999999999999}/", 0, "regular expression"),
        ("/ /" * 30_000, MAX_TEXT_BYTES - 1, "at most 65536 bytes"),
    ],
    ids=range(15),
)
def test_larger_ones_are_refused(text: str, offset: int, message: str) -> None:
    """With an error of ours, whatever the depth: Python's stack is not the limit."""
    with pytest.raises(QuerySyntaxError, match=message) as raised:
        compile_filter(text)
    assert raised.value.offset == offset


@pytest.mark.parametrize(
    "text",
    [
        " OR ".join(f"y.z:>{n}" for n in range(126)),
        " ".join("-" + "y." * 63 + f"z:{n}" for n in range(8)),
    ],
    ids=range(2),
)
def test_what_would_take_too_much_memory_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="too often into fields of fields"):
        compile_filter(text)


def test_fast_sql_that_would_take_too_much_memory_is_not_used() -> None:
    query = compile_filter(" ".join(f"-y:*{n}*" for n in range(MAX_TERMS)))
    assert query.fast_sql == query.sql


def test_levels_are_those_that_are_open() -> None:
    """Two hundred groups side by side are not deep."""
    assert compile_filter("(a) -(-b) " * 200).matches(ENTRY)


def test_the_parser_leaves_room_on_the_stack() -> None:
    """Two frames for each level, for it is called from deep inside a server."""
    text = "(a x OR " * MAX_DEPTH + "b" + ")" * MAX_DEPTH
    limit = sys.getrecursionlimit()
    depth = 0
    frame = sys._getframe()
    while frame.f_back is not None:
        depth, frame = depth + 1, frame.f_back
    sys.setrecursionlimit(depth + 700)
    try:
        assert compile_filter(text).matches(ENTRY)
    finally:
        sys.setrecursionlimit(limit)


def _deep(levels: int) -> Expr:
    expr: Expr = Says(glob_of("a"))
    for _ in range(levels):
        expr = Not(expr)
    return expr


@pytest.mark.parametrize(
    "expr",
    [
        any_of(*[Match("x", glob_of("1"))] * (MAX_TERMS + 1)),
        _deep(MAX_DEPTH + 1),
        _deep(10_000),
        Not(all_of(Says(glob_of("b")), _deep(MAX_DEPTH - 1))),
        all_of(Says(glob_of("b")), any_of(Says(glob_of("b")), _deep(MAX_DEPTH))),
    ],
    ids=range(5),
)
def test_trees_of_programs_have_the_same_limits(expr: Expr) -> None:
    with pytest.raises(BadRequest, match="at most 1000 terms, 200 levels deep"):
        compile_expr(expr)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a*b*c", "b c " + "a." * 200_000),
        ("aa*aa*ab*b", "ab b " + "a" * 400_000),
        ("?a*x", "x " + "ba" * 200_000),
        (r"a\ b*c*d", "d c " + "a b" * 100_000),
    ],
)
def test_matching_takes_linear_time(text: str, message: str) -> None:
    """A sender could stop us otherwise: the time limit of a test is the assertion."""
    entry = Entry(
        timestamp=ENTRY.timestamp,
        source="web",
        level="info",
        message=message,
        fields={"x": message},
    )
    assert not compile_filter(text).matches(entry)
    assert not compile_filter(f"x:{text}").matches(entry)
    assert not compile_filter(f"x:*{text}?*!").matches(entry)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("/(a+)+$/", "a" * 30_000 + "b"),
        (r"/(\w+\s?)*$!/", "ab " * 20_000),
        (r"/(.*,){20}z/", "a," * 20_000),
        ("/(a|aa)+b/", "a" * 60_000),
        ("/(a?){40}a{40}b/", "a" * 3_000),
        ("/x*x*x*x*y/", "x" * 60_000),
        ("/[a-z]*[0-9]*[a-z]*!/i", "Ab1" * 20_000),
    ],
)
def test_regular_expressions_take_linear_time(
    store: Store, text: str, message: str
) -> None:
    """Of Python's own, most of these would not end."""
    entry = Entry(
        id=1, timestamp=ENTRY.timestamp, source="web", level="info", message=message
    )
    query = compile_filter(text)
    store.hold([entry])
    assert store.finds(query.sql) == [query.matches(entry)]


def test_the_lexer_looks_for_slashes_once() -> None:
    """Each `/` that opens nothing looks no further than the next one."""
    text = "/a x" * 15_000
    with pytest.raises(QuerySyntaxError, match="at most 1000 terms"):
        compile_filter(text)
