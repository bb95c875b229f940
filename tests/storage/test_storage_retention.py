"""Retention: what is too old or too much goes, and a wrong clock takes nothing."""

import threading
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from logstream.config.settings import RetentionConfig, RetentionRule
from logstream.core.errors import QuerySyntaxError, StorageError
from logstream.query import compile_filter
from logstream.storage.deletion import Deletion
from logstream.storage.partition import start_ns
from logstream.storage.retention import Retention
from logstream.telemetry.metrics import REGISTRY

TODAY = date(2026, 6, 30)
HOUR = 3_600_000_000_000
DAY = 24 * HOUR


class Clocks:
    """Both clocks: `pass_by` moves them, `leap` the one that people set."""

    def __init__(self) -> None:
        self.wall = start_ns(TODAY) + 10 * HOUR
        self.steady = 5 * HOUR

    def pass_by(self, ns: int) -> None:
        self.wall += ns
        self.steady += ns

    def leap(self, ns: int) -> None:
        self.wall += ns


class Keeping:
    """A store with retention."""

    def __init__(self, store: Any, path: Path | None = None) -> None:
        self.store = store
        self.clocks = Clocks()
        self.unsettled: set[int] = set()
        self.path = path
        self.retention = self.make()

    def make(self, **policy: Any) -> Retention:
        store = self.store
        self.retention = Retention(
            store.partitions,
            Deletion(store.hub, store.partitions, timeout_s=150),
            default=msgspec.convert(policy, RetentionConfig),
            path=self.path,
            compile_query=compile_filter,
            unsettled=lambda: self.unsettled,
            wall_ns=lambda: self.clocks.wall,
            steady_ns=lambda: self.clocks.steady,
        )
        return self.retention

    def load(self, age_days: int, message: str, **more: Any) -> None:
        day = TODAY - timedelta(days=age_days)
        entry = {"timestamp": f"{day}T12:00:00Z", "message": message, **more}
        self.store.load(entry)

    def left(self) -> list[str]:
        return sorted(self.store.messages())


@pytest.fixture
def keeping(store: Any) -> Keeping:
    return Keeping(store)


def counted(reason: str) -> float:
    name, labels = "logstream_deleted_entries_total", {"reason": reason}
    return REGISTRY.get_sample_value(name, labels) or 0


def test_nothing_goes_unless_it_is_asked_for(keeping: Keeping) -> None:
    keeping.load(9000, "old")
    assert keeping.retention.run() == 0
    assert keeping.left() == ["old"]


def test_days_that_are_too_old_are_unlinked(keeping: Keeping) -> None:
    for age in (0, 6, 7, 8, 30):
        keeping.load(age, str(age))
    before = counted("age")
    assert keeping.make(max_age_days=7).run() == 2
    assert keeping.left() == ["0", "6", "7"]  # seven days, and the rest of the eighth
    assert counted("age") - before == 2
    assert {name[:10] for name in keeping.store.files()} == {
        "2026-06-23",
        "2026-06-24",
        "2026-06-30",
    }


def test_a_query_that_runs_goes_on_over_a_day_that_goes(keeping: Keeping) -> None:
    keeping.load(8, "old")
    name = keeping.store.partitions.attached()[0].name
    cursor = keeping.store.hub.cursor()
    cursor.execute("BEGIN")
    count = f"SELECT count(*) FROM {name}.entries"
    assert cursor.execute(count).fetchall() == [(1,)]
    assert keeping.make(max_age_days=7).run() == 1
    assert keeping.store.files() == []
    assert cursor.execute(count).fetchall() == [(1,)]
    with pytest.raises(StorageError):
        keeping.load(8, "late")  # tried again by the pool, as long as it takes
    cursor.execute("COMMIT")
    cursor.close()
    keeping.load(8, "late")
    assert keeping.left() == ["late"]


def test_a_late_entry_is_stored_and_goes_with_the_next_pass(keeping: Keeping) -> None:
    keeping.load(8, "old")
    keeping.make(max_age_days=7).run()
    keeping.load(8, "late")
    assert keeping.left() == ["late"]
    before = counted("age")
    assert keeping.retention.run() == 1
    assert counted("age") - before == 1


def test_rules_decide_in_their_order(keeping: Keeping) -> None:
    for age in (0, 10, 40):
        keeping.load(age, f"fatal {age}", level="fatal")
        keeping.load(age, f"pay {age}", level="info", source="payments")
        keeping.load(age, f"audit {age}", level="fatal", source="audit")
        keeping.load(age, f"other {age}", level="info")
    rules = [
        {"query": "source:audit", "max_age_days": 0},
        {"query": "level:fatal OR source:payments", "max_age_days": 30},
    ]
    before = counted("rule")
    keeping.make(max_age_days=7, rules=rules).run()
    assert keeping.left() == sorted(
        [f"{kind} 0" for kind in ("fatal", "pay", "audit", "other")]
        + ["fatal 10", "pay 10", "audit 10", "audit 40"]
    )
    assert counted("rule") - before == 4


def test_a_day_too_old_for_every_rule_is_unlinked(keeping: Keeping) -> None:
    keeping.load(40, "x", level="fatal")
    rules = [{"query": "level:fatal", "max_age_days": 30}]
    keeping.make(max_age_days=7, rules=rules).run()
    assert keeping.store.files() == []


def test_a_day_is_swept_again_only_when_something_came(
    keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping.load(10, "gone")
    rules = [{"query": "level:fatal", "max_age_days": 30}]
    retention = keeping.make(max_age_days=7, rules=rules)
    assert retention.run() == 1
    swept: list[object] = []
    real = Deletion.delete_in

    def count(self: Deletion, *args: Any, **more: Any) -> dict[str, int] | None:
        swept.append(args)
        return real(self, *args, **more)

    monkeypatch.setattr(Deletion, "delete_in", count)
    assert retention.run() == 0
    assert swept == []
    keeping.load(10, "late")
    assert retention.run() == 1
    assert len(swept) == 1


def test_over_its_size_the_oldest_days_go_and_two_never(keeping: Keeping) -> None:
    for age in (0, 1, 2, 3):
        keeping.load(age, str(age))
    keeping.store.partitions.checkpoint(lambda _: True)
    one = keeping.store.partitions.stored_bytes() // 4
    before = counted("size")
    assert keeping.make(max_bytes=3 * one).run() == 1
    assert keeping.left() == ["0", "1", "2"]
    assert keeping.make(max_bytes=1).run() == 2
    assert keeping.left() == ["0"]
    assert counted("size") - before == 3
    keeping.load(-400, "from the future")
    assert keeping.retention.run() == 0  # neither today nor the newest day


def test_a_day_with_entries_in_the_journal_keeps_its_memory(keeping: Keeping) -> None:
    """A crash now replays the segment, which must not bring a part of it back."""
    keeping.load(8, "old")
    keeping.unsettled = {1}
    retention = keeping.make(max_age_days=7)
    assert retention.run() == 1
    assert keeping.left() == []
    day = TODAY - timedelta(days=8)
    again = {"timestamp": f"{day}T12:00:00Z", "message": "old"}
    assert keeping.store.load(again, segment=1) == 0
    assert keeping.left() == []
    keeping.unsettled = set()
    assert retention.run() == 0
    assert keeping.store.files() == []


def test_loads_and_removals_of_one_day_lose_nothing(keeping: Keeping) -> None:
    """Every entry is counted as gone, or still there."""
    retention = keeping.make(max_age_days=7)
    before = counted("age")
    loaded: list[int] = []

    def load() -> None:
        for number in range(30):
            while True:
                try:
                    keeping.load(8, str(number))
                    break
                except StorageError:
                    continue
            loaded.append(number)

    thread = threading.Thread(target=load)
    thread.start()
    while thread.is_alive():
        retention.run()
    thread.join()
    assert len(loaded) == 30
    assert counted("age") - before + len(keeping.left()) == 30


def test_a_removal_that_a_crash_cut_short_is_finished(
    keeping: Keeping, folder: Path, tmp_path: Path
) -> None:
    keeping.load(8, "old")
    keeping.store.close()
    file = next(folder.glob("*.duckdb"))
    file.with_name(file.name + ".wal").write_bytes(b"left")
    file.rename(file.with_name(file.name + ".removed"))
    make: Callable[..., Any] = type(keeping.store)
    again = make(folder, tmp_path)
    try:
        assert again.files() == []
        assert again.messages() == []
    finally:
        again.close()


# ---- the clock ----


def test_a_clock_that_leaps_ahead_deletes_nothing_at_once(keeping: Keeping) -> None:
    keeping.load(0, "today")
    retention = keeping.make(max_age_days=7)
    assert retention.run() == 0
    keeping.clocks.leap(3650 * DAY)
    assert retention.run() == 0
    assert "leapt from 2026-06-30" in retention.state().waits
    keeping.clocks.pass_by(23 * HOUR)
    assert retention.run() == 0
    keeping.clocks.leap(-3650 * DAY)  # put right in time
    assert retention.run() == 0
    assert retention.state().waits == ""
    assert keeping.left() == ["today"]


def test_a_leap_that_lasts_a_day_is_the_time(keeping: Keeping) -> None:
    keeping.load(0, "today")
    retention = keeping.make(max_age_days=7)
    keeping.clocks.leap(100 * DAY)
    assert retention.run() == 0
    keeping.clocks.pass_by(24 * HOUR)
    assert retention.run() == 1


def test_a_clock_that_keeps_leaping_is_never_believed(keeping: Keeping) -> None:
    keeping.load(0, "today")
    retention = keeping.make(max_age_days=7)
    for _ in range(10):
        keeping.clocks.leap(30 * DAY)
        assert retention.run() == 0
        keeping.clocks.pass_by(20 * HOUR)


def test_a_clock_that_goes_back_deletes_less(keeping: Keeping) -> None:
    keeping.load(8, "old")
    keeping.clocks.leap(-20 * DAY)
    retention = keeping.make(max_age_days=7)
    assert retention.run() == 0
    assert keeping.left() == ["old"]


def test_a_leap_between_two_runs_is_seen_too(store: Any, tmp_path: Path) -> None:
    keeping = Keeping(store, tmp_path / "retention.json")
    keeping.load(0, "today")
    keeping.make(max_age_days=7).run()
    keeping.clocks.leap(1000 * DAY)
    assert keeping.make(max_age_days=7).run() == 0
    assert keeping.left() == ["today"]


def test_time_that_passes_is_no_leap(keeping: Keeping) -> None:
    keeping.load(0, "today")
    retention = keeping.make(max_age_days=7)
    retention.run()
    keeping.clocks.pass_by(9 * DAY)
    assert retention.run() == 1


# ---- the policy ----


def test_a_policy_that_was_set_survives_and_can_be_taken_back(
    store: Any, tmp_path: Path
) -> None:
    keeping = Keeping(store, tmp_path / "retention.json")
    own = RetentionConfig(
        max_age_days=3, rules=(RetentionRule(query="level:fatal", max_age_days=30),)
    )
    keeping.make(max_age_days=7).set(own)
    again = keeping.make(max_age_days=7)
    assert (again.state().policy, again.state().origin) == (own, "api")
    again.set(None)
    third = keeping.make(max_age_days=7).state()
    assert (third.policy.max_age_days, third.origin) == (7, "config")


def test_a_rule_that_is_no_query_changes_nothing(keeping: Keeping) -> None:
    retention = keeping.make(max_age_days=7)
    with pytest.raises(QuerySyntaxError):
        retention.set(
            RetentionConfig(rules=(RetentionRule(query="((", max_age_days=1),))
        )
    assert retention.state().policy.max_age_days == 7


def test_a_damaged_policy_is_not_guessed_at(store: Any, tmp_path: Path) -> None:
    path = tmp_path / "retention.json"
    path.write_text("{")
    with pytest.raises(StorageError, match=r"retention\.json is damaged"):
        Keeping(store, path)


def test_a_store_in_memory_has_retention_too(tmp_path: Path, store: Any) -> None:
    made = type(store)(None, tmp_path)
    try:
        keeping = Keeping(made)
        keeping.load(8, "old")
        assert keeping.make(max_age_days=7).run() == 1
        assert keeping.left() == []
    finally:
        made.close()


def test_a_day_that_went_is_not_made_again_by_a_look_at_it(keeping: Keeping) -> None:
    keeping.load(8, "old")
    partitions = keeping.store.partitions
    days = partitions.within()
    keeping.make(max_age_days=7).run()
    assert partitions.readable(days) == []
    with pytest.raises(StorageError, match="was removed"):
        partitions.attach(days[0], make=False)
    assert keeping.store.files() == []
