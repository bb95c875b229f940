"""Names behind `unpack json`: what they mean is the same whether one of the fields is
asked for, or all of them are put together.
"""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from logstream.query.numbers import text_of
from tests.query.test_pipes_basics import _module

FIELDS: list[dict[str, Any]] = [
    {},
    {"a": 1, "a.b": "flat"},
    {"a": {"b": 2}, "a.b": 3.5},
    {"a": {"b": {"c": "deep"}}, "a.b.c": True},
    {"a": {"b": [1]}, "a.b": "behind an array"},
    {"a": {"b": None}, "a.b": "behind a null"},
    {"a": "x", "a.b.c": 1e16},
]
MESSAGES: list[Any] = [
    "no JSON",
    json.dumps([1]),
    json.dumps({"z": 1}),
    json.dumps({"a": None}),
    json.dumps({"a": 5}),
    json.dumps({"a": "text", "a.b": "new"}),
    json.dumps({"a": {}}),
    json.dumps({"a": {"b": None}}),
    json.dumps({"a": {"b": 2.50}, "a.b.c": None}),
    json.dumps({"a": {"b": {"c": False}}}),
    json.dumps({"a": {"b": {"d": 1}}}),
    json.dumps({"a": [1, {"b": 2}]}),
    json.dumps({"a.b": {"c": 1}, "a.b.c": "flat one"}),
]
NAMES = ("a", "a.b", "a.b.c", "z", "nothing.at.all")


def made() -> Iterator[dict[str, Any]]:
    for at, (fields, message) in enumerate(itertools.product(FIELDS, MESSAGES)):
        time = f"2026-01-01T00:{at // 60:02d}:{at % 60:02d}Z"
        yield {
            "timestamp": time,
            "source": f"{at}",
            "message": message,
            "fields": fields,
        }


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    found = _module.Asked(tmp_path_factory.mktemp("store"), [*made()])
    yield found
    found.close()


def meant(fields: dict[str, Any], name: str) -> Any:
    value: Any = fields
    for key in name.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return fields.get(name) if value is None else value


@pytest.mark.parametrize("name", NAMES)
def test_a_name_means_what_it_means_with_all_fields_put_together(
    ask: Any, name: str
) -> None:
    whole = {
        row["source"]: meant(row["fields"] or {}, name)
        for row in ask("* | unpack json | fields source, fields")
    }
    assert len(whole) == len(FIELDS) * len(MESSAGES)
    rows = ask(f"* | unpack json | stats count() as n by source, {name} as v")
    texts = {row["source"]: row["v"] for row in rows}
    assert texts == {source: text_of(value) for source, value in whole.items()}
    for test in ("= 2.5", '= "flat"', "> 1", "!= 5"):
        found = ask(f"* | unpack json | where {name} {test} | fields source")
        held = ask(
            f"* | unpack json | eval x = {name} | where x {test} | fields source"
        )
        assert found == held


def test_objects_on_each_other_are_put_together(ask: Any) -> None:
    text = "* | eval p = message | unpack json from p | unpack json | where a.b {}"
    for test in ("= 2.5", "> 1"):
        once = text.format(test).replace(" | unpack json from p", "")
        assert ask(f"{text.format(test)} | fields source") == ask(
            f"{once} | fields source"
        )
