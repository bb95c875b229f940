"""`storage` and `delete`: the store day by day, and entries that go for good."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def filled(run: Run, tmp_path: Path) -> Path:
    """A data folder with entries of two days."""
    lines = [
        {"timestamp": f"2026-01-0{day}T12:00:0{n}Z", "source": source, "message": "m"}
        for day in (1, 2)
        for n, source in enumerate(["web", "web", "auth"])
    ]
    (tmp_path / "logs.json").write_text("\n".join(map(json.dumps, lines)))
    done = run("collect", "--sources", "logs.json", "--once", "--data", "d")
    assert done.returncode == 0, done.stderr
    return tmp_path / "d"


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stderr.decode()


def test_the_store_is_listed_by_day(run: Run, filled: Path) -> None:
    done = run("storage", "--data", "d")
    days = [line.split("\t") for line in done.stdout.decode().splitlines()]
    assert [day[:2] for day in days] == [["2026-01-02", "3"], ["2026-01-01", "3"]]
    assert "2 days, 6 entries" in said(done)


def test_the_listing_is_machine_readable(run: Run, filled: Path) -> None:
    found = json.loads(run("storage", "--data", "d", "-o", "json").stdout)
    assert found["totals"]["rows"] == 6
    assert found["partitions"][1]["oldest"] == "2026-01-01T12:00:00Z"
    table = run("storage", "--data", "d", "-o", "csv").stdout.decode()
    assert table.splitlines()[0].startswith("day,part,rows,raw_bytes,stored_bytes")
    lines = run("storage", "--data", "d", "-o", "ndjson").stdout.splitlines()
    assert [json.loads(line)["rows"] for line in lines] == [3, 3]


def test_a_dry_run_counts_and_deletes_nothing(run: Run, filled: Path) -> None:
    query = ["delete", "source:web", "--data", "d", "-o", "json"]
    found = json.loads(run(*query, "--dry-run").stdout)
    assert found == {"entries": 4, "days": 2, "by_source": {"web": 4}}
    assert json.loads(run(*query, "--dry-run").stdout) == found


def test_what_a_query_finds_in_its_time_goes(run: Run, filled: Path) -> None:
    span = ["--from", "2026-01-02", "--to", "2026-01-03"]
    done = run("delete", "source:web", *span, "--yes", "--data", "d")
    assert done.returncode == 0, done.stderr
    assert "2 entries of 1 day deleted." in said(done)
    left = json.loads(run("stats", "--data", "d", "-o", "json").stdout)
    assert left["EntriesBySource"] == {"auth": 2, "web": 2}


def test_everything_goes_only_with_all(run: Run, filled: Path) -> None:
    refused = run("delete", "--yes", "--data", "d")
    assert refused.returncode == 2
    assert "--all" in said(refused)
    assert run("delete", "x", "--all", "--yes", "--data", "d").returncode == 2
    assert run("delete", "--all", "--yes", "--data", "d").returncode == 0
    left = json.loads(run("stats", "--data", "d", "-o", "json").stdout)
    assert left["TotalEntries"] == 0


def test_without_a_terminal_nobody_is_asked(run: Run, filled: Path) -> None:
    refused = run("delete", "source:web", "--data", "d", stdin=subprocess.DEVNULL)
    assert refused.returncode == 2
    assert "--yes" in said(refused)


def test_a_terminal_is_asked_and_may_say_no(
    filled: Path, clean_environment: Any
) -> None:
    import os
    import pty

    for answer, left in ((b"n\n", 6), (b"y\n", 2)):
        parent, child = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "logstream", "delete", "source:web", "--data", "d"],
            cwd=filled.parent,
            stdin=child,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean_environment(),
        )
        os.close(child)
        os.write(parent, answer)
        _, errors = process.communicate(timeout=150)
        os.close(parent)
        assert b"Delete them for good?" in errors
        assert process.returncode == 0
        stats = [sys.executable, "-m", "logstream", "stats", "--data", "d"]
        found = subprocess.run(
            [*stats, "-o", "json"],
            cwd=filled.parent,
            capture_output=True,
            check=True,
            env=clean_environment(),
        )
        assert json.loads(found.stdout)["TotalEntries"] == left


def test_a_query_that_does_not_parse_is_pointed_at(run: Run, filled: Path) -> None:
    done = run("delete", 'source:"open', "--yes", "--data", "d")
    assert done.returncode == 2
    assert "^" in said(done)


# ---- backup, restore, verify ----


def test_a_backup_restores_to_the_same(run: Run, filled: Path) -> None:
    done = run("backup", "saved", "--data", "d")
    assert done.returncode == 0, done.stderr
    assert b"had changed" in done.stdout
    assert "note" not in said(run("verify", "saved"))
    (filled.parent / "saved" / "files" / ".partial").write_bytes(b"half")
    verified = run("verify", "saved")
    assert verified.returncode == 0
    assert "note: files/.partial: not in the manifest" in said(verified)
    restored = run("restore", "saved", "--data", "again")
    assert restored.returncode == 0, restored.stderr
    counts = [
        json.loads(run("stats", "--data", folder, "-o", "json").stdout)["TotalEntries"]
        for folder in ("d", "again")
    ]
    assert counts == [6, 6]
    refused = run("restore", "saved", "--data", "d")
    assert refused.returncode == 2
    assert "not empty" in said(refused)


def test_a_second_backup_copies_what_changed(run: Run, filled: Path) -> None:
    run("backup", "saved", "--data", "d")
    run("delete", "source:web", "--from", "2026-01-02", "--yes", "--data", "d")
    done = json.loads(run("backup", "saved", "--data", "d", "-o", "json").stdout)
    assert 0 < done["copied"] < done["files"]


def test_a_sound_store_is_verified(run: Run, filled: Path) -> None:
    done = run("verify", "--data", "d", "-o", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["partitions"], found["entries"]) == (2, 6)
    assert "All is well." in said(run("verify", "d"))


def test_damage_ends_with_4_and_names_the_file(run: Run, filled: Path) -> None:
    day = filled / "partitions" / "2026-01-01.duckdb"
    content = bytearray(day.read_bytes())
    content[: 1 << 12] = b"x" * (1 << 12)
    day.write_bytes(content)
    done = run("verify", "--data", "d")
    assert done.returncode == 4
    assert "damaged: partitions/2026-01-01.duckdb" in said(done)
    found = json.loads(run("verify", "d", "-o", "json").stdout)
    assert len(found["problems"]) == 1


def test_what_is_no_store_is_not_verified(run: Run, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    done = run("verify", "home")
    assert done.returncode == 2
    assert list((tmp_path / "home").iterdir()) == []
