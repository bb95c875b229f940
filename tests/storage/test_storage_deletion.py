"""Deletion: what a condition selects goes, no more, and for good."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from logstream.core.errors import StorageError
from logstream.core.sql import Sql
from logstream.storage.deletion import Deletion
from logstream.storage.selection import Selection
from logstream.telemetry.metrics import REGISTRY

DAY_NS = 86_400_000_000_000


def entry(day: str, source: str, message: str = "m", **fields: Any) -> dict[str, Any]:
    timestamp = f"{day}T12:00:00Z"
    return {
        "timestamp": timestamp,
        "source": source,
        "message": message,
        "fields": fields,
    }


def deletion_of(store: Any) -> Deletion:
    return Deletion(store.hub, store.partitions, timeout_s=150)


def deleted() -> float:
    labels = {"reason": "request"}
    return REGISTRY.get_sample_value("logstream_deleted_entries_total", labels) or 0


def test_a_preview_counts_by_source_and_deletes_nothing(store: Any) -> None:
    store.load(entry("2026-01-01", "a"), entry("2026-01-01", "b"))
    store.load(entry("2026-01-02", "a"))
    found = deletion_of(store).preview(Selection())
    assert (found.entries, found.days) == (3, 2)
    assert list(found.by_source.items()) == [("a", 2), ("b", 1)]
    assert len(store.messages()) == 3


def test_what_matches_goes_and_is_counted(store: Any) -> None:
    store.load(entry("2026-01-01", "a", "one"), entry("2026-01-01", "b", "two"))
    store.load(entry("2026-01-02", "a", "three"))
    before = deleted()
    selection = Selection(where=Sql("source = ?", ("a",)))
    found = deletion_of(store).delete(selection, reason="request")
    assert (found.entries, found.days) == (2, 2)
    assert store.messages() == ["two"]
    assert deleted() - before == 2
    assert deletion_of(store).delete(selection, reason="request").entries == 0


def test_a_range_bounds_it(store: Any) -> None:
    store.load(*(entry(f"2026-01-0{n}", "a", str(n)) for n in range(1, 5)))
    low = 1767225600_000_000_000  # 2026-01-01
    selection = Selection(from_ns=low + DAY_NS, to_ns=low + 3 * DAY_NS)
    deletion_of(store).delete(selection, reason="request")
    assert store.messages() == ["4", "1"]


def test_a_form_that_fails_is_run_the_safe_way(store: Any) -> None:
    store.load(entry("2026-01-01", "a", "one"), entry("2026-01-01", "b", "two"))
    selection = Selection(
        where=Sql("source = 'a'"), fast=Sql("error('never') IS NOT NULL")
    )
    assert deletion_of(store).preview(selection).entries == 1
    assert deletion_of(store).delete(selection, reason="request").entries == 1
    assert store.messages() == ["two"]


def test_a_condition_that_cannot_be_run_deletes_nothing(store: Any) -> None:
    store.load(entry("2026-01-01", "a"))
    selection = Selection(where=Sql("error('no')"))
    with pytest.raises(StorageError, match="2026-01-01 were not deleted"):
        deletion_of(store).delete(selection, reason="request")
    assert len(store.messages()) == 1


def test_the_bytes_that_entries_came_as_shrink_with_them(store: Any) -> None:
    store.load(*(entry("2026-01-01", source, "x" * 50) for source in "aabb"))
    before = store.reader.stats().raw_bytes
    where = Sql("source = 'a'")
    deletion_of(store).delete(Selection(where=where), reason="request")
    assert store.reader.stats().raw_bytes == pytest.approx(before / 2, abs=2)


def test_what_is_deleted_stays_so_when_its_segment_is_replayed(store: Any) -> None:
    entries = [entry("2026-01-01", "a"), entry("2026-01-02", "b")]
    store.load(*entries, segment=7)
    deletion_of(store).delete(Selection(), reason="request")
    assert store.load(*entries, segment=7) == 0
    assert store.messages() == []


def test_deleted_entries_are_gone_after_a_restart(
    store: Any, folder: Path, tmp_path: Path
) -> None:
    store.load(entry("2026-01-01", "a"), entry("2026-01-01", "b", "kept"))
    where = Sql("source = 'a'")
    deletion_of(store).delete(Selection(where=where), reason="request")
    store.close()
    make: Callable[..., Any] = type(store)
    again = make(folder, tmp_path)
    try:
        assert again.messages() == ["kept"]
    finally:
        again.close()


def test_a_lost_log_brings_nothing_back(store: Any) -> None:
    store.load(entry("2026-01-01", "a", "one"), entry("2026-01-01", "b", "two"))
    deletion_of(store).delete(Selection(where=Sql("source = 'a'")), reason="request")
    assert not [name for name in store.files() if name.endswith(".wal")]
    assert store.messages() == ["two"]
