"""docs/query.md is true: each row of its tables of examples is run, in both forms."""

import json
import re
from pathlib import Path
from typing import Any, Protocol

import pytest

from logstream.core.entry import Entry
from logstream.core.errors import QuerySyntaxError
from logstream.core.sql import Sql
from logstream.query import compile_filter

PAGE = Path(__file__).resolve().parents[2] / "docs/query.md"
COLUMNS = ("id", "timestamp", "source", "level", "message")


class Store(Protocol):
    def hold(self, entries: list[Entry]) -> None: ...
    def finds(self, sql: Sql) -> list[bool]: ...


def rows() -> list[tuple[str, list[Any], list[Any]]]:
    """Query, examples that it finds, examples that it does not."""
    found = []
    in_examples = False
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            in_examples = False
        elif line == "| Query | Finds | Does not find |":
            in_examples = True
        elif in_examples and "---" not in line:
            query, finds, misses = (
                re.findall(r"`([^`]+)`", cell) for cell in line[1:-1].split(" |")
            )
            found.append((query[0], finds, misses))
    return found


def entry_of(example: str) -> Entry:
    values: dict[str, Any] = {
        "id": 1,
        "timestamp": "2025-01-01T00:00:00Z",
        "source": "web",
        "level": "info",
        "message": "",
    }
    shown = json.loads(example)
    return Entry(
        **(values | {key: shown[key] for key in COLUMNS if key in shown}),
        fields=shown.get("fields")
        or {key: value for key, value in shown.items() if key not in COLUMNS},
    )


def test_there_are_examples() -> None:
    assert len(rows()) > 60


@pytest.mark.parametrize(("query", "finds", "misses"), rows())
def test_the_examples_hold(
    store: Store, query: str, finds: list[str], misses: list[str]
) -> None:
    compiled = compile_filter(query)
    entries = [entry_of(example) for example in finds + misses]
    expected = [True] * len(finds) + [False] * len(misses)
    store.hold(entries)
    assert [compiled.matches(entry) for entry in entries] == expected
    assert store.finds(compiled.sql) == expected


def test_the_example_of_an_error_holds() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    at = next(index for index, line in enumerate(lines) if line.lstrip()[:1] == "^")
    with pytest.raises(QuerySyntaxError) as raised:
        compile_filter(lines[at - 1])
    assert lines[at] == f"{' ' * raised.value.offset}^ {raised.value}"
