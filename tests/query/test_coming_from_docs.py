"""The pages for people who come from elsewhere: each query of ours in them compiles."""

import re
from pathlib import Path

import pytest

from logstream.query.query import compile_query, parse_query

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


@pytest.mark.parametrize(("page", "text"), examples())
def test_an_example_compiles(page: str, text: str) -> None:
    query = compile_query(text)
    assert parse_query(str(query)) == query
