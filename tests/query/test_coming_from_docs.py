"""The pages for people who come from elsewhere: each query of ours in them runs."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from logstream.query.query import compile_query, parse_query
from tests.query.pipes_logs import DAY, ENTRIES
from tests.query.pipes_store import Asked

PAGES = sorted((Path(__file__).parents[2] / "docs/coming-from").glob("*.md"))
_ROW = re.compile(r"^\|.*[^\\]\| `(.*)` \|$")


def examples() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for line in page.read_text().splitlines():
            if row := _ROW.match(line):
                text = row[1].replace("\\|", "|")
                found.append((page.stem, text))
    return found


def test_there_is_a_page_for_each() -> None:
    stems = [page.stem for page in PAGES]
    assert stems == ["logql", "logsql", "lucene", "spl", "sql"]
    for page in PAGES:
        rows = [line for line in page.read_text().splitlines() if line.startswith("| ")]
        of_page = [text for stem, text in examples() if stem == page.stem]
        assert len(of_page) == len(rows) - 2, page  # less the header and its line


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    made = Asked(tmp_path_factory.mktemp("store"), ENTRIES)
    yield made
    made.close()


@pytest.mark.parametrize(("page", "text"), examples())
def test_an_example_runs(ask: Asked, page: str, text: str) -> None:
    """And reads back as what it says."""
    query = compile_query(text)
    assert parse_query(str(query)) == query
    rows = ask(text, from_ns=DAY, to_ns=DAY + 2 * 86_400 * 10**9)
    assert len(rows) <= 10_000
