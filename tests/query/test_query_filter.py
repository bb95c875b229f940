"""Compiled filters: what programs build, what is refused, what the SQL looks like."""

from typing import Any, Protocol

import duckdb
import pytest

from logstream.core.doubts import DOTTED, other, settled
from logstream.core.entry import Entry
from logstream.core.errors import BadRequest
from logstream.core.sql import TRUE, Sql
from logstream.plugins.contracts import Predicate
from logstream.query import (
    All,
    And,
    Bound,
    Compare,
    Exists,
    Expr,
    Glob,
    Layout,
    Match,
    Not,
    Or,
    Range,
    Says,
    Wild,
    all_of,
    any_of,
    compile_expr,
    compile_filter,
    glob_of,
    level_in,
    parse,
    source_is,
)

A, B = Says(glob_of("a")), Says(glob_of("b"))


class Store(Protocol):
    def hold(self, entries: list[Entry]) -> None: ...
    def finds(self, sql: Sql) -> list[bool]: ...


def an_entry(**changes: Any) -> Entry:
    values: dict[str, Any] = {
        "id": 1,
        "timestamp": "2025-01-01T00:00:00Z",
        "source": "web",
        "level": "info",
        "message": "",
    }
    return Entry(**(values | changes))


def test_a_filter_is_a_predicate() -> None:
    predicate: Predicate = compile_filter("level:error")
    assert predicate.sql == Sql("level = ?", ("error",))
    assert predicate.matches(an_entry(level="error"))
    assert not predicate.matches(an_entry())


def test_a_filter_says_its_query_in_canonical_form() -> None:
    query = compile_filter(' level:error   -"x y" (a OR b*)')
    assert query.text == 'level:error AND NOT "x y" AND (a OR b*)'
    assert repr(query) == f"Filter({query.text!r})"
    assert parse(query.text) == query.expr


def test_the_empty_query_is_true() -> None:
    assert compile_filter("").sql == TRUE
    assert compile_filter(" ").matches(an_entry())


def test_programs_put_queries_together() -> None:
    """Text of a caller, a source and levels, as one filter."""
    expr = all_of(parse("a OR b"), source_is("web*"), level_in(["WARNING", "error"]))
    assert str(expr) == (
        '(a OR b) AND source:"web*" AND (level:WARNING OR level:error)'
    )
    query = compile_expr(expr)
    assert query.matches(an_entry(message="b", source="web*", level="warn"))
    assert not query.matches(an_entry(message="b", source="web", level="warn"))


def test_of_no_terms_all_is_everything_and_any_is_nothing() -> None:
    assert all_of() == All()
    assert all_of(A) == any_of(A) == A
    assert not compile_expr(any_of()).matches(an_entry())
    assert not compile_expr(level_in([])).matches(an_entry())


def test_terms_are_flat() -> None:
    assert all_of(all_of(A, B), A) == And((A, B, A))
    assert any_of(A, any_of(A, B)) == Or((A, A, B))


@pytest.mark.parametrize(
    "make",
    [
        lambda: And((A,)),
        lambda: And((A, And((A, B)))),
        lambda: Or(()),
        lambda: Or((A, Or((A, B)))),
        lambda: Says(glob_of()),
        lambda: Says(glob_of(Wild.ANY)),
        lambda: Match("x", glob_of(Wild.ANY)),
        lambda: Match("\0", glob_of("a")),
        lambda: Exists("\ud800"),
        lambda: Compare("x", "=", "\0"),
        lambda: Compare("\0", "=", "x"),
        lambda: Compare("x", "!=", "y"),  # type: ignore[arg-type]
        lambda: Range("x", None, None),
        lambda: Range("\0", Bound("1"), None),
        lambda: Bound("\0"),
        lambda: glob_of("\0"),
        lambda: Glob(("a", "b")),
        lambda: Glob((Wild.ANY, Wild.ANY)),
        lambda: Glob(("",)),
        lambda: compile_expr(Match("timestamp", glob_of("soon"))),
        lambda: compile_expr(Compare("id", ">", "1.5")),
        lambda: compile_expr(Exists("." * 64)),
    ],
)
def test_what_no_text_can_say_is_refused(make: Any) -> None:
    """When it is made, so that every tree there is prints and parses."""
    with pytest.raises(BadRequest):
        make()


@pytest.mark.parametrize(
    "text",
    [
        *("secret", '"secret word"', "*secret*", "se*cret", "se?ret*"),
        *("f:secret", "f:se*t", "f:a*b*c*secret", "f:>secret", "f:>7777", "f:7777"),
        *("f:{secret TO *]", "f:*", "f.secret:*", "source:secret", "level:secret"),
        *("message:=secret", "id:7777", "timestamp:7777", "f:[[secret TO *]"),
    ],
)
def test_no_value_becomes_sql_text(text: str) -> None:
    """Nor does the name of a field: all are parameters."""
    query = compile_filter(text)
    for sql in (query.sql, query.fast_sql, query.sql_for(Layout(keys={"f"}))):
        assert "secret" not in sql.text
        assert "7777" not in sql.text
        assert '"f"' not in sql.text
        assert sql.text.count("?") == len(sql.params)


def test_options_for_one_field_are_one_look_at_it() -> None:
    """A list of a thousand ids costs what one does."""
    query = compile_filter("x:a OR level:warn OR x:1 OR y OR -z OR x:>5 OR level:err")
    assert query.sql.text.count("level IN (?, ?") == 1
    assert query.sql.params[-2:] == ("warn", "error")
    for entry, found in (
        (an_entry(fields={"x": "a"}), True),
        (an_entry(fields={"x": 1.0}), True),
        (an_entry(level="error"), True),
        (an_entry(message="z"), False),
    ):
        assert query.matches(entry) is found


def test_what_no_entry_has_is_false_at_once() -> None:
    nothing = Layout(keys=frozenset())
    for text in ("x:1", "x:>1", "x:*", "x:a*", "x:>a", "x.y:1"):
        assert compile_filter(text).sql_for(nothing) == Sql("FALSE")


def test_a_known_key_leaves_one_way_for_a_dotted_name() -> None:
    """Of two, a day without dotted keys leaves one (see `core.doubts`)."""
    query = compile_filter("a.b:x")
    assert query.sql_for(Layout(keys={"a"}, hopeful=True)).params == (
        *("a", "b", "x"),
        *("a", "b") * 4,
    )
    assert query.sql_for(Layout(keys={"a.b"}, hopeful=True)).params == (
        *("a.b", "x"),
        *("a.b",) * 4,
    )
    assert DOTTED in query.fast_sql.text


@pytest.mark.parametrize(
    ("text", "is_of_numbers"),
    [
        ("took_ms:>250ms", True),
        ("bodyBytes:>1kB", True),
        ("bytes:>1kB", True),
        ("wait_s:>1m", True),
        ("took:>250ms", False),
        ("size:>1kB", False),
        ("items:>1m", False),
    ],
)
def test_a_name_tells_that_a_quantity_is_a_number(
    text: str, is_of_numbers: bool
) -> None:
    """Then it is compared as one, and texts with a unit are left to the safe form."""
    sql = settled(compile_filter(text).fast_sql, frozenset()).text
    assert sql.startswith("((variant_extract(fields, ?)::DOUBLE ") is is_of_numbers
    assert "'true', 'false'" in compile_filter("took_ms:<1s").fast_sql.text


def test_a_fast_comparison_of_numbers_is_one_cast() -> None:
    """Bools would cast to 0 and 1: they are looked at only when those are in range."""
    sql = compile_filter("status:>=500").fast_sql
    assert settled(sql, frozenset()).text == (
        "((variant_extract(fields, ?)::DOUBLE BETWEEN ? AND ? "
        "AND variant_extract(fields, ?)::DOUBLE IS NOT NULL))"
    )
    whole = settled(sql, frozenset({other(("status",), "whole")}))
    assert whole.text == (
        "((variant_extract(fields, ?)::UBIGINT >= ? "
        "AND variant_extract(fields, ?)::UBIGINT IS NOT NULL))"
    )
    assert whole.params == ("status", 500, "status")
    assert "IN ('true', 'false')" in compile_filter("status:<1").fast_sql.text
    assert "IN ('true', 'false')" in compile_filter("status:>0").fast_sql.text


@pytest.mark.parametrize(
    "fields",
    [
        {"x": {"a": 1, "A": 2}},
        {"x": [{"a": 1, "A": 2}]},
        {"x": {"y": {"a": 1, "A": 2}}},
        {"x.y": {"a": 1, "A": 2}},
    ],
)
@pytest.mark.parametrize("text", ["x:1", "x:*a*", "x:>a", "x:<5", "x:*", "x.y:1"])
def test_no_value_makes_the_sql_fail(
    store: Store, text: str, fields: dict[str, Any]
) -> None:
    """Casting such an object would: its keys differ only in case."""
    query = compile_filter(text)
    entries = [an_entry(fields=fields), an_entry(fields={"x": 1})]
    store.hold(entries)
    assert store.finds(query.sql) == [query.matches(entry) for entry in entries]


@pytest.mark.parametrize(
    "fields", [{}, {"": 1}, {"": {"": 1}}, {"": None}, {"a": {"": 1}}, {"a": 1}]
)
@pytest.mark.parametrize("name", ['""', '"."', '"a."', "fields."])
def test_the_empty_key_is_a_key(
    store: Store, name: str, fields: dict[str, Any]
) -> None:
    for text in (f"{name}:1", f"{name}:*", f"{name}:>0", f"{name}:?"):
        query = compile_filter(text)
        store.hold([an_entry(fields=fields)])
        found = query.matches(an_entry(fields=fields))
        assert store.finds(query.sql) == [found]
        try:
            assert store.finds(query.fast_sql) == [found]
        except duckdb.ConversionException:
            assert fields == {"": {"": 1}}


def test_not_of_a_missing_field_holds(store: Store) -> None:
    query = compile_filter("-status:500 NOT status:>400 -status:*")
    store.hold([an_entry()])
    assert store.finds(query.sql) == [True]
    assert store.finds(Sql(f"NOT ({query.sql.text})", query.sql.params)) == [False]


def test_nodes_are_values() -> None:
    nodes: set[Expr] = {Not(A), Not(Says(glob_of("a"))), A}
    assert len(nodes) == 2
