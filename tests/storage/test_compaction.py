"""Compaction: the same entries in a new file, whatever comes in between."""

import os
import random
import shutil
import threading
import time
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from logstream.config.settings import StorageConfig
from logstream.core.errors import StorageError
from logstream.query import compile_filter
from logstream.storage import compaction, generations, rewriting, skip_index
from logstream.storage.compaction import Compactor
from logstream.storage.hub import Hub
from logstream.storage.open_days import OpenDays
from logstream.storage.partition import Key
from logstream.storage.partitions import Partitions
from logstream.storage.reader import Reader
from logstream.storage.selection import Selection

DAY = date(2026, 1, 1)
OLD, FIRST, INDEX = "2026-01-01.duckdb", "2026-01-01.g1.duckdb", "2026-01-01.g1.index"


def entry(at: int, **others: Any) -> dict[str, Any]:
    made = {
        "timestamp": f"2026-01-01T00:{at // 60 % 60:02}:{at % 60:02}Z",
        "source": f"app{at % 3}",
        "message": f"entry {at} of many",
        "fields": {"n": at, "host": f"h{at % 7}", "deep": {"a": [at]}},
    }
    return made | others


def compactor_of(store: Any, **config: Any) -> Compactor:
    settings = StorageConfig(min_free_bytes=0, **config)
    return Compactor(store.hub, store.partitions, settings, tmp=None)


def rows_of(store: Any) -> list[Any]:
    return sorted(store.page(limit=20_000).rows, key=lambda row: row.id)


def make_old(folder: Path, *names: str, seconds: float = 7200) -> None:
    for name in names:
        when = time.time() - seconds
        os.utime(folder / name, (when, when))


def test_entries_that_are_too_large_to_be_sorted_stay_as_they_came(
    store: Any, caplog: pytest.LogCaptureFixture
) -> None:
    texts = random.Random(1)
    for _ in range(10):
        store.load(
            *(entry(at, message=texts.randbytes(1000).hex()) for at in range(1600))
        )
    before = rows_of(store)
    caplog.set_level("INFO")
    done = compactor_of(store, memory_bytes=40 << 20).compact(Key(DAY))
    assert done is not None
    assert "too large to be sorted" in caplog.text
    assert rows_of(store) == before
    (partition,) = store.partitions.readable([Key(DAY)])
    text = f"SELECT id FROM {partition.name}.entries ORDER BY place"
    ids = [row[0] for row in store.hub.cursor().execute(text).fetchall()]
    assert ids == sorted(ids)
    query = compile_filter(f"{before[7].message} n:7")
    selection = Selection(where=query.sql, fast=query.fast_sql, needs=query.needs)
    assert store.reader.count(selection) == 1


def test_a_compacted_day_holds_the_same(store: Any) -> None:
    store.load(*(entry(at) for at in range(5000)))
    store.load(entry(1, message="ünï", fields={}), entry(2, fields={"N": 1, "n": 2}))
    before, stats = rows_of(store), store.reader.stats()
    done = compactor_of(store).compact(Key(DAY))
    assert done is not None
    assert done.entries == 5002
    assert rows_of(store) == before
    after = store.reader.stats()
    assert (after.entries, after.raw_bytes) == (stats.entries, stats.raw_bytes)
    assert store.files() == [FIRST, INDEX]
    assert store.reader.get(before[17].id) == before[17]
    assert store.load(entry(1), segment=1) == 0, "it forgot what it had applied"


def test_a_day_is_compacted_again_with_what_came_later(store: Any) -> None:
    store.load(entry(1))
    compactor = compactor_of(store)
    assert compactor.compact(Key(DAY))
    store.load(entry(2), entry(3))
    assert store.reader.count(Selection()) == 3
    assert compactor.compact(Key(DAY))
    assert store.files() == ["2026-01-01.g2.duckdb", "2026-01-01.g2.index"]
    assert len(rows_of(store)) == 3


def test_a_query_that_runs_goes_on_over_the_old_file(store: Any) -> None:
    store.load(*(entry(at) for at in range(3000)))
    name = store.partitions.attach(Key(DAY)).name
    with store.hub.reading(20) as cursor:
        cursor.execute(f"SELECT id FROM {name}.entries")
        first = cursor.fetchmany(1)
        assert compactor_of(store).compact(Key(DAY))
        assert len(first + cursor.fetchall()) == 3000


def test_reads_beside_compactions_never_fail(store: Any) -> None:
    store.load(*(entry(at) for at in range(2500)))
    compactor = compactor_of(store)
    query = compile_filter("host:h3 entry")
    selection = Selection(where=query.sql, fast=query.fast_sql, needs=query.needs)
    expected = store.reader.count(selection)
    over = threading.Event()
    wrong: list[Any] = []

    def read() -> None:
        while not over.is_set():
            try:
                got = store.reader.count(selection), store.reader.stats().entries
                if got != (expected, 2500) or store.reader.get(1 << 20) is None:
                    wrong.append(got)
            except Exception as error:  # noqa: BLE001 - reported below
                wrong.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(5):
        assert compactor.compact(Key(DAY))
    over.set()
    reader.join(150)
    assert wrong == []


def test_what_comes_meanwhile_is_kept(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rewrite is given up, and done later."""
    store.load(entry(1))
    rewrite = Compactor._rewrite

    def slow(self: Compactor, work: Any) -> int:
        made = rewrite(self, work)
        store.load(entry(2))
        return made

    monkeypatch.setattr(Compactor, "_rewrite", slow)
    assert compactor_of(store).compact(Key(DAY)) is None
    assert store.files() == [OLD, OLD + ".wal"]
    assert len(rows_of(store)) == 2
    monkeypatch.undo()
    assert compactor_of(store).compact(Key(DAY))
    assert len(rows_of(store)) == 2


def test_a_deletion_meanwhile_is_kept(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.load(entry(1), entry(2))
    partition = store.partitions.attach(Key(DAY))
    rewrite = Compactor._rewrite

    def slow(self: Compactor, work: Any) -> int:
        made = rewrite(self, work)
        with store.hub.writing() as cursor:
            cursor.execute(f"DELETE FROM {partition.name}.entries WHERE id % 2 = 0")
        partition.mark_dirty(1)
        return made

    monkeypatch.setattr(Compactor, "_rewrite", slow)
    assert compactor_of(store).compact(Key(DAY)) is None
    assert len(rows_of(store)) == 1


@pytest.mark.parametrize(
    "point", ["_copy", "_rewrite", "build_index", "_verify", "_sync", "replace"]
)
def test_a_failure_leaves_the_day_as_it_was(
    store: Any, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    store.load(entry(1), entry(2))
    before = rows_of(store)
    if point == "replace":
        monkeypatch.setattr(OpenDays, "open", fail)
    else:
        owners = (Compactor, compaction, rewriting)
        owner = next(owner for owner in owners if hasattr(owner, point))
        monkeypatch.setattr(owner, point, fail)
    with pytest.raises(StorageError, match="No space left"):
        compactor_of(store).compact(Key(DAY))
    monkeypatch.undo()
    assert [name for name in store.files() if not name.endswith(".wal")] == [OLD]
    assert rows_of(store) == before
    assert compactor_of(store).compact(Key(DAY))
    assert rows_of(store) == before


def test_a_copy_that_differs_is_noticed(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewriting, "_REWRITE", rewriting._REWRITE + " LIMIT 1")
    store.load(entry(1), entry(2))
    with pytest.raises(StorageError, match="differs"):
        compactor_of(store).compact(Key(DAY))
    assert store.files() == [OLD]


def test_a_stop_gives_up(store: Any) -> None:
    store.load(entry(1))
    compactor = compactor_of(store)
    compactor.stop()
    assert compactor.compact(Key(DAY)) is None
    assert compactor.compact_due() is None


def test_only_days_that_are_over_and_quiet_are_due(store: Any, folder: Path) -> None:
    store.load(entry(1))
    today = time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime())
    store.load(entry(2, timestamp=today))
    store.partitions.checkpoint(lambda _: True)
    compactor = compactor_of(store)
    assert compactor.compact_due() is None
    make_old(folder, OLD, f"{today[:10]}.duckdb")
    assert compactor_of(store, compact_after_s=0).compact_due() is None
    done = compactor.compact_due()
    assert done is not None
    assert done.key == Key(DAY)
    assert compactor.compact_due() is None


def test_a_day_is_due_again_when_much_has_changed(store: Any, folder: Path) -> None:
    store.load(*(entry(at) for at in range(100)))
    compactor = compactor_of(store)
    assert compactor.compact(Key(DAY))
    store.load(entry(1))
    store.partitions.checkpoint(lambda _: True)
    make_old(folder, FIRST)
    assert compactor.compact_due() is None
    store.load(*(entry(at) for at in range(20)))
    store.partitions.checkpoint(lambda _: True)
    make_old(folder, FIRST, seconds=7000)
    assert compactor.compact_due() is not None


@pytest.mark.parametrize("damage", ["gone", "older"])
def test_a_day_whose_index_is_of_no_use_is_due_again(
    store: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    store.load(entry(1), entry(2))
    with monkeypatch.context() as patched:
        if damage == "older":
            patched.setattr(skip_index, "VERSION", skip_index.VERSION - 1)
        assert compactor_of(store).compact(Key(DAY))
    if damage == "gone":
        (folder / INDEX).unlink()
    make_old(folder, FIRST)
    compactor = compactor_of(store)
    assert compactor.compact_due() is not None
    make_old(folder, "2026-01-01.g2.duckdb")
    assert compactor.compact_due() is None


def test_no_room_no_compaction(store: Any) -> None:
    store.load(entry(1))
    config = StorageConfig(min_free_bytes=2**62)
    compactor = Compactor(store.hub, store.partitions, config, tmp=None)
    assert compactor.compact(Key(DAY)) is None


def test_without_its_index_a_day_is_read_whole(store: Any, folder: Path) -> None:
    store.load(entry(1), entry(2))
    assert compactor_of(store).compact(Key(DAY))
    (folder / INDEX).write_bytes(b"nonsense")
    query = compile_filter("host:h2")
    assert store.reader.count(Selection(where=query.sql, needs=query.needs)) == 1


def reopened(folder: Path) -> list[Any]:
    hub = Hub(StorageConfig(), tmp=None)
    try:
        reader = Reader(hub, Partitions(hub, folder), timeout_s=150)
        return sorted(
            reader.entries(Selection(), limit=1000).rows, key=lambda row: row.id
        )
    finally:
        hub.close()


def test_what_a_crash_leaves_is_removed(
    store: Any, folder: Path, tmp_path: Path
) -> None:
    """Before the rename the old file counts, after it the new one."""
    store.load(entry(1), entry(2))
    store.partitions.checkpoint(lambda _: True)
    old = tmp_path / "old"
    shutil.copy(folder / OLD, old)
    before = rows_of(store)
    assert compactor_of(store).compact(Key(DAY))
    store.close()
    for name in ("g2.copy", "g2.new", "g2.new.wal", "g2.index.new", "g2.index"):
        (folder / f"2026-01-01.{name}").write_bytes(b"half")
    shutil.copy(old, folder / OLD)
    assert reopened(folder) == before
    assert store.files() == [FIRST, INDEX]
    (folder / FIRST).rename(folder / "2026-01-01.g1.new")
    shutil.copy(old, folder / OLD)
    assert reopened(folder) == before
    assert store.files() == [OLD]


def test_files_that_are_not_ours_are_left(folder: Path) -> None:
    for name in ("notes.new", "2026-01-01.g1.copying", "x.duckdb", "a.index"):
        (folder / name).write_bytes(b"mine")
    assert generations.files_in(folder) == {}
    assert len(list(folder.iterdir())) == 4


def test_a_compacted_day_opens_in_any_duckdb(store: Any, folder: Path) -> None:
    store.load(entry(1), entry(2))
    assert compactor_of(store).compact(Key(DAY))
    store.close()
    with duckdb.connect(str(folder / FIRST), read_only=True) as db:
        text = "SELECT sum(fields.n::int) FROM entries"
        assert db.execute(text).fetchall() == [(3,)]
