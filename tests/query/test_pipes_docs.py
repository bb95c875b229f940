"""The pipes in docs/query.md are those that there are, and its examples can be run."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from logstream.query.expressions.aggregates import AGGREGATES
from logstream.query.expressions.functions import FUNCTIONS
from logstream.query.pipes.registry import PIPES
from logstream.query.query import compile_query, parse_query
from tests.query.pipes_logs import DAY, ENTRIES
from tests.query.pipes_store import Asked

PAGE = Path(__file__).resolve().parents[2] / "docs/query.md"
BEHIND = {
    "compare": "stats count() as n | ",
    "anomalies": "timechart 5m count() as n | ",
}
"""What has to stand in front of a pipe."""


def examples(kind: str) -> list[str]:
    """What stands in the first column of the tables with this heading."""
    text = PAGE.read_text(encoding="utf-8").split("\n## Pipes\n")[1].split("\n## ")[0]
    found: list[str] = []
    is_there = False
    for line in text.splitlines():
        if not line.startswith("|"):
            is_there = False
        elif line.startswith(f"| {kind} |"):
            is_there = True
        elif is_there and "---" not in line:
            cell = re.split(r"(?<!\\)\|", line)[1]
            codes = re.findall(r"`([^`]+)`", cell)
            found += [one.replace("\\|", "|") for one in codes]
    return found


def first_words(kind: str) -> set[str]:
    return {re.split(r"\W", one)[0] for one in examples(kind)}


def test_every_pipe_aggregate_and_function_is_there() -> None:
    assert first_words("Pipe") == set(PIPES)
    assert first_words("Aggregate") == set(AGGREGATES)
    assert first_words("Function") == set(FUNCTIONS)


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    made = Asked(tmp_path_factory.mktemp("store"), ENTRIES)
    yield made
    made.close()


def run(ask: Asked, text: str) -> None:
    query = compile_query(text)
    assert parse_query(str(query)) == query
    ask(text, from_ns=DAY, to_ns=DAY + 2 * 86_400 * 10**9)


@pytest.mark.parametrize("example", examples("Pipe"))
def test_a_pipe_can_be_run(ask: Asked, example: str) -> None:
    run(ask, f"* | {BEHIND.get(example.split(maxsplit=1)[0], '')}{example}")


@pytest.mark.parametrize("example", examples("Aggregate"))
def test_an_aggregate_can_be_computed(ask: Asked, example: str) -> None:
    run(ask, f"* | stats {example}")
    run(ask, f"* | timechart 1h {example} by source")


@pytest.mark.parametrize("example", examples("Function"))
def test_a_function_can_be_called(ask: Asked, example: str) -> None:
    run(ask, f"* | eval found = {example} | fields found")
