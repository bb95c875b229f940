"""`replace`: what a pattern finds in the message becomes a fixed text."""

import re

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstream.core.entry import Entry
from logstream.core.errors import ConfigError
from logstream.processors.re2 import to_re2
from logstream.processors.replace import ReplaceOptions, build_replace
from logstream.runtime.contexts import Context


def replaced(message: str, pattern: str, replacement: str = "[x]") -> str:
    options = ReplaceOptions(pattern=pattern, replacement=replacement)
    entry = Entry(
        timestamp="2025-05-13T00:00:00Z", source="s", level="info", message=message
    )
    (made,) = build_replace(options, Context()).process([entry])
    return made.message


def test_every_match_is_replaced() -> None:
    assert replaced("card 1234 and 5678", r"\d{4}") == "card [x] and [x]"
    assert replaced("nothing here", r"\d{4}") == "nothing here"


def test_the_replacement_is_taken_as_it_is() -> None:
    assert replaced("a1", r"(\d)", r"\1\\ \g<1>") == r"a\1\\ \g<1>"


@pytest.mark.parametrize(
    ("pattern", "said"),
    [("(", "no regular"), ("x*", "the empty text"), (r"(\w+\s?)*$y", "exponential")],
)
def test_a_pattern_that_cannot_be_run_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        build_replace(ReplaceOptions(pattern=pattern), Context())


@pytest.mark.parametrize(
    "pattern",
    [
        *(r"(?i)a", r"(a)\1", r"a(?=b)", r"a$", r"^a", r"\S", r"[\S]", r"(?s:.)"),
        *(r"(?:a?){2}b", r"(?>a)b", r"a++", r"a{501}", r"(?:a{30}){30}", r"\bx?"),
        "[\ud800]",
    ],
)
def test_what_the_engines_may_differ_on_needs_python(pattern: str) -> None:
    assert to_re2(pattern) is None


pieces = st.recursive(
    st.sampled_from(
        [
            *("a", "b", "c", "1", "_", " ", "é", ".", "\n", "\v", r"\.", r"[^\W1]"),
            *(r"\d", r"\w", r"\s", r"\b", r"\B", r"[^a]", r"[ab\d]", r"[\n-b]"),
        ]
    ),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map("".join)
        | st.lists(inner, min_size=2, max_size=3).map(
            lambda parts: f"({'|'.join(parts)})"
        )
        | st.tuples(
            inner, st.sampled_from(["+", "*", "?", "{2}", "{1,2}", "+?", "??"])
        ).map(lambda pair: f"(?:{pair[0]}){pair[1]}")
    ),
    max_leaves=6,
)


@given(
    pattern=pieces,
    texts=st.lists(st.text("abc1_ é.\n\v", max_size=10), min_size=1, max_size=5),
)
def test_both_engines_replace_the_same(pattern: str, texts: list[str]) -> None:
    """Whatever is translated."""
    if (translated := to_re2(pattern)) is None:
        return
    ours = [re.sub(pattern, "<>", text, flags=re.ASCII) for text in texts]
    with duckdb.connect() as db:
        text = "SELECT regexp_replace(t, ?, '<>', 'g') FROM (SELECT unnest(?) AS t)"
        found = db.execute(text, (translated, texts)).fetchall()
    assert [row[0] for row in found] == ours
