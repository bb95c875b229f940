"""The loader: every entry once, in the file of its own day."""

import threading
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from logstream.core.entry import make_id
from logstream.core.errors import StorageError
from logstream.core.sql import Sql
from logstream.core.timestamps import parse_ns
from logstream.plugins.contracts import Rewrite
from logstream.storage import applied
from logstream.storage.loader import UnloadableBatch
from logstream.storage.partition import Key, day_of, start_ns
from logstream.storage.selection import Selection
from tests.storage.other_process import locking

Store = Any
DAY = date(2025, 5, 13)


def an_entry(
    timestamp: str = "2025-05-13T10:00:00Z", message: str = "m", **parts: Any
) -> dict[str, Any]:
    return {
        "timestamp": timestamp,
        "source": "web",
        "level": "info",
        "message": message,
        **parts,
    }


def on_days(*days: int) -> list[dict[str, Any]]:
    return [an_entry(f"2025-05-{day:02d}T00:00:00Z", f"day {day}") for day in days]


def test_a_batch_of_one_day_goes_to_one_file(store: Store) -> None:
    assert store.load(an_entry(), an_entry()) == 2
    assert [n for n in store.files() if n.endswith(".duckdb")] == ["2025-05-13.duckdb"]
    assert store.reader.count(Selection()) == 2


def test_a_batch_of_many_days_goes_to_many_files(store: Store) -> None:
    assert store.load(*on_days(3, 1, 2, 1)) == 4
    assert [key.day.day for key in store.partitions.within()] == [3, 2, 1]
    assert store.reader.stats().raw_bytes > 0


def test_loading_again_adds_nothing_and_says_so(store: Store) -> None:
    for batch in (store.batch(an_entry(), an_entry()), store.batch(*on_days(1, 2))):
        assert store.loader.load(batch).before == 0
        again = store.loader.load(batch)
        assert (again.entries, again.before) == (0, 2)
    assert store.reader.count(Selection()) == 4


def test_a_replay_goes_on_where_the_crash_was(store: Store) -> None:
    """One of two days was applied: the other is, and the first is left as it is."""
    batch = store.batch(*on_days(1, 2))
    store.load(*on_days(2), segment=batch.segment)
    found = store.loader.load(store.batch(*on_days(1, 2), segment=batch.segment))
    assert (found.entries, found.before) == (1, 1)
    assert sorted(store.messages()) == ["day 1", "day 2"]


def test_batches_of_one_day_are_stored_together(store: Store) -> None:
    batches = [
        store.batch(an_entry(message="a"), an_entry(message="b")),
        store.batch(an_entry(message="c")),
    ]
    loaded = store.loader.load_together(batches)
    assert [one.entries for one in loaded] == [2, 1]
    assert sorted(row.id for row in store.page().rows) == [
        make_id(batches[0].segment, 0),
        make_id(batches[0].segment, 1),
        make_id(batches[1].segment, 0),
    ]
    raw = sum(batch.size for batch in batches)
    assert store.reader.stats().raw_bytes == raw
    for batch in batches:  # a replay
        assert store.loader.load(batch).entries == 0


def test_of_batches_together_each_counts_what_a_filter_leaves(store: Store) -> None:
    keep = (Rewrite(keep=Sql("message <> ?", ("gone",))),)
    batches = [
        store.batch(*(an_entry(message=one) for one in messages), rewrites=keep)
        for messages in (("a", "gone"), ("gone",), ("b", "c"))
    ]
    loaded = store.loader.load_together(batches)
    assert [one.entries for one in loaded] == [1, 0, 2]
    assert [store.loader.load(batch).before for batch in batches] == [1, 0, 2]


def test_nothing_is_stored_of_batches_that_do_not_go_together(store: Store) -> None:
    known = store.batch(an_entry(message="known"))
    assert store.loader.load(known).entries == 1
    good = store.batch(an_entry())
    bad = store.batch(an_entry())
    bad.path.write_bytes(bad.path.read_bytes() + b'{"message": \n')
    others = (bad, known, store.batch(*on_days(1)), store.batch(*on_days(13, 14)))
    for other in others:
        for batches in ([good, other], [other, good]):
            assert store.loader.load_together(batches) is None
    assert store.messages() == ["known"]
    assert store.loader.load(good).entries == 1


@pytest.mark.parametrize("others", [0, 1])
def test_the_last_nanosecond_of_a_day_is_of_that_day(store: Store, others: int) -> None:
    """In microseconds it is rounded into the next; pruning by day would miss it."""
    last = "2025-05-13T23:59:59.999999999Z"
    store.load(an_entry(last, "last"), *on_days(1)[:others])
    assert Key(DAY) in store.partitions.within()
    assert Key(date(2025, 5, 14)) not in store.partitions.within()
    until = Selection(from_ns=start_ns(DAY), to_ns=parse_ns("2025-05-14"))
    assert store.messages(selection=until) == ["last"]
    assert store.page().rows[0].timestamp == last


@pytest.mark.parametrize(
    "written", ["2025-05-13t00:01:15z", "2025-05-13 00:01:15Z", "2025-05-13T00:01:15"]
)
def test_rfc_3339_is_read_in_all_its_forms(store: Store, written: str) -> None:
    store.load(an_entry(written))
    assert store.page().rows[0].timestamp == "2025-05-13T00:01:15Z"


@pytest.mark.parametrize("ns", [0, -1, 86_400 * 10**9 - 1, 86_400 * 10**9, 2**63 - 1])
def test_the_day_of_an_instant_begins_before_it(ns: int) -> None:
    begin = start_ns(day_of(ns))
    assert begin <= ns < begin + 86_400 * 10**9


@pytest.mark.parametrize("ns", [-(10**30), 10**30])
def test_an_instant_beyond_the_calendar_has_a_day_all_the_same(ns: int) -> None:
    assert day_of(ns) in {date.min, date.max}


@pytest.mark.parametrize(
    "bad",
    [
        b"{",
        b'{"message":"a"}{"message":"b"}',
        b'{"timestamp":"3000-01-01T00:00:00Z","message":"m"}',
        b'{"timestamp":"yesterday","message":"m"}',
        b'{"timestamp":"2025-05-13T00:00:00Z","message":"\xff"}',
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_what_does_not_load_stores_nothing(
    store: Store, bad: bytes, *, first: bool
) -> None:
    lines = [bad, an_entry()] if first else [an_entry(), bad]
    with pytest.raises(UnloadableBatch):
        store.load(*lines)
    assert store.reader.count(Selection()) == 0
    assert store.load(an_entry()) == 1


def test_an_empty_batch_is_no_work(store: Store) -> None:
    assert store.load() == 0
    assert store.files() == []


def test_ids_are_the_segment_and_the_line(store: Store) -> None:
    """Headers of frames are lines too; they are no entries."""
    header = b'{"_frame":{"crc":"00000000","bytes":1,"lines":1}}'
    store.load(header, an_entry(), header, an_entry(), segment=5)
    ids = [row.id for row in store.page(descending=False).rows]
    assert ids == [5 << 20 | 1, 5 << 20 | 3]


def test_what_a_rewrite_drops_is_not_stored_and_not_missed(store: Store) -> None:
    """Also when it leaves nothing of a batch: the replay of that adds nothing."""
    keep = Rewrite(keep=Sql("level <> ?", ("debug",)))
    batch = store.batch(an_entry(), an_entry(level="DEBUG"), rewrites=(keep,))
    assert store.loader.load(batch).entries == 1
    none = store.batch(an_entry(level="debug"), *on_days(1)[:0], rewrites=(keep,))
    assert store.loader.load(none).entries == 0
    assert store.loader.load(none).entries == 0
    assert store.reader.count(Selection()) == 1


def test_loads_go_side_by_side(store: Store) -> None:
    """Into one day and into many, from several threads."""
    batches = [
        store.batch(*(on_days(1, 2, 3) if n % 2 else [an_entry()] * 3))
        for n in range(12)
    ]
    failures: list[BaseException] = []

    def work(mine: list[Any]) -> None:
        try:
            for batch in mine:
                store.loader.load(batch)
        except BaseException as error:  # noqa: BLE001 - looked at below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(batches[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(150)
    assert failures == []
    assert store.reader.count(Selection()) == 36
    assert len({row.id for row in store.page().rows}) == 36


@pytest.mark.parametrize("damage", ["empty", "garbage", "cut", "flipped", "wal"])
def test_a_damaged_day_is_kept_aside_and_a_new_one_takes_its_place(
    store: Store, folder: Path, damage: str
) -> None:
    """Nothing that comes later waits for it, and nothing of it is destroyed."""
    store.load(*on_days(1, 2))
    store.close()
    path = folder / "2025-05-01.duckdb"
    good = path.read_bytes()
    contents = {
        "empty": b"",
        "garbage": b"no database " * 1000,
        "cut": good[: len(good) // 2],
        "flipped": good[:4100] + bytes([good[4100] ^ 0xFF]) + good[4101:],
    }
    if damage == "wal":
        path.with_name(path.name + ".wal").write_bytes(b"\xff" * 500)
    bad = contents.get(damage, good)
    path.write_bytes(bad)
    again = type(store)(folder, folder.parent)
    again._segments = 10
    try:
        if damage != "wal":
            assert again.messages() == ["day 2"]
            states = {
                state.day.day: state.broken for state in again.reader.partitions()
            }
            assert states[1]
            assert not states[2]
        assert again.load(*on_days(1, 2)) == 2
        if damage != "wal":
            assert sorted(again.messages()) == ["day 1", "day 2", "day 2"]
            assert (folder / "2025-05-01.duckdb.broken-1").read_bytes() == bad
            broken = [s for s in again.reader.partitions() if s.broken]
            assert [state.day.day for state in broken] == [1]
            assert "broken-1" in broken[0].broken
    finally:
        again.close()
    third = type(store)(folder, folder.parent)
    try:
        aside = [s.broken for s in third.reader.partitions() if s.broken]
        assert len(aside) == (damage != "wal")
    finally:
        third.close()


def test_damage_found_while_loading_is_not_the_batchs_fault(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file goes aside, and the next try of the batch finds a new one."""
    store.load(*on_days(1))
    real = applied.remember
    calls = 0

    def fail_once(*args: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise duckdb.Error("Corrupt database file: computed checksum 1 does not …")
        real(*args)

    monkeypatch.setattr("logstream.storage.loader.remember", fail_once)
    batch = store.batch(*on_days(1))
    with pytest.raises(StorageError):
        store.loader.load(batch)
    assert store.loader.load(batch).entries == 1
    assert "2025-05-01.duckdb.broken-1" in store.files()
    assert store.messages() == ["day 1"]


def test_two_threads_that_find_the_same_damage_set_it_aside_once(store: Store) -> None:
    store.load(*on_days(1))
    damaged = store.partitions.attach(Key(date(2025, 5, 1)))
    store.partitions.set_aside(damaged.key, damaged)
    store.load(*on_days(1))
    store.partitions.set_aside(damaged.key, damaged)
    store.partitions.set_aside(damaged.key, None)
    assert store.messages() == ["day 1"]
    assert [name for name in store.files() if "broken-2" in name] == []


def test_a_day_that_another_process_has_is_waited_for(
    store: Store, folder: Path
) -> None:
    """It is left out of answers meanwhile, and it is never set aside."""
    store.load(*on_days(1, 2))
    store.close()
    again = type(store)(folder, folder.parent)
    again._segments = 10
    batch = again.batch(*on_days(1, 2))
    with locking(folder / "2025-05-01.duckdb"):
        with pytest.raises(StorageError, match="lock"):
            again.loader.load(batch)
        assert again.messages() == ["day 2"]
        assert again.load(*on_days(2)) == 1
    again.loader.load(batch)
    assert sorted(again.messages()) == ["day 1"] * 2 + ["day 2"] * 3
    assert not [name for name in again.files() if "broken" in name]
    again.close()


def test_four_hundred_days_in_one_batch(store: Store) -> None:
    entries = [
        an_entry(f"{2020 + n // 300}-{n // 28 % 10 + 1:02d}-{n % 28 + 1:02d}T00:00:00Z")
        for n in range(400)
    ]
    days = {entry["timestamp"][:10] for entry in entries}
    assert store.load(*entries) == 400
    assert len(store.partitions.within()) == len(days)
    assert store.reader.count(Selection()) == 400
    assert store.reader.stats().entries == 400
