"""A checkpoint that fails takes a day away for a moment, and no more than that."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from logstream.config.settings import StorageConfig
from logstream.core.errors import StorageError
from logstream.storage.batch import Batch
from logstream.storage.hub import Hub, invalid_database, is_fatal
from logstream.storage.loader import Loader
from logstream.storage.partitions import Partitions
from logstream.storage.reader import Reader
from logstream.storage.selection import Selection

FAILED = (
    'IO Error: Checkpoint failed for database "d20260101". The database has been '
    "invalidated. Original error: Could not write file: No space left on device"
)
AFTERWARDS = (
    'IO Error: Database "d20260101" has been invalidated because checkpointing failed. '
    "Detach and reattach it before using it again. Original error: out of memory"
)
FOR_GOOD = (
    "FATAL Error: Failed: database has been invalidated because of a previous fatal "
    "error. The database must be restarted prior to being used again."
)


class Store:
    def __init__(self, folder: Path) -> None:
        self.hub = Hub(StorageConfig(), tmp=None)
        self.partitions = Partitions(self.hub, folder)
        self.loader = Loader(self.hub, self.partitions, max_entry_bytes=1 << 20)
        self.reader = Reader(self.hub, self.partitions, timeout_s=150)
        self.folder = folder

    def load(self, segment: int) -> int:
        file = self.folder / "batch.ndjson"
        line = b'{"timestamp":"2026-01-01T00:00:00Z","message":"a"}\n'
        file.write_bytes(line)
        batch = Batch(segment=segment, path=file, size=len(line), entries=1)
        return self.loader.load(batch).entries

    def count(self) -> int:
        return self.reader.count(Selection())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store(tmp_path)
    yield found
    found.hub.close()


@pytest.mark.parametrize("text", [FAILED, AFTERWARDS])
def test_one_day_is_not_the_whole_store(text: str) -> None:
    """DuckDB says "invalidated" of both; only the one needs a restart."""
    error = duckdb.IOException(text)
    assert invalid_database(error) == "d20260101"
    assert not is_fatal(error)


def test_a_failure_for_good_is_told_apart() -> None:
    error = duckdb.FatalException(FOR_GOOD)
    assert invalid_database(error) is None
    assert is_fatal(error)


@pytest.mark.parametrize("text", [FAILED, AFTERWARDS])
def test_the_day_is_attached_anew_with_all_that_was_committed(
    store: Store, text: str
) -> None:
    """Whoever meets the error says so; the next quiet moment opens the day again."""
    assert store.load(1) == 1
    [before] = store.partitions.attached()
    with pytest.raises(StorageError), store.hub.reading(10):
        raise duckdb.IOException(text)
    assert store.hub.failure == ""
    store.partitions.checkpoint(lambda _: False)
    assert store.partitions.attached() == []
    assert store.count() == 1
    assert store.load(1) == 0
    assert store.load(2) == 1
    assert store.count() == 2
    assert store.partitions.attached() != [before]


def test_a_query_that_meets_the_day_is_tried_again(store: Store) -> None:
    assert store.load(1) == 1
    [before] = store.partitions.attached()

    def read(db: duckdb.DuckDBPyConnection, fast: bool) -> int:
        [partition] = store.partitions.readable([before.key])
        if partition is before:
            raise duckdb.IOException(AFTERWARDS)
        text = f"SELECT count(*) FROM {partition.name}.entries"
        return int(db.execute(text).fetchall()[0][0])

    assert store.reader._read(read) == 1
    assert store.partitions.attached() != [before]
    assert store.hub.failure == ""


def test_a_day_is_attached_when_its_last_reader_is_done(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB keeps a file that is detached for a statement that reads it."""
    monkeypatch.setattr("logstream.storage.attaching._FREE_TIMEOUT_S", 150)
    assert store.load(1) == 1
    [before] = store.partitions.attached()
    reads = store.hub.cursor()
    reads.execute("BEGIN")
    reads.execute(f"SELECT count(*) FROM {before.name}.entries").fetchall()
    with pytest.raises(StorageError), store.hub.reading(10):
        raise duckdb.IOException(AFTERWARDS)
    store.partitions.checkpoint(lambda _: False)
    with ThreadPoolExecutor(1) as pool:
        counting = pool.submit(store.count)
        with pytest.raises(TimeoutError):
            counting.result(0.05)
        reads.execute("COMMIT")
        assert counting.result() == 1


def test_a_database_that_is_no_day_fails_the_store(store: Store) -> None:
    """Nothing else is attached anew while the server runs."""
    with pytest.raises(duckdb.IOException), store.hub.noticing():
        raise duckdb.IOException(AFTERWARDS.replace("d20260101", "dead"))
    assert "invalidated" in store.hub.failure
