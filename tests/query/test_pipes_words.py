"""Words inside pipes: a misspelt one is told, and options stand in any order."""

import pytest

from logstream.core.errors import QuerySyntaxError
from logstream.query.query import compile_query, parse_query

WORDS = [
    ("anomalies", "of", "n"),
    ("anomalies", "threshold", "3"),
    ("context", "before", "5"),
    ("context before 5", "after", "5"),
    ("context", "by", "host"),
    ("dedup", "by", "host"),
    ('extract "<a>"', "from", "a"),
    ('extract_regexp "(?P<a>x)"', "from", "a"),
    ("facets", "limit", "5"),
    ("fields a", "as", "b"),
    ("join by (a) (* | fields a)", "left", ""),
    ("join by (a) (* | fields a)", "inner", ""),
    ("patterns", "from", "a"),
    ("patterns from a", "limit", "5"),
    ("rare", "limit", "5 host"),
    ('replace "a" with "b"', "in", "a"),
    ("sort", "by", "a"),
    ("sort a", "desc", ""),
    ("sort a", "asc", ""),
    ("sort by a", "limit", "5"),
    ("stats count()", "as", "n"),
    ("stats count()", "by", "a"),
    ("stats count()", "if", "(level:error)"),
    ("stats count() by a", "as", "b"),
    ("timechart", "span", "1h count()"),
    ("timechart 1h count() by a", "limit", "5"),
    ("top", "limit", "5 host"),
    ("top host", "limit", "5"),
    ("transaction by a", "maxpause", "30s"),
    ("unpack", "json", ""),
    ("unpack", "logfmt", "fields a"),
    ("unpack json", "from", "a"),
    ("unpack json", "fields", "a"),
    ("where a", "in", "(1)"),
    ("where a", "is", "null"),
    ("where a = 1", "and", "b"),
    ("where a = 1", "or", "b"),
]


@pytest.mark.parametrize(("front", "word", "behind"), WORDS)
def test_a_misspelt_word_is_told(front: str, word: str, behind: str) -> None:
    parse_query(f"* | {front} {word} {behind}")
    misspelt = word + word[-1] if len(word) < 4 else word[:2] + word[3:]
    with pytest.raises(QuerySyntaxError) as caught:
        parse_query(f"* | {front} {misspelt} {behind}")
    assert f": did you mean {word}" in str(caught.value)


PIPES = [
    ("stats count() by source limit 3", "found limit: write | limit"),
    ("stats count() by source limt 3", "did you mean | limit?"),
    ("head 5 srt by a", "did you mean | sort?"),
    ("dedup host sort by a", "a comma between names, or | sort"),
    ("sort by a descending", "write desc"),
    ("timechart limit=5 count() by a", "write count() by a limit 5"),
]


@pytest.mark.parametrize(("text", "words"), PIPES)
def test_a_pipe_without_its_bar_is_told(text: str, words: str) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse_query(f"* | {text}")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "dedup host level",
        'replace "a" wit "b"',
        "rename a az b",
        "where a `limt`",
        "stats count() by a `limt`",
    ],
)
def test_of_a_word_that_is_like_none_and_of_a_name_nothing_is_told(text: str) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse_query(f"* | {text}")
    assert "did you mean" not in str(caught.value)


ORDERS = [
    ("patterns limit 5 from a", "patterns from a limit 5"),
    ("patterns limit=5", "patterns limit 5"),
    ("context by host after 5 before=2", "context before 2 after 5 by host"),
    ("unpack json fields a from b", "unpack json from b fields a"),
    ("transaction a maxpause=30s", "transaction by a maxpause 30s"),
    ("timechart span 1h count() by a limit=3", "timechart 1h count() by a limit 3"),
    ("top limit 5 host", "top 5 host"),
    ("rare host limit=5", "rare 5 host"),
    ("top limit", "top 10 limit"),
    ("facets limit=5", "facets 5"),
]


@pytest.mark.parametrize(("text", "canonical"), ORDERS)
def test_options_stand_in_any_order(text: str, canonical: str) -> None:
    assert str(compile_query(f"* | {text}")) == f"* | {canonical}"


def test_anomalies_takes_its_options_in_any_order() -> None:
    query = compile_query("* | timechart 1h count() as n | anomalies threshold 2 of n")
    assert str(query).endswith("| anomalies of n threshold 2")


def test_an_option_that_stands_twice_is_refused() -> None:
    with pytest.raises(QuerySyntaxError, match="limit stands here twice"):
        parse_query("* | patterns limit 5 limit 6")
