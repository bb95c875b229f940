"""Verifying: what is sound passes, and what is not is named with its file."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from logstream.core.findings import Report
from logstream.journal.frame import encode_header
from logstream.pipeline.verification import verify_folder
from logstream.storage.verify import verify_partitions

LINE = b'{"timestamp":"2026-01-01T00:00:00Z","message":"m"}\n'


@pytest.fixture
def data(store: Any, folder: Path) -> Path:
    """A data folder with two days; the store is closed before it is checked."""
    for day in (1, 2):
        lines = [
            {
                "timestamp": f"2026-01-0{day}T12:00:00Z",
                "message": random.randbytes(99).hex(),
            }
            for _ in range(3000)
        ]
        store.load(*lines)
    store.close()
    (folder.parent / "journal").mkdir()
    return folder.parent


def frame() -> bytes:
    return encode_header([LINE], lines=1, positions={}) + LINE


@contextmanager
def inside(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(str(path))
    try:
        yield connection
    finally:
        connection.close()


def problems(report: Report) -> list[str]:
    return [f"{one.where}: {one.what}" for one in report.problems]


def test_a_sound_folder_has_no_problems(data: Path) -> None:
    (data / "journal" / "000000000007.ndjson").write_bytes(frame() * 3)
    (data / "journal" / "next").write_text("4096")
    (data / "positions.json").write_text('{"a":[1,5],"gone":[2,null]}')
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    report = verify_folder(data)
    assert (problems(report), report.notes) == ([], [])
    assert (report.partitions, report.entries) == (2, 6000)
    assert (report.segments, report.journal_entries, report.positions) == (1, 3, 1)
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before


def test_a_running_store_is_checked_too(store: Any) -> None:
    store.load({"timestamp": "2026-01-01T12:00:00Z", "message": "m"})
    report = Report()
    verify_partitions(store.hub, store.partitions, report)
    assert (report.partitions, report.entries, problems(report)) == (1, 1, [])


def test_a_flipped_byte_in_a_block_is_found(data: Path) -> None:
    path = data / "partitions" / "2026-01-02.duckdb"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (problem,) = problems(verify_folder(data))
    assert problem.startswith("partitions/2026-01-02.duckdb: ")


def test_entries_that_cannot_be_are_found(data: Path) -> None:
    day = data / "partitions" / "2026-01-01.duckdb"
    with inside(day) as connection:
        connection.execute("INSERT INTO entries FROM entries LIMIT 1")
        connection.execute("INSERT INTO applied FROM applied")
    with inside(data / "partitions" / "2026-01-02.duckdb") as connection:
        connection.execute("UPDATE entries SET timestamp = '2026-01-05'")
    found = "\n".join(problems(verify_folder(data)))
    assert "1 entries have the id of another one" in found
    assert "applied more than once" in found
    assert "2026-01-02.duckdb: some entries are of another day" in found


def test_damage_in_the_journal_is_told_from_a_torn_end(data: Path) -> None:
    journal = data / "journal"
    whole = frame()
    flipped = bytearray(whole * 2)
    flipped[len(whole) - 5] ^= 1
    (journal / "000000000001.ndjson").write_bytes(flipped)
    (journal / "000000000002.ndjson").write_bytes(whole + whole[:-5])
    (journal / "next").write_text("soon")
    report = verify_folder(data)
    assert problems(report) == [
        "journal/000000000001.ndjson: damage at byte 0, before whole frames",
        "journal/next: it does not hold a number",
    ]
    (note,) = report.notes
    assert note.where == "journal/000000000002.ndjson"


def test_small_files_that_do_not_decode_are_found(data: Path) -> None:
    for name in ("positions.json", "retention.json", "dead-letters.duckdb"):
        (data / name).write_text("{")
    found = [problem.partition(":")[0] for problem in problems(verify_folder(data))]
    assert found == ["positions.json", "dead-letters.duckdb", "retention.json"]
