"""Pipes print as what they are read from, with no more brackets than that takes."""

import pytest

from logstream.core.errors import QuerySyntaxError
from logstream.query.query import compile_query, parse_query

CANONICAL = [
    ("where ((a + b) + c) * -(-d)", "where (a + b + c) * --d"),
    ("where a - (b - c) - d", "where a - (b - c) - d"),
    ("where a * (b * c) = (1)", "where a * (b * c) = 1"),
    ("where (a = b) = c", "where (a = b) = c"),
    ("where (a or b) and (not c or d)", "where (a or b) and (not c or d)"),
    ("where (a and b) or !(c and d)", "where a and b or not (c and d)"),
    ("where (a and b) and c", "where (a and b) and c"),
    ("where not (a in (1, (2)))", "where not a in (1, 2)"),
    ("where (a is not null) = true", "where (not is_null(a)) = true"),
    ("where (a | b)", None),
    ("filter /*", r"filter \/*"),
    ("filter  \\#x", r"filter #x"),
    ("filter", None),
    ("filter ) x", None),
    ("where a in (* | fields b)", "where a in (* | fields b)"),
    ("sort -a, (-b), -(c + d)", "sort by a desc, (-b), c + d desc"),
    ("stats count() by (a + 1) * 2, (b)", "stats count() by (a + 1) * 2, b"),
    ("stats by (x) count() n, sum(y) t", "stats count() as n, sum(y) as t by x"),
    ("stats avg(took * (2))", "stats avg(took * 2)"),
    ("top limit=5 x", "top 5 x"),
    ("top 3 limit = 5", "top 3 limit = 5"),
    ("timechart span=5m count() by x limit=3", "timechart 5m count() by x limit 3"),
    ("eval a = 1h30m, b = 0.1us, c = 0s", "eval a = 90m, b = 100ns, c = 0ns"),
    ("eval a = 5200w, b = 14d1ns, c = 13d1ns", "eval a = 5200w, b = 2w, c = 1123200000000001ns"),
    ("eval a = 1e3 + 1.5KiB + 1e300", "eval a = 1000 + 1536 + 1e+300"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "canonical"), CANONICAL)
def test_a_pipe_has_one_form(text: str, canonical: str | None) -> None:
    if canonical is None:
        with pytest.raises(QuerySyntaxError):
            parse_query(f"* | {text}")
        return
    query = parse_query(f"* | {text}")
    assert str(query) == f"* | {canonical}"
    assert parse_query(str(query)) == query


NEAR_LIMITS = [
    "where " + " + ".join(["1"] * 100) + " > 5",
    "where " + "not " * 60 + "a",
    "where " + "-" * 60 + "a = 1",
    "where " + "(" * 60 + "a" + ")" * 60,
    "where " + "(a + " * 60 + "b" + ")" * 60,
    "where " + "(a or b and " * 60 + "c" + ")" * 60,
    "where " + "abs(" * 60 + "a" + ")" * 60,
    "where " + " or ".join(["a"] * 999),
    "where a in (" + ", ".join(["1"] * 998) + ")",
]


@pytest.mark.parametrize("text", NEAR_LIMITS, ids=range(len(NEAR_LIMITS)))
def test_what_is_just_within_a_limit_can_be_read_again(text: str) -> None:
    query = compile_query(f"* | {text}")
    assert parse_query(str(query)) == query


BEYOND = [
    ("* | where ((" + "+".join(["1"] * 60) + ")" + "+1" * 60 + ") > 5", "in a row"),
    ("* | where " + " and ".join(["a is not null"] * 400), "over a limit"),
    ("* | where " + "'" + '"' * 60_000 + "' = a", "over a limit"),
    (f"{'x' * 30_000}:(a b c)", "over a limit"),
    (
        "* | stats count() by " + ",".join(f"_time(5m) as a{at}" for at in range(600)),
        "over a limit",
    ),
]


@pytest.mark.parametrize(("text", "words"), BEYOND, ids=range(len(BEYOND)))
def test_what_could_not_be_read_again_is_refused(text: str, words: str) -> None:
    with pytest.raises(QuerySyntaxError, match=words):
        parse_query(text)
