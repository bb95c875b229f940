"""Any text as a query with pipes: rows, or a clear error that says where."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logstream.core.errors import BadRequest, QuerySyntaxError
from logstream.query.pipes.registry import PIPES
from logstream.query.query import compile_query, parse_query
from tests.query.pipes_logs import ENTRIES
from tests.query.pipes_store import Asked


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    made = Asked(tmp_path_factory.mktemp("store"), ENTRIES)
    yield made
    made.close()


MILLION = 1 << 20
LARGE = {
    "1 MB in a text": "* | where a = '" + "x" * MILLION + "'",
    "1 MB of a name": "* | fields " + "x" * MILLION,
    "1 MB of pipes": "*" + "|head" * (MILLION // 5),
    "1 MB of sums": "* | eval a = 1" + "+1" * (MILLION // 2),
    "1 MB of ors": "* | where a" + " or a" * (MILLION // 5),
    "1 MB of columns": "* | stats " + "count()," * (MILLION // 8),
    "1 MB in front": "x " * (MILLION // 2) + "| head",
    "10 000 brackets": "* | where " + "(" * 10_000 + "a" + ")" * 10_000,
    "10 000 open brackets": "* | where " + "(" * 10_000,
    "10 000 signs": "* | where " + "-" * 10_000 + "a",
    "10 000 nots": "* | where " + "not " * 10_000 + "a",
    "10 000 calls": "* | where " + "abs(" * 10_000 + "a" + ")" * 10_000,
    "1 000 sub-queries": "* | where a in (" * 1_000 + "*" + " | fields a)" * 1_000,
    "1 000 joins": "* | join by (a) (" * 1_000 + "*" + ")" * 1_000,
    "100 compares": "* | stats count()" + " | compare 1d" * 10,
}


@pytest.mark.parametrize("name", LARGE)
def test_what_is_too_large_is_refused(name: str) -> None:
    with pytest.raises((QuerySyntaxError, BadRequest)) as raised:
        compile_query(LARGE[name])
    assert len(str(raised.value)) < 400


def test_sub_queries_inside_each_other_work(ask: Asked) -> None:
    inner = "* | fields user"
    for _ in range(10):
        inner = f"* | where user in ({inner}) | fields user"
    assert len(ask(inner)) == 3


BROKEN = ("\0", "\ud800", "a\udfffb")
PLACES = (
    *("{} | head", "* | where a = '{}'", "* | where `{}` = 1", "* | fields {}"),
    *("* | stats count() as `{}`", "* | extract '<a>{}'", "* | replace '{}' with 'a'"),
    *('* | extract_regexp "(?P<a>{})"', "* | where a ~ '{}'", "* | {}", "* | head {}"),
    *("* | where a in (b:{} | fields a)", "* | stats count() if (a:{})"),
)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("broken", BROKEN, ids=["nul", "half", "other half"])
def test_what_no_entry_can_hold_is_refused(place: str, broken: str) -> None:
    with pytest.raises(QuerySyntaxError, match="NUL"):
        parse_query(place.replace("{}", broken))


PIECES = (
    *PIPES,
    *("*", "|", "(", ")", ",", "=", "by", "as", "if", "in", "not", "and", "or", "is"),
    *("null", "count()", "avg(took)", "took", "host", "`a b`", "'x'", '"y"', "5", "5m"),
    *("10MB", "1e400", "-", "+", "*", "/", "%", "~", "!~", "<", ">=", "desc", "limit"),
    *("json", "logfmt", "fields", "from", "with", "json_extract", "';--", "/*", "$1"),
    *(
        "\\",
        "{",
        "}",
        "[",
        "?",
        ";",
        "\n",
        "é",
        "😀",
        "<a>",
        "level:error",
        "timestamp",
    ),
    *("1d", "maxpause", "before", "after", "span=5m", "threshold", "of", "inner"),
)
words = st.sampled_from(PIECES) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=3
)
texts = st.lists(words, max_size=12).map(lambda parts: "* | " + " ".join(parts))


@settings(max_examples=max(300, settings().max_examples))
@given(texts)
def test_any_text_is_a_query_or_a_clear_error(text: str) -> None:
    try:
        query = compile_query(text)
    except QuerySyntaxError as raised:
        error = raised
    except BadRequest:
        return
    else:
        assert parse_query(str(query)) == query
        return
    assert 0 <= error.offset <= len(text)


pipes = st.builds(
    lambda name, rest: f"{name} {' '.join(rest)}",
    st.sampled_from([*PIPES]),
    st.lists(st.sampled_from(PIECES), max_size=4),
)


@settings(
    max_examples=max(300, settings().max_examples),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(pipes, min_size=1, max_size=3))
def test_what_compiles_runs(ask: Asked, piped: list[str]) -> None:
    """No error but ours, whatever stands together."""
    text = " | ".join(["*", *piped])
    try:
        compile_query(text)
    except (QuerySyntaxError, BadRequest):
        return
    try:
        ask(text)
    except BadRequest:
        return  # such as too many rows of time
