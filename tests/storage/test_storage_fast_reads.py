"""Reads try the form that is pushed down, and fall back when a value makes it fail."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from logstream.config.settings import StorageConfig
from logstream.core.sql import Sql
from logstream.query import compile_filter
from logstream.storage.batch import Batch
from logstream.storage.hub import Hub
from logstream.storage.loader import Loader
from logstream.storage.partitions import Partitions
from logstream.storage.reader import Reader
from logstream.storage.selection import Selection

LINES = (
    b'{"timestamp":"2026-01-01T00:00:00Z","message":"a","fields":{"host":"x","n":9}}\n'
    b'{"timestamp":"2026-01-01T00:00:01Z","message":"b","fields":{"Host":1,"host":2}}\n'
    b'{"timestamp":"2026-01-01T00:00:02Z","message":"c","fields":{"a":{"b":"x"}}}\n'
)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    hub = Hub(StorageConfig(), tmp=None)
    partitions = Partitions(hub, None)
    file = tmp_path / "batch.ndjson"
    file.write_bytes(LINES)
    Loader(hub, partitions, max_entry_bytes=1 << 20).load(
        Batch(segment=1, path=file, size=len(LINES), entries=3)
    )
    yield Reader(hub, partitions, timeout_s=150)
    hub.close()


def selection(text: str) -> Selection:
    query = compile_filter(text)
    return Selection(where=query.sql, fast=query.fast_sql)


def test_keys_that_differ_in_case_only_fail_no_query(reader: Reader) -> None:
    """DuckDB refuses to cast a field of such an object; the safe form finds it."""
    assert reader.count(selection("host:x")) == 1
    found = reader.entries(selection("host:2"), limit=10)
    assert [row.message for row in found.rows] == ["b"]
    assert reader.frequency(Selection(), group_by="host") == {"2": 1, "x": 1}
    by_host = reader.entries(Selection(), limit=10, sort_by="host", descending=False)
    assert [row.message for row in by_host.rows] == ["b", "a", "c"]


def test_the_fast_form_is_the_one_that_is_run(reader: Reader) -> None:
    """`where` is not looked at when `fast` works."""
    assert reader.count(Selection(where=Sql("FALSE"), fast=Sql("TRUE"))) == 3
    assert reader.count(Selection(where=Sql("FALSE"), fast=Sql("error('no')"))) == 0


def test_a_field_is_grouped_by_its_dotted_name(reader: Reader) -> None:
    assert reader.frequency(Selection(), group_by="a.b") == {"x": 1}
    assert reader.frequency(Selection(), group_by="fields.n") == {"9": 1}
    assert reader.frequency(Selection(), group_by="missing.name") == {}
