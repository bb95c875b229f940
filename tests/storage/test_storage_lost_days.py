"""Which days are missed, and which files were never finished."""

from datetime import date
from pathlib import Path

import duckdb
import pytest

from logstream.core.findings import Report
from logstream.storage.lost_days import (
    GONE,
    LostDays,
    Register,
    drop_unfinished,
    read_register,
    verify_register,
)
from logstream.storage.partition import Key

A, B, C = (Key(date(2026, 1, day)) for day in (1, 2, 3))


def lost(folder: Path, *days: Key) -> LostDays:
    """As at a start, with files of these days."""
    register = folder / "days.json"
    return LostDays(folder, register, read_register(register), days, ())


def between(found: LostDays) -> list[Key]:
    return found.between(date.min, date.max)


def test_a_day_is_missed_from_start_to_start_until_it_is_forgotten(
    tmp_path: Path,
) -> None:
    lost(tmp_path, A, B, C).save([A, B, C])
    found = lost(tmp_path, A, C)
    assert between(found) == [B]
    assert found.between(A.day, A.day) == []
    found.save([A, C])
    again = lost(tmp_path, A, C)
    assert between(again) == [B]
    again.forget(A.day, B.day)
    again.save([A, C])
    assert between(lost(tmp_path, A, C)) == []


def test_a_file_that_is_back_is_not_missed_but_a_new_one_is_no_substitute(
    tmp_path: Path,
) -> None:
    lost(tmp_path, A, B).save([A, B])
    lost(tmp_path, A).save([A])
    assert between(lost(tmp_path, A, B)) == []
    missing = lost(tmp_path, A)
    missing.expect(B, [A])
    assert between(lost(tmp_path, A, B)) == [B]


def test_nothing_is_written_while_nothing_changes(tmp_path: Path) -> None:
    found = lost(tmp_path, A)
    found.save([A])
    (tmp_path / "days.json").unlink()
    found.save([A])
    assert not (tmp_path / "days.json").exists()
    found.save([A, B])
    assert read_register(tmp_path / "days.json") == Register(days=[A, B])


def test_a_register_that_is_damaged_misses_nothing(tmp_path: Path) -> None:
    (tmp_path / "days.json").write_text("{")
    assert between(lost(tmp_path, A)) == []
    report = Report()
    verify_register(tmp_path / "days.json", {A}, report)
    assert [one.where for one in report.problems] == ["days.json"]


def test_a_check_names_every_day_that_is_missed(tmp_path: Path) -> None:
    lost(tmp_path, A, B, C).save([A, B, C])
    lost(tmp_path, A, C).save([A, C])
    report = Report()
    verify_register(tmp_path / "days.json", {A}, report)
    assert [(one.where, one.what) for one in report.problems] == [
        (f"partitions/{day}.duckdb", GONE) for day in (B, C)
    ]


def test_what_was_set_aside_is_told_until_somebody_takes_it_away(
    tmp_path: Path,
) -> None:
    path = tmp_path / f"{A}.duckdb"
    for number in (1, 2):
        path.write_bytes(b"x")
        lost(tmp_path).set_aside(path, "it is damaged")
        assert (tmp_path / f"{A}.duckdb.broken-{number}").exists()
    found = lost(tmp_path)
    assert between(found) == [A]
    assert [state.day for state in found.states()] == [A.day, A.day]
    for aside in tmp_path.glob("*.broken-*"):
        aside.unlink()
    found.look()
    assert between(found) == []


@pytest.mark.parametrize("size", [0, 5, 11, 4096, 12_287, 12_288])
def test_only_a_file_without_all_its_headers_was_never_finished(
    tmp_path: Path, size: int
) -> None:
    path = tmp_path / "a.duckdb"
    with duckdb.connect(str(path)) as made:
        made.execute("SELECT 1")
    path.write_bytes(path.read_bytes()[:size])
    assert drop_unfinished(path) == (size < 12_288)
    assert path.exists() == (size == 12_288)


def test_a_small_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    path.write_bytes(b"no database at all")
    assert not drop_unfinished(path)
    assert path.exists()
