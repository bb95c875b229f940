"""Totals of a day that takes entries in: what was counted is not read again."""

import random
from collections import Counter
from typing import Any

import pytest

from logstream.core.sql import Sql
from logstream.core.timestamps import parse_ns
from logstream.storage import counting
from logstream.storage.deletion import Deletion
from logstream.storage.selection import Selection


def entry(source: str, level: str = "info", hour: int = 12) -> dict[str, Any]:
    return {
        "timestamp": f"2026-01-01T{hour:02}:00:00Z",
        "source": source,
        "level": level,
        "message": "m",
    }


def delete(store: Any, source: str) -> int:
    selection = Selection(where=Sql("source = ?", (source,)))
    deletion = Deletion(store.hub, store.partitions, timeout_s=150)
    return deletion.delete(selection, reason="request").entries


def tamper(store: Any) -> None:
    """Change what is stored behind the back of whoever counts."""
    cursor = store.hub.cursor()
    cursor.execute("UPDATE d20260101.entries SET source = 'tampered'")
    cursor.close()


def test_only_what_came_since_is_read(store: Any) -> None:
    store.load(entry("a"), entry("b"))
    assert store.reader.stats().by_source == {"a": 1, "b": 1}
    tamper(store)
    store.load(entry("a"))
    assert store.reader.stats().by_source == {"a": 2, "b": 1}


def test_of_many_segments_only_the_latest_are_told_apart(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "_LATEST", 2)
    for number in (1, 2, 3, 4, 5, 7):
        store.load(entry("a"), segment=number)
        store.reader.stats()
    [partition] = store.partitions.attached()
    assert (partition.counted.until, partition.counted.number) == (3, 3)
    assert partition.counted.segments == (1, 7)
    tamper(store)
    store.load(entry("a"), segment=6)
    assert store.reader.stats().by_source == {"a": 7}
    store.load(entry("a"), segment=0)  # one that was late: all is read anew
    assert store.reader.stats().by_source == {"a": 2, "tampered": 6}


def test_after_a_deletion_all_is_read_anew(store: Any) -> None:
    store.load(entry("a"), entry("b"), entry("b"))
    assert store.reader.stats().entries == 3
    assert delete(store, "b") == 2
    tamper(store)
    assert store.reader.stats().by_source == {"tampered": 1}


def test_too_many_groups_are_not_kept(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "_KEPT_GROUPS", 1)
    store.load(entry("a"), entry("b"))
    assert store.reader.stats().entries == 2
    [partition] = store.partitions.attached()
    assert partition.counted is None
    store.load(entry("c"))
    assert store.reader.stats().by_source == {"a": 1, "b": 1, "c": 1}


@pytest.mark.parametrize("latest", [1, 5, 1000])
@pytest.mark.parametrize("seed", range(5))
def test_totals_are_right_whatever_comes_between(
    store: Any, seed: int, latest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Segments come in any order, as two workers load them."""
    monkeypatch.setattr(counting, "_LATEST", latest)
    chance = random.Random(seed)
    numbers = list(range(1, 61))
    if seed:
        chance.shuffle(numbers)
    stored: list[dict[str, Any]] = []
    for number in numbers:
        come = [
            entry(chance.choice("abc"), chance.choice(["info", "error"]), hour)
            for hour in chance.choices(range(24), k=chance.randrange(1, 4))
        ]
        store.load(*come, segment=number)
        stored += come
        if chance.random() < 0.1:
            gone = chance.choice("abc")
            delete(store, gone)
            stored = [one for one in stored if one["source"] != gone]
        if chance.random() < 0.2:
            store.partitions.checkpoint(lambda _: True)
        if chance.random() < 0.5:
            assert_totals(store, stored)
    assert_totals(store, stored)


def assert_totals(store: Any, stored: list[dict[str, Any]]) -> None:
    found = store.reader.stats()
    assert found.entries == len(stored)
    assert found.by_source == Counter(one["source"] for one in stored)
    assert found.by_level == Counter(one["level"] for one in stored)
    times = sorted(one["timestamp"] for one in stored)
    ends = (parse_ns(times[0]), parse_ns(times[-1])) if times else (None, None)
    assert (found.oldest_ns, found.newest_ns) == ends
    for partition in store.partitions.attached():
        partition.counted = None
    assert store.reader.stats() == found
