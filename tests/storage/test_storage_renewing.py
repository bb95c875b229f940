"""A day that takes much in is let go of now and then, so that memory stays bounded."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from logstream.config.settings import StorageConfig
from logstream.storage import open_days
from logstream.storage.batch import Batch
from logstream.storage.holding import holding
from logstream.storage.hub import Hub
from logstream.storage.loader import Loader
from logstream.storage.partition import Key
from logstream.storage.partitions import Partitions
from logstream.storage.reader import Reader
from logstream.storage.selection import Selection

DAY = date(2026, 1, 1)
LINE = b'{"timestamp":"2026-01-01T00:00:00Z","message":"a","fields":{"n":1}}\n'


class Store:
    def __init__(self, folder: Path) -> None:
        self.hub = Hub(StorageConfig(), tmp=None)
        self.partitions = Partitions(self.hub, folder)
        self.loader = Loader(self.hub, self.partitions, max_entry_bytes=1 << 20)
        self.reader = Reader(self.hub, self.partitions, timeout_s=150)
        self.folder = folder

    def load(self, segment: int, rows: int) -> None:
        file = self.folder / "batch.ndjson"
        file.write_bytes(LINE * rows)
        size = len(LINE) * rows
        batch = Batch(segment=segment, path=file, size=size, entries=rows)
        assert self.loader.load(batch).entries == rows

    def checkpoint(self) -> None:
        assert self.partitions.checkpoint(lambda _: True) == 1

    def count(self) -> int:
        return self.reader.count(Selection())


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(open_days, "_RENEW_ROWS", 100)
    found = Store(tmp_path)
    yield found
    found.hub.close()


def test_a_day_is_let_go_of_after_many_rows(store: Store) -> None:
    store.load(1, 99)
    [before] = store.partitions.attached()
    store.checkpoint()
    assert store.partitions.attached() == [before]
    store.load(2, 1)
    store.checkpoint()
    assert store.partitions.attached() == []
    assert store.count() == 100
    store.load(3, 1)
    assert store.count() == 101
    [after] = store.partitions.attached()
    assert after.loaded_rows == 1


def test_it_does_not_wait_for_a_checkpoint(store: Store) -> None:
    """Those of a large day take long, and so they are rare."""
    store.load(1, 99)
    assert store.partitions.checkpoint(lambda _: False) == 0
    store.load(2, 1)
    assert store.partitions.checkpoint(lambda _: False) == 1
    assert store.partitions.attached() == []
    assert not list(store.folder.glob("*.wal"))
    assert store.count() == 100


def test_not_while_somebody_reads_it(store: Store) -> None:
    store.load(1, 100)
    [before] = store.partitions.attached()
    with holding():
        store.partitions.attach(before.key)
        store.checkpoint()
        assert store.partitions.attached() == [before]
    store.load(2, 1)
    store.checkpoint()
    assert store.partitions.attached() == []


def test_what_it_came_to_is_not_counted_anew(store: Store) -> None:
    """Who asks for totals now and then does not read all of a large day each time."""
    store.load(1, 60)
    assert store.reader.stats().entries == 60
    [before] = store.partitions.attached()
    store.load(2, 40)
    store.checkpoint()
    assert store.partitions.attached() == []
    store.load(3, 1)
    [after] = store.partitions.attached()
    assert after is not before
    assert after.counted is not None
    assert after.counted is before.counted
    assert store.reader.stats().entries == 101


def test_another_file_is_counted_anew(store: Store) -> None:
    store.load(1, 100)
    assert store.reader.stats().entries == 100
    store.checkpoint()
    file = store.folder / "2026-01-01.duckdb"
    assert store.partitions.attached() == []
    with duckdb.connect(file) as db:
        db.execute("DELETE FROM entries WHERE id & 1 = 0")
        db.execute("UPDATE applied SET entries = 50")
    assert store.reader.stats().entries == 50


def test_what_is_known_of_its_names_is_kept(store: Store) -> None:
    """A day of too many names is not shredded, whoever attaches it."""
    store.load(1, 100)
    [before] = store.partitions.attached()
    before.names.wide = True
    store.checkpoint()
    store.load(2, 1)
    [after] = store.partitions.attached()
    assert after is not before
    assert after.names.wide


def test_a_day_is_let_go_of_that_was_not_used_lately(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.load(1, 2)
    store.checkpoint()
    store.partitions.checkpoint(lambda _: False)
    assert len(store.partitions.attached()) == 1  # it was used a moment ago
    monkeypatch.setattr(open_days, "_UNUSED_S", 0)
    with holding():
        store.partitions.attach(Key(DAY))
        store.partitions.checkpoint(lambda _: False)
        assert len(store.partitions.attached()) == 1  # somebody reads it
    store.partitions.checkpoint(lambda _: False)
    assert store.partitions.attached() == []
    assert store.count() == 2


def test_rows_that_wait_for_a_checkpoint_keep_a_day_open(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_days, "_UNUSED_S", 0)
    store.load(1, 2)
    store.partitions.checkpoint(lambda _: False)
    assert len(store.partitions.attached()) == 1
