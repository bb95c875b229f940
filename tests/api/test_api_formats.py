"""What an answer is written as: `format`, then `Accept`, then JSON."""

from types import SimpleNamespace
from typing import get_args

import pytest

from logstream.api.errors import NotAcceptable
from logstream.api.formats import MEDIA_TYPES, FormatName, format_of
from logstream.storage import formats


def chosen(accept: str | None, asked: str | None = None) -> str:
    headers = {} if accept is None else {"accept": accept}
    return format_of(SimpleNamespace(headers=headers), asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "json"),
        ("", "json"),
        ("*/*", "json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "json"),
        ("application/x-ndjson", "ndjson"),
        ("application/json;q=0.5, text/csv", "csv"),
        ("*/*, application/vnd.apache.parquet", "parquet"),
        ("TEXT/CSV; charset=utf-8", "csv"),
        ("text/csv;q=0, application/vnd.apache.arrow.stream", "arrow"),
        ("text/csv;q=much", "csv"),
    ],
)
def test_accept_chooses(accept: str | None, expected: str) -> None:
    assert chosen(accept) == expected


def test_format_wins_over_accept() -> None:
    assert chosen("image/png", "csv") == "csv"


@pytest.mark.parametrize("accept", ["image/png", "text/csv;q=0", "text/html;q=1"])
def test_nothing_known_is_not_acceptable(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="text/csv"):
        chosen(accept)


def test_the_edge_and_the_store_know_the_same_formats() -> None:
    assert set(get_args(FormatName)) == set(formats.WRITERS) == set(MEDIA_TYPES)
