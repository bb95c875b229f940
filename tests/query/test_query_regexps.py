"""Regular expressions: the automaton, Python's `re` and RE2 find the same."""

import re
from typing import Protocol

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstream.core.errors import BadRequest
from logstream.query.automaton import Automaton
from logstream.query.regexps import found_by_re2, pattern_of

ATOMS = [
    "a",
    "b",
    "é",
    ".",
    r"\d",
    r"\W",
    "[a-b]",
    "[^a]",
    r"\b",
    r"\B",
    "^",
    r"\Z",
    "_",
]
patterns = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds(
            "(?:{}){}".format, inner, st.sampled_from(["*", "+?", "?", "{2}", "{1,3}"])
        ),
    ),
    max_leaves=6,
)
texts = st.text(st.sampled_from("ab1é _\n"), max_size=8)


class Store(Protocol):
    db: duckdb.DuckDBPyConnection


@given(patterns, st.lists(texts, min_size=1, max_size=5))
def test_all_three_find_the_same(store: Store, pattern: str, texts: list[str]) -> None:
    tree = pattern_of(pattern, "")
    automaton = Automaton(tree)
    expected = [automaton.finds(text) for text in texts]
    for text, found in zip(texts, expected, strict=True):
        # In the empty text, Python before 3.14 finds no \B; RE2 does.
        assert not text or found == bool(re.search(pattern, text, re.ASCII))
    rows = store.db.execute(
        "SELECT regexp_matches(unnest(?), ?)", [texts, found_by_re2(tree)]
    ).fetchall()
    assert [found for (found,) in rows] == expected


@pytest.mark.parametrize("pattern", [r"\B", r"(a|\B)", r"\B$|\Bx*", r"x\B", r"\B.\B"])
def test_no_place_is_inside_of_a_character(store: Store, pattern: str) -> None:
    tree = pattern_of(pattern, "")
    texts = [
        "1\u00e91",
        "\u00e9",
        "a",
        "1",
        "",
        "\u00e9\u00e9",
        "x1",
        "11",
        "x\u20ac",
        "- -",
    ]
    rows = store.db.execute(
        "SELECT regexp_matches(unnest(?), ?)", [texts, found_by_re2(tree)]
    ).fetchall()
    assert [found for (found,) in rows] == [*map(Automaton(tree).finds, texts)]


@pytest.mark.parametrize(
    ("pattern", "flags", "finds", "misses"),
    [
        ("error", "i", "ERROR", "fine"),
        ("ärger", "i", "ÄRGER", "arger"),
        ("[a-c]x", "i", "BX", "DX"),
        ("[^a]", "i", "b", "A"),
        ("a.b", "", "a b", "a\nb"),
        ("a.b", "s", "a\nb", "ab"),
        ("a$", "", "ba", "a\n"),
        (r"\d", "", "1", "\u0661"),
        (r"\s", "", "\v", "\u00a0"),
    ],
)
def test_flags_and_classes(
    store: Store, pattern: str, flags: str, finds: str, misses: str
) -> None:
    tree = pattern_of(pattern, flags)
    for text, expected in ((finds, True), (misses, False)):
        assert Automaton(tree).finds(text) is expected
        rows = store.db.execute(
            "SELECT regexp_matches(?, ?)", [text, found_by_re2(tree)]
        ).fetchall()
        assert rows == [(expected,)]


@pytest.mark.parametrize(
    "pattern", ["(", "a**", "(?=a)", "(?<!a)b", r"(a)\1", "(?>a)", "(?m)a", "a" * 1001]
)
def test_what_the_engines_do_not_share_is_refused(pattern: str) -> None:
    with pytest.raises(BadRequest):
        pattern_of(pattern, "")


def test_an_automaton_forgets_what_it_cannot_keep() -> None:
    automaton = Automaton(pattern_of("x$", ""))
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 20_500)))
    assert not automaton.finds(text)
    assert automaton.finds(text + "x")
