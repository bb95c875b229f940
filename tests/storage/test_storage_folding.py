"""A day that gets a few entries now and then does not grow with its checkpoints."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from logstream.config.settings import StorageConfig
from logstream.core.sql import Sql
from logstream.storage import folding, tail
from logstream.storage.batch import Batch
from logstream.storage.deletion import Deletion
from logstream.storage.hub import Hub
from logstream.storage.loader import Loader
from logstream.storage.partition import Partition
from logstream.storage.partitions import Partitions
from logstream.storage.reader import Reader
from logstream.storage.selection import Selection
from logstream.storage.tail import Tail
from tests.storage.compacted_day import compact, entry

GROUPS = 5


class Store:
    def __init__(self, folder: Path) -> None:
        self.hub = Hub(StorageConfig(), tmp=None)
        self.partitions = Partitions(self.hub, folder)
        self.loader = Loader(self.hub, self.partitions, max_entry_bytes=1 << 20)
        self.reader = Reader(self.hub, self.partitions, timeout_s=150)
        self.folder = folder
        self.segment = 0

    def load(self, *entries: dict[str, Any]) -> None:
        self.segment += 1
        file = self.folder / "batch.ndjson"
        file.write_text("".join(json.dumps(one) + "\n" for one in entries))
        batch = Batch(
            segment=self.segment,
            path=file,
            size=file.stat().st_size,
            entries=len(entries),
        )
        assert self.loader.load(batch).entries == len(entries)

    def checkpoint(self) -> int:
        return self.partitions.checkpoint(lambda _: True)

    def fill(self, times: int, first: int = 0) -> None:
        """A checkpoint for each two entries."""
        for at in range(first, first + times):
            fields = {"n": at, "deep": {"k": [at, "x"]}}
            self.load(entry(at, "a", **fields), entry(at, "b", late=at % 2 == 0))
            self.checkpoint()

    def partition(self) -> Partition:
        [found] = self.partitions.attached()
        return found

    def groups(self, table: str = "entries") -> list[int]:
        """The rows of each row group, dropped ones left out."""
        rows = self.rows(
            "SELECT max(start + count) FROM pragma_storage_info("
            f"'{self.partition().name}.{table}') WHERE column_path = '[0]' "
            "GROUP BY row_group_id ORDER BY row_group_id"
        )
        return [number for (number,) in rows]

    def content(self) -> tuple[list[Any], list[Any]]:
        name = self.partition().name
        return (
            self.rows(
                "SELECT id, timestamp::VARCHAR, source, level, message, fields::JSON "
                f"FROM {name}.entries ORDER BY id"
            ),
            self.rows(f"FROM {name}.applied ORDER BY segment"),
        )

    def rows(self, text: str) -> list[Any]:
        cursor = self.hub.cursor()
        try:
            return cursor.execute(text).fetchall()
        finally:
            cursor.close()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(tail, "_MOST_GROUPS", GROUPS)
    found = Store(tmp_path)
    yield found
    found.hub.close()


def test_many_checkpoints_of_a_few_entries_leave_few_row_groups(store: Store) -> None:
    store.fill(GROUPS - 1)
    assert store.groups() == [2] * (GROUPS - 1)
    store.fill(1, GROUPS - 1)
    assert store.groups() == [2 * GROUPS]
    assert store.groups("applied") == [GROUPS]
    store.fill(3 * GROUPS, GROUPS)
    assert len(store.groups()) < GROUPS
    assert len(store.groups("applied")) < GROUPS
    assert sum(store.groups()) == 8 * GROUPS


def test_it_holds_what_it_held(store: Store) -> None:
    store.fill(GROUPS - 1)
    store.load(entry(77, "c", n=[1, None, {"a": 2.5}], other=None))
    before = store.content()
    assert store.checkpoint() == 2
    assert store.content() == before
    assert len(store.groups()) == 1
    assert [(row[0], row[1]) for row in before[1]] == [
        *((segment, 2) for segment in range(1, GROUPS)),
        (GROUPS, 1),
    ]
    assert store.reader.count(Selection()) == 2 * GROUPS - 1
    file = store.folder / "2026-01-01.duckdb"
    store.hub.close()
    with duckdb.connect(file, read_only=True) as db:
        [(count,)] = db.execute("SELECT count(DISTINCT id) FROM entries").fetchall()
    assert count == 2 * GROUPS - 1


def test_rows_that_are_not_checkpointed_yet_go_with_it(store: Store) -> None:
    store.fill(GROUPS - 1)
    store.partition().tail.add(1, 1)  # so it is due
    store.load(entry(99, "c"))
    before = store.content()
    assert folding.fold(store.hub, store.partition())
    assert store.content() == before
    assert len(store.groups()) == 1
    assert store.partition().dirty_rows == 0


def test_large_row_groups_stay_as_they_are(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "MOST_ROWS", 100)
    store.load(*(entry(at, "a") for at in range(100)))
    store.checkpoint()
    store.fill(GROUPS)
    assert store.groups() == [100, 2 * GROUPS]


def test_nobody_waits_while_entries_are_loaded(store: Store) -> None:
    store.fill(GROUPS - 1)
    partition = store.partition()
    assert partition.writers.enter()
    try:
        store.fill(1, GROUPS)
        assert partition.tail.is_due
        assert len(store.groups()) == GROUPS
    finally:
        partition.writers.leave()
    assert store.checkpoint() == 1
    assert store.groups() == [2 * GROUPS]


def test_one_that_fails_changes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    inner = folding._move

    def fails(cursor: duckdb.DuckDBPyConnection, table: str, *range_: int) -> int:
        if table.endswith(".applied"):
            raise duckdb.OutOfMemoryException("no memory")
        return inner(cursor, table, *range_)

    monkeypatch.setattr(folding, "_move", fails)
    store.fill(GROUPS - 1)
    store.load(entry(99, "c"))
    before = store.content()
    assert store.checkpoint() == 1
    assert "The end of 2026-01-01 was not folded: no memory" in caplog.text
    assert store.content() == before
    assert not store.partition().tail.is_due
    monkeypatch.undo()
    store.fill(32)
    assert len(store.groups()) < 2 * GROUPS


def test_what_was_deleted_stays_so(store: Store) -> None:
    store.fill(GROUPS - 1)
    deletion = Deletion(store.hub, store.partitions, timeout_s=150)
    gone = Selection(where=Sql("source = 'b'", ()))
    assert deletion.delete(gone, reason="request").entries == GROUPS - 1
    assert store.partition().tail.rows == 0 or not store.partition().tail.is_due
    store.fill(2 * GROUPS, 50)
    assert store.reader.count(Selection()) == GROUPS - 1 + 4 * GROUPS
    assert sum(store.groups()) <= 2 * (GROUPS - 1) + 4 * GROUPS


def test_what_is_known_of_a_tail_is_kept_when_a_day_is_let_go_of(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry every two minutes attaches the day each time."""
    monkeypatch.setattr("logstream.storage.open_days._UNUSED_S", 0)
    for at in range(3 * GROUPS):
        store.load(entry(at, "a", n=at))
        store.checkpoint()
        store.partitions.checkpoint(lambda _: False)
        assert store.partitions.attached() == []
    assert store.reader.count(Selection()) == 3 * GROUPS
    assert len(store.groups()) < GROUPS


def test_late_entries_of_a_compacted_day_are_found(store: Store) -> None:
    store.fill(GROUPS)
    compact(store)
    store.fill(GROUPS, 100)
    assert len(store.groups()) == 2
    places = f"SELECT place FROM {store.partition().name}.entries ORDER BY id"
    assert store.rows(places)[-2 * GROUPS :] == [(2_147_483_647,)] * (2 * GROUPS)
    known = store.partitions.states()
    assert [state.broken for state in known] == [""]
    assert store.reader.count(Selection()) == 4 * GROUPS


def test_a_day_of_many_names_stays_together(store: Store) -> None:
    store.load(entry(0, "a"))
    store.partition().names.wide = True
    store.fill(GROUPS)
    assert len(store.groups()) <= GROUPS
    columns = (
        "SELECT count(DISTINCT column_path) FROM pragma_storage_info("
        f"'{store.partition().name}.entries') WHERE column_path LIKE '[5, 2%'"
    )
    assert store.rows(columns) == [(0,)]


def test_totals_are_those_of_before(store: Store) -> None:
    store.fill(GROUPS - 1)
    before = store.reader.stats()
    store.load(entry(99, "c"))
    store.checkpoint()
    after = store.reader.stats()
    assert after.entries == before.entries + 1 == 2 * GROUPS - 1
    assert after.by_source == {"a": GROUPS - 1, "b": GROUPS - 1, "c": 1}


@pytest.mark.parametrize(
    ("added", "due", "rows"),
    [
        ([(20_479, 1)], False, 20_479),
        ([(20_480, 1)], False, 0),
        ([(1, 8 << 20)], False, 0),
        ([(20_479, 1), (1, 1)], True, 20_480),
        ([(1, 4 << 20)] * 2, True, 2),
        ([(1, 1)] * 31, False, 31),
        ([(1, 1)] * 32, True, 32),
        ([(1, 1)] * 32 + [(30_000, 1)], False, 0),
        ([(0, 1)] * 32, False, 0),
    ],
)
def test_a_tail_is_due_when_it_is_long(
    added: list[tuple[int, int]], due: bool, rows: int
) -> None:
    found = Tail()
    for one in added:
        found.add(*one)
    assert found.is_due is due
    assert found.rows == rows


def test_a_day_in_memory_has_none(tmp_path: Path) -> None:
    partition = Partition(date(2026, 1, 1), None)
    for _ in range(99):
        partition.tail.add(1, 1)
    hub = Hub(StorageConfig(), tmp=None)
    assert not folding.fold(hub, partition)
    hub.close()
