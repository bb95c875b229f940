"""Verifying: what is sound passes, and what is not is named with its file."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from logstream.core.findings import Report
from logstream.journal.frame import encode_header
from logstream.pipeline.verification import verify_folder
from logstream.storage.dead_letters import DeadLetter, DeadLetterStore
from logstream.storage.verify import (
    note_strangers,
    verify_letters,
    verify_partitions,
)

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
    for batch in folder.parent.glob("batch-*"):
        batch.unlink()
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
    answers = '["one",[5,"digest","result"]]\n["two",[6,"digest","result"]]\n'
    (data / "idempotency.ndjson").write_text(answers)
    policy = '{"policy":{"rules":[{"query":"a:b","max_age_days":1}]},"clock_ns":1}'
    (data / "retention.json").write_text(policy)
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    report = verify_folder(data)
    assert (problems(report), report.notes) == ([], [])
    assert (report.partitions, report.entries) == (2, 6000)
    assert (report.segments, report.journal_entries, report.positions) == (1, 3, 1)
    assert report.answers == 2
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
    names = {"dead-letters.duckdb", "idempotency.ndjson"}
    names |= {"positions.json", "retention.json"}
    for name in names:
        (data / name).write_text("{\n")
    found = [problem.partition(":")[0] for problem in problems(verify_folder(data))]
    assert sorted(found) == sorted(names)


def test_an_answer_that_was_not_written_whole_is_told_from_damage(data: Path) -> None:
    answers = data / "idempotency.ndjson"
    answers.write_text('["one",[5,"digest","result"]]\n["tw')
    report = verify_folder(data)
    assert (problems(report), report.answers) == ([], 1)
    (note,) = report.notes
    assert note.where == "idempotency.ndjson"
    answers.write_text('["one",[5,"digest"\n["two",[6,"digest","result"]]\n')
    (problem,) = problems(verify_folder(data))
    assert problem.startswith("idempotency.ndjson: line 1: ")


def test_a_retention_rule_that_is_no_query_is_found(data: Path) -> None:
    policy = '{"policy":{"rules":[{"query":"a:(","max_age_days":1}]},"clock_ns":1}'
    (data / "retention.json").write_text(policy)
    (problem,) = problems(verify_folder(data))
    assert problem.startswith("retention.json: ")


def test_dead_letters_are_read_whole(store: Any, data: Path) -> None:
    path = data / "dead-letters.duckdb"
    letter = DeadLetter(
        id=1,
        failed_at="2026-01-01T00:00:00Z",
        processor="p",
        reason="processor_error",
        detail="d",
        entry=msgspec.Raw(b'{"message":"m"}'),
    )
    again = type(store)(data / "partitions", data)
    DeadLetterStore(again.hub, path, capacity_rows=10).put(1, [letter])
    report = Report()
    verify_letters(again.hub, report)
    again.close()
    assert (problems(report), report.dead_letters) == ([], 1)
    assert verify_folder(data).dead_letters == 1
    with inside(path) as connection:
        connection.execute("INSERT INTO letters FROM letters")
    (problem,) = problems(verify_folder(data))
    assert problem == "dead-letters.duckdb: 1 have the id of another one"


STRANGERS = {
    "core.1234": "not LogStream's",
    "positions.json.tmp": "cut short",
    "journal/notes.txt": "not LogStream's",
    "journal/next.tmp": "cut short by a crash",
    "journal/staging-000000000003": "never acked",
    "journal/damaged-000000000001.ndjson.copy": "kept when damage was taken out",
    "partitions/copy of 2026-01-01.duckdb": "not LogStream's",
    "partitions/2026-13-01.duckdb": "not LogStream's",
    "partitions/2026-01-02.g1.new": "a compaction that was cut short",
    "partitions/2026-01-05.duckdb.wal": "its partition is gone",
    "partitions/2026-01-05.g2.index": "its partition is gone",
    "partitions/2026-01-06.duckdb.removed": "a day that was removed",
    "partitions/2026-01-01.duckdb.broken-1": "set aside",
}


def test_files_that_are_not_the_stores_own_are_named(data: Path) -> None:
    for name in STRANGERS:
        (data / name).write_text("")
    (data / "tmp").mkdir()
    report = verify_folder(data)
    assert problems(report) == []
    notes = {one.where: one.what for one in report.notes}
    assert notes.keys() == STRANGERS.keys()
    for where, what in notes.items():
        assert STRANGERS[where] in what, where
    assert report.partitions == 2


def test_in_a_store_that_runs_only_strangers_are_named(data: Path) -> None:
    for name in STRANGERS:
        (data / name).write_text("")
    report = Report()
    note_strangers(data / "partitions", report)
    assert {one.where for one in report.notes} == {
        name
        for name, what in STRANGERS.items()
        if what == "not LogStream's" and name.startswith("partitions/")
    }


def test_of_two_generations_of_a_day_only_the_newer_one_counts(data: Path) -> None:
    path = data / "partitions" / "2026-01-01.duckdb"
    path.with_name("2026-01-01.g1.duckdb").write_bytes(path.read_bytes())
    with inside(path.with_name("2026-01-01.g1.duckdb")) as connection:
        connection.execute("CREATE TABLE compacted AS SELECT 'k' AS key, 3000 AS rows")
    report = verify_folder(data)
    assert (problems(report), report.entries) == ([], 6000)
    assert [one.where for one in report.notes] == [
        "partitions/2026-01-01.duckdb",
        "partitions/2026-01-01.g1.index",
    ]
