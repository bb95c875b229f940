"""What values count as in expressions: each row here was once answered wrongly."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.query.pipes_logs import entry
from tests.query.pipes_store import Asked

ENTRIES = [
    entry(
        0,
        "web",
        "info",
        "one",
        n="nan",
        i="inf",
        o={"k": None},
        h={"s": 200},
        **{"o.k": 6},
    ),
    entry(1, "web", "info", "two", n=3, i=2, t="x"),
]

VALUES = [
    # Texts such as nan and inf are no numbers.
    ("where n > 1 | fields n", [{"n": 3}]),
    ("where not n > 1 | fields n", [{"n": "nan"}]),
    ('where "inf" > 1', []),
    ("stats max(i) as a, sum(i) as b", [{"a": 2, "b": 2}]),
    ("where ln(0 - 1) > 1 or sqrt(0 - 1) > 1 or log2(0) < 1 or log10(0) < 1", []),
    # A null at the end of the first way leads nowhere.
    ("sort by i | fields o.k", [{"o.k": None}, {"o.k": 6}]),
    # Brackets around what a function makes.
    ("head 1 | eval a = 5 >= is_null(n), b = 1 > exists(n) | fields a, b",
     [{"a": True, "b": False}]),
    ("head 1 | eval a = concat(bucket(7, 2)), b = concat(bucket(7, 2) !~ 'x') | fields a, b",
     [{"a": "6", "b": "true"}]),
    ("head 1 | eval a = 1 / timestamp = 1 / epoch(timestamp), b = concat(exists(n)) | fields a, b",
     [{"a": True, "b": "true"}]),
    # What a field was is a text, a number or nothing behind `first`, too.
    ('stats last(t) as a | where a = "x"', [{"a": "x"}]),
    ("stats last(n) as a | eval b = a + 1", [{"a": 3, "b": 4}]),
    # What is the same for all rows makes no order.
    ("sort by 0 desc, true limit 1 | fields n", [{"n": 3}]),
    # Rows without any of the values do not count.
    ("stats uniq(t, gone) as a", [{"a": 1}]),
    # `fields.t` is `t`.
    ("drop t | where fields.t = 'x'", []),
    ("drop fields.t | where t = 'x'", []),
    # No number is too large to be one: it is null.
    ("where 1e308 * 10 > 5 or exp(1000) > 5 or pow(0 - 1, 0.5) > 5", []),
    ("head 1 | eval a = 1e308 * 10, b = a - a > 5, c = 1 / (1e308 * 10) | fields b, c",
     [{"b": None, "c": 0}]),
    # An object that is added takes the place of the one that was there.
    ("where n = 'nan' | eval p = o, o = h | fields o, p",
     [{"o": {"s": 200}, "p": {"k": None}}]),
    # Names with a dot lead into what is there now.
    ("drop o | sort by i | fields o.k", [{"o.k": None}, {"o.k": 6}]),
    ("drop o.k | where o.k = 6", []),
    ("rename h as o | where o.s = 200 | stats count() as n", [{"n": 1}]),
    ("eval h = 1 | where h.s = 200", []),
    ("head 1 | rename fields.t as u | fields u, t", [{"u": "x", "t": None}]),
]  # fmt: skip


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    made = Asked(tmp_path_factory.mktemp("store"), ENTRIES)
    yield made
    made.close()


@pytest.mark.parametrize(("text", "rows"), VALUES)
def test_a_value_is_what_it_says(
    ask: Asked, text: str, rows: list[dict[str, Any]]
) -> None:
    assert ask(f"* | {text}") == rows


def test_what_is_shown_of_an_entry_has_just_what_was_asked_for(ask: Asked) -> None:
    def fields(text: str) -> Any:
        return ask(f"h.s:200 | {text}")[0]["fields"]

    flat = {"n": "nan", "i": "inf", "o.k": 6}
    assert fields("drop h.s, o") == {**flat, "h": {}}
    assert fields("drop x.y, o, h") == flat
    assert fields("rename h.s as s, o as p") == {
        **flat,
        "h": {},
        "s": 200,
        "p": {"k": None},
    }
    assert fields("eval o = h") == {**flat, "h": {"s": 200}, "o": {"s": 200}}
    assert fields("drop n, i, o.k, h, o") == {}
    assert fields('drop n, i, o.k, h, o | eval `q"` = 1') == {'q"': 1}
