"""Entries as rows: the same as in pages, in every format, by time over all days."""

import json
from typing import Any

import duckdb
import pytest

from logstream.core.sql import Sql
from logstream.storage.formats import write
from logstream.storage.results import Result
from logstream.storage.selection import Selection

ENTRIES = [
    {
        "timestamp": f"2025-05-{day:02}T10:00:0{second}Z",
        "source": "web",
        "level": "info",
        "message": f"m{day}-{second}",
        "fields": {"n": second, "deep": {"x": [1, None]}},
    }
    for day in (3, 1, 2)
    for second in (1, 3, 2)
]


def rows(store: Any, selection: Selection | None = None, **more: Any) -> list[Any]:
    parts: list[bytes] = []

    def consume(result: Result) -> None:
        write(result, "json", parts.append)

    store.reader.rows(selection or Selection(), consume, **{"limit": 100, **more})
    found: list[Any] = json.loads(b"".join(parts))
    return found


@pytest.mark.parametrize("descending", [True, False])
def test_rows_are_what_pages_hold(store: Any, descending: bool) -> None:
    store.load(*ENTRIES)
    page = store.page(descending=descending).rows
    found = rows(store, descending=descending, ids=True)
    assert [row["id"] for row in found] == [str(row.id) for row in page]
    assert [row["message"] for row in found] == [row.message for row in page]
    assert [row["timestamp"] for row in found] == [row.timestamp for row in page]
    assert [row["fields"] for row in found] == [
        json.loads(bytes(r.fields)) for r in page
    ]


def test_rows_are_bounded_and_selected(store: Any) -> None:
    store.load(*ENTRIES)
    where = Sql("message LIKE ?", ("%-3",))
    found = rows(store, Selection(where=where), limit=2)
    assert [row["message"] for row in found] == ["m3-3", "m2-3"]


def test_an_empty_store_has_no_rows(store: Any) -> None:
    assert rows(store) == []


def test_a_form_that_fails_at_once_is_replaced(store: Any) -> None:
    store.load(*ENTRIES)
    fast = Sql("CAST(message AS INTEGER) > 0")
    assert len(rows(store, Selection(fast=fast))) == len(ENTRIES)


def test_nothing_is_given_twice(store: Any) -> None:
    """What fails behind the first rows is an error, not a second beginning."""
    store.load(*ENTRIES)
    calls: list[int] = []

    def consume(result: Result) -> None:
        calls.append(len(next(iter(result.batches(2)))))
        raise duckdb.ConversionException("broken off")

    with pytest.raises(Exception, match="broken off"):
        store.reader.rows(Selection(), consume, limit=10)
    assert calls == [2]
