"""Parts: a day of several files answers as one, and nothing is stored twice."""

import os
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from logstream.config.settings import RetentionConfig, StorageConfig
from logstream.core.errors import StorageError
from logstream.core.findings import Report
from logstream.query import compile_filter
from logstream.storage import parts
from logstream.storage.backup import Backup, restore, verify_backup
from logstream.storage.compaction import Compactor
from logstream.storage.deletion import Deletion
from logstream.storage.partition import Key, key_of_name
from logstream.storage.retention import Retention
from logstream.storage.selection import Selection
from logstream.storage.verify import verify_partition_files, verify_partitions
from tests.storage.other_process import locking

DAY = date(2026, 1, 1)
ONE, TWO, THREE = (Key(DAY, part) for part in (1, 2, 3))
FULL = 10


def entry(at: int, **others: Any) -> dict[str, Any]:
    made = {
        "timestamp": f"2026-01-01T00:{at // 60 % 60:02}:{at % 60:02}Z",
        "source": f"app{at % 3}",
        "message": f"entry {at}",
        "fields": {"n": at},
    }
    return made | others


def entries(*numbers: int) -> list[dict[str, Any]]:
    return [entry(number) for number in numbers]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_ROWS", FULL)


def keep_up(store: Any) -> None:
    store.partitions.checkpoint(lambda _: True)


def fill(store: Any, *numbers: int) -> None:
    """As many as one part takes, or more."""
    store.load(*entries(*numbers))
    keep_up(store)


@pytest.fixture
def parted(store: Any) -> Any:
    """Two parts that are full, and one that is not checkpointed, of the same time."""
    fill(store, *range(0, 30, 3))
    fill(store, *range(1, 30, 3))
    store.load(*entries(*range(2, 30, 3)))
    return store


def compactor_of(store: Any, **config: Any) -> Compactor:
    settings = StorageConfig(min_free_bytes=0, **config)
    return Compactor(store.hub, store.partitions, settings, tmp=None)


def deletion_of(store: Any) -> Deletion:
    return Deletion(store.hub, store.partitions, timeout_s=60)


def retention_of(store: Any) -> Retention:
    return Retention(
        store.partitions,
        deletion_of(store),
        default=RetentionConfig(max_bytes=1),
        path=None,
        compile_query=compile_filter,
        unsettled=set,
    )


def make_old(store: Any, seconds: float = 60) -> None:
    when = time.time() - seconds
    for name in store.files():
        os.utime(store.folder / name, (when, when))


def close_all(store: Any) -> None:
    for partition in store.partitions.attached():
        store.partitions._open.close(partition)


def again(store: Any) -> Any:
    """The same folder, after a stop."""
    store.close()
    made = type(store)(store.folder, store._scratch)
    made._segments = store._segments
    return made


# ---- names ----


@given(day=st.dates(), part=st.integers(1, 999_999), generation=st.integers(0, 99))
def test_a_key_is_in_the_name_of_its_files(
    day: date, part: int, generation: int
) -> None:
    key = Key(day, part)
    assert Key.parse(str(key)) == key
    ending = f".g{generation}.duckdb" if generation else ".duckdb"
    assert key_of_name(Path(f"{key}{ending}")) == key


@pytest.mark.parametrize(
    "text",
    ["2026-01-01.p1", "2026-01-01.p0", "2026-01-01.p", "2026-13-01", "2026-01-01.2"],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no partition|month must be"):
        Key.parse(text)


# ---- which part takes entries ----


def test_entries_behind_a_full_part_make_another_one(parted: Any) -> None:
    assert parted.partitions.within() == [THREE, TWO, ONE]
    names = [name for name in parted.files() if name.endswith(".duckdb")]
    assert names == [f"2026-01-01{part}.duckdb" for part in ("", ".p2", ".p3")]
    assert parted.reader.count(Selection()) == 30


def test_a_part_is_full_by_what_is_in_it_not_by_what_came_since_a_start(
    store: Any,
) -> None:
    fill(store, *range(FULL - 2))
    store = again(store)
    fill(store, 50, 51)
    store.load(entry(60))
    assert store.partitions.within() == [TWO, ONE]
    store.close()


def test_after_a_start_the_last_part_goes_on(parted: Any) -> None:
    keep_up(parted)  # the third is full: the next entry makes a fourth
    store = again(parted)
    store.load(entry(100))
    assert store.partitions.within() == [THREE, TWO, ONE]
    assert not store.partitions.takes_more(TWO)
    store.close()


def test_what_is_deleted_makes_no_part_full(store: Any) -> None:
    store.load(*entries(*range(FULL - 1)))
    deletion_of(store).delete(Selection(), reason="request")
    keep_up(store)
    assert store.partitions.takes_more(ONE)


def test_a_store_in_memory_has_no_parts(store: Any, tmp_path: Path) -> None:
    memory = type(store)(None, tmp_path)
    fill(memory, *range(3 * FULL))
    fill(memory, 100)
    assert memory.partitions.within() == [ONE]
    memory.close()


def test_the_next_part_knows_that_the_day_is_wide(store: Any) -> None:
    for at in range(3 * FULL):
        store.load(entry(at, fields={f"name{at}_{nth}": at for nth in range(30)}))
    keep_up(store)
    store.load(entry(100))
    (partition,) = store.partitions.readable([TWO])
    assert partition.names.wide
    assert partition.names.rows_together <= 1


# ---- once ----


@pytest.mark.parametrize("state", ["open", "known", "compacted", "started"])
def test_a_segment_of_an_earlier_part_is_not_stored_again(
    store: Any, state: str
) -> None:
    segments = [
        store.batch(*entries(*range(FULL))),
        store.batch(*entries(*range(20, 20 + FULL)), *other_day(1)),
    ]
    for batch in segments:
        store.loader.load(batch)
        keep_up(store)
    store.load(entry(99), segment=1000)
    assert store.partitions.within(None, 1) == []
    if state == "known":
        keep_up(store)
        store.reader.stats()
        assert store.partitions.known(ONE) is not None
    elif state == "compacted":
        assert compactor_of(store).compact(ONE)
    elif state == "started":
        store = again(store)
    for batch in segments:
        found = store.loader.load(batch)
        assert (found.entries, found.before) == (0, batch.entries)
    assert store.reader.count(Selection()) == 2 * FULL + 2
    store.close()


def other_day(number: int) -> list[dict[str, Any]]:
    return [entry(number, timestamp="2026-01-02T00:00:00Z")]


def test_a_part_that_was_compacted_since_it_was_looked_up_is_looked_up_again(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = store.batch(*entries(*range(FULL)))
    store.loader.load(batch)
    keep_up(store)
    store.load(entry(99))
    (stale,) = store.partitions.readable([ONE])
    assert compactor_of(store).compact(ONE)
    attach = store.partitions.attach
    given = iter([stale])

    def attach_late(key: Key, *, make: bool = True) -> Any:
        return next(given, None) if key == ONE else attach(key, make=make)

    def attach_once(key: Key, *, make: bool = True) -> Any:
        return attach_late(key, make=make) or attach(key, make=make)

    monkeypatch.setattr(store.partitions, "attach", attach_once)
    assert store.loader.load(batch).before == FULL


def test_a_part_that_is_damaged_is_set_aside_and_one_that_is_locked_waited_for(
    store: Any,
) -> None:
    batch = store.batch(*entries(*range(FULL)))
    store.loader.load(batch)
    fill(store, *range(20, 20 + FULL))
    store.load(entry(99))
    store.close()
    path = store.folder / "2026-01-01.duckdb"
    with locking(path):
        store = again(store)
        with pytest.raises(StorageError, match=r"2026-01-01 does not open"):
            store.loader.load(batch)
        new = replace(store.batch(*entries(98)), is_new=True)
        assert store.loader.load(new).entries == 1, "a new one does not ask"
    path.write_bytes(b"x" * 20_000)
    assert store.loader.load(batch).entries == FULL
    assert "2026-01-01.duckdb.broken-1" in store.files()
    store.close()


# ---- answers ----


@pytest.mark.parametrize("descending", [True, False])
def test_pages_go_through_the_parts_together(parted: Any, descending: bool) -> None:
    wanted = [f"entry {at}" for at in range(30)]
    if descending:
        wanted.reverse()
    for limit in (1, 4, 29, 30, 31):
        found: list[str] = []
        cursor = None
        while True:
            page = parted.page(limit=limit, descending=descending, cursor=cursor)
            found += [row.message for row in page.rows]
            cursor = page.cursor
            if cursor is None:
                break
        assert found == wanted


def test_a_page_reads_no_part_that_is_older_than_what_was_found(store: Any) -> None:
    for at in range(0, 60, FULL):
        fill(store, *range(at, at + FULL))
    store.load(*entries(*range(60, 65)))
    keep_up(store)
    store.reader.stats()
    close_all(store)
    assert store.messages(3) == ["entry 64", "entry 63", "entry 62"]
    opened = {one.key.part for one in store.partitions.attached()}
    assert opened == {7}
    assert store.messages(7)[-1] == "entry 58"
    assert {one.key.part for one in store.partitions.attached()} == {6, 7}
    assert store.messages(2, descending=False) == ["entry 0", "entry 1"]
    assert {one.key.part for one in store.partitions.attached()} == {1, 6, 7}


def test_what_is_known_of_full_parts_is_not_read(parted: Any) -> None:
    keep_up(parted)
    assert parted.reader.stats().entries == 30
    close_all(parted)
    assert parted.reader.frequency(Selection(), group_by="source") == {
        "app0": 10,
        "app1": 10,
        "app2": 10,
    }
    assert parted.partitions.attached() == []


def test_an_entry_is_found_by_its_id_in_whichever_part(parted: Any) -> None:
    for row in parted.page().rows:
        assert parted.reader.get(row.id) == row


# ---- compaction ----


def today(at: int) -> dict[str, Any]:
    day = datetime.now(UTC).date().isoformat()
    return entry(at, timestamp=f"{day}T00:00:{at % 60:02}Z")


def test_a_full_part_of_today_is_compacted_soon_and_the_open_one_is_not(
    store: Any,
) -> None:
    store.load(*(today(at) for at in range(FULL)))
    keep_up(store)
    store.load(*(today(at) for at in range(20, 25)))
    keep_up(store)
    compactor = compactor_of(store)
    assert compactor.compact_due() is None, "it was written to just now"
    make_old(store)
    assert compactor.compact_due(calm=False) is None
    done = compactor.compact_due()
    assert done is not None
    assert done.key.part == 1
    assert compactor.compact_due() is None
    assert store.reader.count(Selection()) == FULL + 5
    query = compile_filter("message:22 OR n:3")
    asked = Selection(where=query.sql, fast=query.fast_sql, needs=query.needs)
    assert sorted(store.messages(selection=asked)) == ["entry 22", "entry 3"]
    make_old(store, seconds=7200)
    assert compactor.compact_due(calm=False) is None, "the other one takes entries"


# ---- kept, deleted, backed up ----


def test_over_its_size_full_parts_of_today_go_and_the_open_one_stays(
    store: Any,
) -> None:
    for at in range(0, 30, FULL):
        store.load(*(today(at + nth) for nth in range(FULL)))
        keep_up(store)
    store.load(today(40))
    assert retention_of(store).run() == 3 * FULL
    assert store.messages() == ["entry 40"]


def test_over_its_size_the_last_part_of_today_stays_though_it_is_full(
    store: Any,
) -> None:
    store.load(*(today(at) for at in range(FULL)))
    keep_up(store)
    assert not store.partitions.takes_more(store.partitions.within()[0])
    assert retention_of(store).run() == 0
    assert store.reader.count(Selection()) == FULL


def test_a_part_is_closed_once_whoever_is_late() -> None:
    days = parts.Parts([ONE])
    assert days.close(ONE) == TWO
    assert days.close(TWO) == THREE
    assert days.close(ONE) == THREE


def test_a_deletion_goes_through_all_parts_of_a_day(parted: Any) -> None:
    query = compile_filter("n:<9")
    done = deletion_of(parted).delete(
        Selection(where=query.sql, fast=query.fast_sql), reason="request"
    )
    assert (done.entries, done.days) == (9, 1)
    assert parted.reader.count(Selection()) == 21


def test_a_backup_has_every_part(parted: Any, tmp_path: Path) -> None:
    keep_up(parted)
    assert compactor_of(parted).compact(ONE)
    for copied in (4, 0):  # three parts and an index, and nothing that has not changed
        backup = Backup(tmp_path / "backup")
        backup.add_partitions(parted.partitions)
        assert backup.finish().copied == copied
    (parted.folder / "2026-01-01.p2.duckdb").write_bytes(b"")
    parted.partitions.checkpoint(lambda _: False)
    report = Report()
    verify_backup(tmp_path / "backup", report)
    assert report.problems == []
    restore(tmp_path / "backup", tmp_path / "restored")
    store = type(parted)(tmp_path / "restored" / "partitions", tmp_path)
    assert store.reader.count(Selection()) == 30
    store.close()


def test_a_lost_part_is_told_and_a_backup_keeps_it(parted: Any, tmp_path: Path) -> None:
    keep_up(parted)
    backup = Backup(tmp_path / "backup")
    backup.add_partitions(parted.partitions)
    backup.finish()
    parted.close()
    (parted.folder / "2026-01-01.p2.duckdb").write_bytes(b"x" * 20_000)
    store = type(parted)(parted.folder, tmp_path)
    assert store.reader.count(Selection()) == 20
    assert store.partitions.left_out() == [DAY]
    broken = {state.part: bool(state.broken) for state in store.partitions.states()}
    assert broken == {1: False, 2: True, 3: False}
    backup = Backup(tmp_path / "backup")
    backup.add_partitions(store.partitions)
    assert backup.finish().skipped == ["2026-01-01.p2"]
    restore(tmp_path / "backup", tmp_path / "restored")
    restored = type(parted)(tmp_path / "restored" / "partitions", tmp_path)
    assert restored.reader.count(Selection()) == 30
    restored.close()
    store.close()


def test_a_check_finds_a_segment_that_is_in_two_parts(parted: Any) -> None:
    keep_up(parted)
    report = Report()
    verify_partitions(parted.hub, parted.partitions, report)
    assert (report.problems, report.partitions, report.entries) == ([], 3, 30)
    parted.close()
    with duckdb.connect(str(parted.folder / "2026-01-01.p2.duckdb")) as db:
        db.execute("UPDATE applied SET segment = 1")
    report = Report()
    verify_partition_files(parted.folder, report)
    assert [one.where for one in report.problems] == ["partitions/2026-01-01.p2.duckdb"]
