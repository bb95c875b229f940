"""What a query needs: only what every match must hold, and nothing that is unsure."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logstream.core.errors import BadRequest
from logstream.core.needs import AllOf, AnyOf, Need, Value, Word, is_indexed
from logstream.query import compile_filter
from logstream.query.automaton import Automaton
from logstream.query.folding import fold
from logstream.query.pattern_needs import words_of_pattern
from logstream.query.regexps import pattern_of


@pytest.mark.parametrize(
    ("text", "need"),
    [
        ("Error", Word("error")),
        (
            '"Connection reset by"',
            AllOf((Word("connection"), Word("reset"), Word("by"))),
        ),
        ("a.b-c_d", AllOf((Word("a"), Word("b"), Word("c_d")))),
        ("conn*", None),
        ("*.example.com", AllOf((Word("example"), Word("com")))),
        ("re?et.now", Word("now")),
        ('" error"', Word("error")),
        ("ünder", Word("nder")),
        ("...", None),
        ("host:web-1", Value("host", "web-1")),
        ("a.b:x", Value("a.b", "x")),
        ("fields.source:x", None),
        ("source:nginx", Value("source", "nginx")),
        ("level:WARNING", Value("level", "warn")),
        ("level:>=fatal", Value("level", "fatal")),
        ("status:500", AnyOf((Value("status", "500"), Value("status", "500.0")))),
        ("took:1.5", None),
        ("n:1e16", None),
        ("status:>=500", None),
        ("host:web*", None),
        ("host:*", None),
        ("*", None),
        ("NOT error", None),
        ("error -warn", Word("error")),
        ("error OR host:x", AnyOf((Word("error"), Value("host", "x")))),
        ("error OR host:x*", None),
        ("error host:x*", Word("error")),
        ("id:7", None),
        ("host:(a OR b)", AnyOf((Value("host", "a"), Value("host", "b")))),
        ("host:in(a, b)", AnyOf((Value("host", "a"), Value("host", "b")))),
        ("host:in(a, null)", None),
        ("host:null", None),
        ("host:10.0.0.0/8", None),
        ("took:>5m", None),
        ("/error/", None),
        ("/user=alice failed/", Word("alice")),
        (
            r"/^GET \/api .* 500$/",
            AllOf((Word("get"), Word("api"), Word("500"))),
        ),
        ('message:~"(?i) (?:a) x+ b "', AllOf((Word("a"), Word("b")))),
        ('message:~" time(d )?out "', None),
        (r"/\berror\b/", None),
        ('message:~" [ab] (c|d) [^x]e "', None),
        ('message:~" x{2} y "', Word("y")),
        ('host:~" a "', None),
        ("*:error", None),
        ("_time:5m error", Word("error")),
    ],
)
def test_needs_of_a_query(text: str, need: Need | None) -> None:
    assert compile_filter(text).needs == need


def test_of_very_many_values_nothing_is_said() -> None:
    text = " OR ".join(f"host:h{number}" for number in range(201))
    assert isinstance(compile_filter(text).needs, AnyOf)
    assert compile_filter("level:<trace").needs == AnyOf(())


@pytest.mark.parametrize("text", ["1.5", "1e5", "-.5", "1.", "{}", "[1", "1E+16"])
def test_texts_that_no_index_has(text: str) -> None:
    assert not is_indexed(text)


@pytest.mark.parametrize("text", ["500", "500.0", "1.2.3", "-7", "x1.5", "", "e5", "."])
def test_texts_that_an_index_has(text: str) -> None:
    assert is_indexed(text) or text == "."


PIECES = st.sampled_from(
    [
        *"ab K_.é",
        *(" ", r"\.", r"\s", r"\b", "^", "$", "[ab]", "[ .]", "[^a]", "a?", "b+"),
        *("(a|b)", "(?: a)", "k", "\u212a", "[kK]", "İ", "-", "a{1}", "a{2}", " {0,1}"),
    ]
)
MESSAGES = st.text(st.sampled_from("abABkK\u212aİi _.é-\n"), max_size=12)


@settings(max_examples=max(300, settings().max_examples))
@given(
    st.lists(PIECES, min_size=1, max_size=8).map("".join),
    st.sampled_from(["", "i", "s"]),
    st.lists(MESSAGES, max_size=20),
)
def test_what_a_pattern_is_found_in_has_its_words(
    text: str, flags: str, messages: list[str]
) -> None:
    try:
        pattern = pattern_of(text, flags)
    except BadRequest:
        return
    finds = Automaton(pattern).finds
    needed = set(words_of_pattern(pattern))
    for message in messages:
        if finds(message):
            assert needed <= set(re.split("[^a-z0-9_]+", fold(message)))
