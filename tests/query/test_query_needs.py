"""What a query needs: only what every match must hold, and nothing that is unsure."""

import pytest

from logstream.core.needs import AllOf, AnyOf, Need, Value, Word, is_indexed
from logstream.query import compile_filter


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
