"""Doubts: what is left of SQL where some of them are settled."""

import pytest

from logstream.core.doubts import (
    DOTTED,
    LISTED,
    UNTOLD,
    any_of,
    anything,
    both,
    has_doubts,
    other,
    settled,
    there,
    unless,
)
from logstream.core.sql import Sql

NUMBER = other(("a",), "number")
INNER = unless(LISTED, Sql("l = ?", (1,)), Sql("m = ? OR m = '?'", (2,)))
OUTER = unless(NUMBER, INNER, Sql("n = ?", (3,)))
WHOLE = Sql(f"x = ? AND {OUTER.text} AND y = ?", (0, *OUTER.params, 4))


@pytest.mark.parametrize(
    ("unfounded", "text", "params"),
    [
        (set(), "x = ? AND ((l = ?)) AND y = ?", (0, 1, 4)),
        ({LISTED}, "x = ? AND ((m = ? OR m = '?')) AND y = ?", (0, 2, 4)),
        ({NUMBER}, "x = ? AND (n = ?) AND y = ?", (0, 3, 4)),
        ({NUMBER, LISTED}, "x = ? AND (n = ?) AND y = ?", (0, 3, 4)),
        ({DOTTED}, "x = ? AND ((l = ?)) AND y = ?", (0, 1, 4)),
    ],
)
def test_what_is_left_has_its_parameters(
    unfounded: set[str], text: str, params: tuple[int, ...]
) -> None:
    found = settled(WHOLE, unfounded)
    assert (found.text, found.params) == (text, params)
    assert not has_doubts(found)


@pytest.mark.parametrize(
    ("unfounded", "doubted"),
    [
        (set(), True),
        ({"a"}, True),
        ({"a", "b"}, False),
        ({"a", "c"}, False),
        ({"b", "c"}, True),
    ],
)
def test_one_of_several_doubts_is_enough(unfounded: set[str], *, doubted: bool) -> None:
    sql = unless(any_of(("a", both("b", "c"))), Sql("yes"), Sql("no"))
    assert settled(sql, unfounded).text == ("(yes)" if doubted else "(no)")


def test_sql_without_doubts_stays_what_it_is() -> None:
    sql = Sql("a = ?", (1,))
    assert settled(sql, {LISTED}) is sql


def test_no_name_of_a_field_is_in_a_doubt() -> None:
    assert "host" not in other(("host",), "text")
    assert other(("a", "b"), "text") != other(("ab",), "text")


@pytest.mark.parametrize(
    ("unfounded", "doubted"),
    [
        (set(), True),
        ({there(("a",))}, True),
        ({UNTOLD, there(("a",))}, True),
        ({UNTOLD, there(("A",))}, True),
        ({UNTOLD}, False),
        ({UNTOLD, there(("b",)), there(("a", "b"))}, False),
    ],
)
def test_what_is_not_told_of_is_nowhere_once_all_is_told(
    unfounded: set[str], *, doubted: bool
) -> None:
    sql = unless(anything(("a",)), Sql("yes"), Sql("no"))
    assert settled(sql, unfounded).text == ("(yes)" if doubted else "(no)")
