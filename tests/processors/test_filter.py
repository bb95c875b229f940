"""`filter` drops or keeps by a query, in Python and in SQL alike."""

from collections.abc import Callable

import pytest

from logstream.core.entry import Entry
from logstream.core.errors import ConfigError, QuerySyntaxError
from logstream.core.sql import Sql
from logstream.plugins.options import build_options
from logstream.plugins.testing import an_entry
from logstream.processors.filter import FilterOptions, FilterProcessor, build_filter


class LevelIs:
    """A predicate: the level is the query's text."""

    def __init__(self, level: str) -> None:
        self.sql = Sql("level = ? OR FALSE", (level,))
        self.matches: Callable[[Entry], bool] = lambda entry: entry.level == level


class Context:
    """Compiles a level; `?` is a syntax error at its offset."""

    def compile_filter(self, query: str) -> LevelIs:
        if "?" in query:
            raise QuerySyntaxError("expected a value", offset=query.index("?"))
        return LevelIs(query)


def a_filter(**raw: str) -> FilterProcessor:
    return build_filter(build_options(FilterOptions, raw, where="here"), Context())


def levels_of(processor: FilterProcessor, *levels: str) -> list[str]:
    batch = [an_entry(level=level, id=n) for n, level in enumerate(levels, start=1)]
    return [entry.level for entry in processor.process(batch)]


def test_drop_leaves_out_what_matches() -> None:
    """All others stay, in order."""
    processor = a_filter(drop="debug")
    assert levels_of(processor, "info", "debug", "warn") == ["info", "warn"]


def test_keep_leaves_out_what_does_not_match() -> None:
    """Only those stay."""
    assert levels_of(a_filter(keep="info"), "info", "debug", "info") == ["info"] * 2


def test_with_both_an_entry_has_to_pass_both() -> None:
    """Keep first, then drop."""
    assert levels_of(a_filter(keep="info", drop="info"), "info", "debug") == []


def test_the_sql_form_says_the_same() -> None:
    """Terms stand in parentheses, since a query may hold OR; parameters in order."""
    rewrite = a_filter(keep="info", drop="debug").rewrite()
    assert rewrite.keep == Sql(
        "(level = ? OR FALSE) AND NOT (level = ? OR FALSE)", ("info", "debug")
    )
    assert rewrite.columns == {}
    assert a_filter(drop="x").rewrite().keep == Sql("NOT (level = ? OR FALSE)", ("x",))


def test_options_that_do_nothing_are_refused() -> None:
    """No query, or an empty one."""
    with pytest.raises(ConfigError, match="give a query"):
        a_filter()
    with pytest.raises(ConfigError, match="keep: the query is empty"):
        a_filter(keep=" ")


def test_a_query_that_does_not_compile_shows_where() -> None:
    """With the key, the text and a caret."""
    with pytest.raises(ConfigError) as caught:
        a_filter(drop="level:?")
    assert str(caught.value).splitlines() == [
        "drop: expected a value",
        "  level:?",
        "        ^",
    ]
