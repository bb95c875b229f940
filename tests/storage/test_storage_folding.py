"""A day that gets a few entries now and then does not grow with its checkpoints."""

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from logstream.config.settings import StorageConfig
from logstream.core.sql import Sql
from logstream.storage import folding, tail
from logstream.storage.deletion import Deletion
from logstream.storage.hub import Hub
from logstream.storage.partition import Key, Partition
from logstream.storage.selection import Selection
from logstream.storage.tail import Tail
from tests.storage.compacted_day import compact, entry

GROUPS = 5

Store = Any


@pytest.fixture
def store(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(tail, "_MOST_GROUPS", GROUPS)
    return store


def checkpoint(store: Store) -> int:
    done: int = store.partitions.checkpoint(lambda _: True)
    return done


def fill(store: Store, times: int, first: int = 0) -> None:
    """A checkpoint for each two entries."""
    for at in range(first, first + times):
        fields = {"n": at, "deep": {"k": [at, "x"]}}
        store.load(entry(at, "a", **fields), entry(at, "b", late=at % 2 == 0))
        checkpoint(store)


def day_of(store: Store) -> Partition:
    found: list[Partition] = store.partitions.attached()
    assert len(found) == 1
    return found[0]


def groups(store: Store, table: str = "entries") -> list[int]:
    """The rows of each row group, dropped ones left out."""
    rows = rows_of(
        store,
        "SELECT max(start + count) FROM pragma_storage_info("
        f"'{day_of(store).name}.{table}') WHERE column_path = '[0]' "
        "GROUP BY row_group_id ORDER BY row_group_id",
    )
    return [number for (number,) in rows]


def content(store: Store) -> tuple[list[Any], list[Any]]:
    name = day_of(store).name
    return (
        rows_of(
            store,
            "SELECT id, timestamp::VARCHAR, source, level, message, fields::JSON "
            f"FROM {name}.entries ORDER BY id",
        ),
        rows_of(store, f"FROM {name}.applied ORDER BY segment"),
    )


def rows_of(store: Store, text: str) -> list[Any]:
    cursor = store.hub.cursor()
    try:
        found: list[Any] = cursor.execute(text).fetchall()
        return found
    finally:
        cursor.close()


def test_many_checkpoints_of_a_few_entries_leave_few_row_groups(store: Store) -> None:
    fill(store, GROUPS - 1)
    assert groups(store) == [2] * (GROUPS - 1)
    fill(store, 1, GROUPS - 1)
    assert groups(store) == [2 * GROUPS]
    assert groups(store, "applied") == [GROUPS]
    fill(store, 3 * GROUPS, GROUPS)
    assert len(groups(store)) < GROUPS
    assert len(groups(store, "applied")) < GROUPS
    assert sum(groups(store)) == 8 * GROUPS


def test_it_holds_what_it_held(store: Store) -> None:
    fill(store, GROUPS - 1)
    store.load(entry(77, "c", n=[1, None, {"a": 2.5}], other=None))
    before = content(store)
    assert checkpoint(store) == 2
    assert content(store) == before
    assert len(groups(store)) == 1
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
    fill(store, GROUPS - 1)
    day_of(store).tail.add(1, 1)  # so it is due
    store.load(entry(99, "c"))
    before = content(store)
    assert folding.fold(store.hub, day_of(store))
    assert content(store) == before
    assert len(groups(store)) == 1
    assert day_of(store).dirty_rows == 0


def test_large_row_groups_stay_as_they_are(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "MOST_ROWS", 100)
    store.load(*(entry(at, "a") for at in range(100)))
    checkpoint(store)
    fill(store, GROUPS)
    assert groups(store) == [100, 2 * GROUPS]


def test_nobody_waits_while_entries_are_loaded(store: Store) -> None:
    fill(store, GROUPS - 1)
    partition = day_of(store)
    assert partition.writers.enter()
    try:
        fill(store, 1, GROUPS)
        assert partition.tail.is_due
        assert len(groups(store)) == GROUPS
    finally:
        partition.writers.leave()
    assert checkpoint(store) == 1
    assert groups(store) == [2 * GROUPS]


def test_one_that_fails_changes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    inner = folding._move

    def fails(cursor: duckdb.DuckDBPyConnection, table: str, *range_: int) -> int:
        if table.endswith(".applied"):
            raise duckdb.OutOfMemoryException("no memory")
        return inner(cursor, table, *range_)

    monkeypatch.setattr(folding, "_move", fails)
    fill(store, GROUPS - 1)
    store.load(entry(99, "c"))
    before = content(store)
    assert checkpoint(store) == 1
    assert "The end of 2026-01-01 was not folded: no memory" in caplog.text
    assert content(store) == before
    assert not day_of(store).tail.is_due
    monkeypatch.undo()
    fill(store, 32)
    assert len(groups(store)) < 2 * GROUPS


def test_what_was_deleted_stays_so(store: Store) -> None:
    fill(store, GROUPS - 1)
    deletion = Deletion(store.hub, store.partitions, timeout_s=150)
    gone = Selection(where=Sql("source = 'b'", ()))
    assert deletion.delete(gone, reason="request").entries == GROUPS - 1
    assert day_of(store).tail.rows == 0 or not day_of(store).tail.is_due
    fill(store, 2 * GROUPS, 50)
    assert store.reader.count(Selection()) == GROUPS - 1 + 4 * GROUPS
    assert sum(groups(store)) <= 2 * (GROUPS - 1) + 4 * GROUPS


def test_what_is_known_of_a_tail_is_kept_when_a_day_is_let_go_of(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry every two minutes attaches the day each time."""
    monkeypatch.setattr("logstream.storage.open_days._UNUSED_S", 0)
    for at in range(3 * GROUPS):
        store.load(entry(at, "a", n=at))
        checkpoint(store)
        store.partitions.checkpoint(lambda _: False)
        assert store.partitions.attached() == []
    assert store.reader.count(Selection()) == 3 * GROUPS
    assert len(groups(store)) < GROUPS


def test_late_entries_of_a_compacted_day_are_found(store: Store) -> None:
    fill(store, GROUPS)
    compact(store)
    fill(store, GROUPS, 100)
    assert len(groups(store)) == 2
    places = f"SELECT place FROM {day_of(store).name}.entries ORDER BY id"
    assert rows_of(store, places)[-2 * GROUPS :] == [(2_147_483_647,)] * (2 * GROUPS)
    known = store.partitions.states()
    assert [state.broken for state in known] == [""]
    assert store.reader.count(Selection()) == 4 * GROUPS


def test_a_day_of_many_names_stays_together(store: Store) -> None:
    store.load(entry(0, "a"))
    day_of(store).names.wide = True
    fill(store, GROUPS)
    assert len(groups(store)) <= GROUPS
    columns = (
        "SELECT count(DISTINCT column_path) FROM pragma_storage_info("
        f"'{day_of(store).name}.entries') WHERE column_path LIKE '[5, 2%'"
    )
    assert rows_of(store, columns) == [(0,)]


def test_totals_are_those_of_before(store: Store) -> None:
    fill(store, GROUPS - 1)
    before = store.reader.stats()
    store.load(entry(99, "c"))
    checkpoint(store)
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
    partition = Partition(Key(date(2026, 1, 1)), None)
    for _ in range(99):
        partition.tail.add(1, 1)
    hub = Hub(StorageConfig(), tmp=None)
    assert not folding.fold(hub, partition)
    hub.close()
