"""When a day is checkpointed: while it takes entries in, and at rest."""

from datetime import date
from pathlib import Path

import pytest

from logstream.pipeline.engine import _wants_checkpoint
from logstream.storage.partition import Key, Partition, wal_of

LOGGED = 1000


def a_day(folder: Path, *, rows: int, age_s: float, logged: int = 0) -> Partition:
    """One whose last checkpoint took a second."""
    path = folder / "2026-01-01.duckdb"
    wal_of(path).write_bytes(bytes(logged))
    found = Partition(Key(date(2026, 1, 1)), path)
    found.mark_dirty(rows)
    found.dirty_since -= age_s
    found.checkpoint_s = 1.0
    return found


@pytest.mark.parametrize(
    ("rows", "age_s", "idle", "wanted"),
    [
        (50_000, 0, True, True),
        (50_000, 10, False, False),
        (50_000, 21, False, True),
        (49_999, 30, False, False),
        (1, 1, True, False),
        (1, 6, True, True),
        (1, 30, False, False),
        (1, 61, False, True),
    ],
)
def test_a_day_waits_for_the_next_checkpoint(
    tmp_path: Path, rows: int, age_s: float, idle: bool, wanted: bool
) -> None:
    day = a_day(tmp_path, rows=rows, age_s=age_s, logged=LOGGED - 1)
    assert _wants_checkpoint(day, idle=idle, logged_bytes=LOGGED) is wanted


def test_what_is_logged_is_bounded_however_long_the_last_one_took(
    tmp_path: Path,
) -> None:
    """Rows that are logged are in memory; waiting makes the next one longer still."""
    day = a_day(tmp_path, rows=50_000, age_s=0, logged=LOGGED)
    assert _wants_checkpoint(day, idle=False, logged_bytes=LOGGED)
