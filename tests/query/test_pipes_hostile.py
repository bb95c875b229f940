"""Queries that would cost more than they say: a clear error, at once."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logstream.core.errors import BadRequest, QuerySyntaxError
from logstream.query.query import compile_query, parse_query

_spec = importlib.util.spec_from_file_location(
    "pipes_store_hostile", Path(__file__).with_name("pipes_store.py")
)
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    entries = [
        {
            "timestamp": "2026-01-01T00:00:00Z",
            "source": "web",
            "level": "info",
            "message": "it's",
            "fields": {"n": 1, "t": "x"},
        }
    ]
    made = _module.Asked(tmp_path_factory.mktemp("store"), entries)
    yield made
    made.close()


@pytest.mark.parametrize(
    "text",
    [
        "*" + " | eval n = n + n" * 24 + " | fields n",
        "*" + " | eval t = concat(t, t)" * 14 + " | stats max(length(t))",
        "* | eval n = n + 1 | eval "
        + ", ".join(f"a{at} = {'n + ' * 60}n" for at in range(4))
        + " | eval b = a1 + a2 + a3 + a0 + a1 + a2",
    ],
)
def test_columns_that_double_are_refused(text: str) -> None:
    with pytest.raises((BadRequest, QuerySyntaxError), match="computed columns"):
        compile_query(text)


@pytest.mark.parametrize(
    "text",
    [
        "* | where " + "duration(concat(" * 6 + "x" + "))" * 6 + " > 1",
        "* | where " + "bucket(" * 9 + "timestamp" + ", 5m)" * 9 + " is null",
        "* | eval a = " + "ln(" * 40 + "x" + ")" * 40,
        "* | eval a = " + "1 / (n / (" * 14 + "n" + "))" * 14,
        "* | eval a = " + "null_if(" * 20 + "n" + ", 1)" * 20,
    ],
)
def test_functions_inside_functions_do_not_grow_without_bounds(text: str) -> None:
    with pytest.raises(BadRequest, match="functions inside functions"):
        compile_query(text)


def test_deep_calculations_are_quick(ask: Any) -> None:
    deep = "1 / (n / (" * 3 + "n" + "))" * 3
    assert ask(f"* | eval a = {deep} | fields a") == [{"a": 1}]
    deep = "abs(" * 50 + "n" + ")" * 50
    assert ask(f"* | eval a = {deep} | fields a") == [{"a": 1}]


def test_long_chains_that_do_not_double_work(ask: Any) -> None:
    assert ask("n:1" + " | eval n = n + 1" * 45 + " | fields n") == [{"n": 46.0}]
    assert ask("n:1" + " | eval n = n + n" * 6 + " | fields n") == [{"n": 64.0}]


META = ("'", '"', "`", ";", "--", "/*", "\\", "{}", "$1", "?", "%", "_", "\n", "(", "|")


@pytest.mark.parametrize("meta", META)
def test_every_meta_character_in_every_place(ask: Any, meta: str) -> None:
    """As a value, an alias, a field's name, a pattern and a prefix: it is text."""
    text = "x" + meta + "y"
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    name = "`" + text.replace("\\", "\\\\").replace("`", "\\`") + "`"
    assert ask(f"* | eval {name} = {quoted} | fields {name}") == [{text: text}]
    assert ask(f"* | stats count() as {name}") == [{text: 1}]
    assert ask(f"* | stats count() as n by {name}") == [{text: None, "n": 1}]
    assert ask(f"* | where message = {quoted} | stats count() as n") == [{"n": 0}]
    assert ask(f"* | where contains(message, {quoted}) | head 1") == []
    assert ask(f"* | top 1 {name}") == []
    assert ask(f"* | rename t as {name} | fields {name}") == [{text: "x"}]
    assert ask(f"* | replace {quoted} with {quoted} in message | fields message") == [
        {"message": "it's"}
    ]
    query = parse_query(f"* | eval {name} = {quoted} | sort by {name} | dedup {name}")
    assert parse_query(str(query)) == query
