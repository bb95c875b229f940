"""`saved`: on the data folder itself; with a server, see the backends."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import logstream

Run = Callable[..., CompletedProcess[bytes]]


@pytest.fixture
def data(tmp_path: Path) -> str:
    path = tmp_path / "d"
    entries = [
        {
            "timestamp": f"2026-01-01T00:00:0{n}Z",
            "level": "error" if n else "info",
            "message": f"m{n}",
        }
        for n in range(3)
    ]
    with logstream.open(path) as db:
        db.add(entries)
    return str(path)


def test_a_saved_query_runs_as_if_it_were_typed(run: Run, data: str) -> None:
    more = ("--data", data)
    assert run("saved", "add", "errors", "level:error", *more).returncode == 0
    piped = run("saved", "add", "many", "* | stats count() as n", *more)
    assert piped.returncode == 0, piped.stderr
    for options in ((), ("-o", "csv"), ("-n", "1"), ("--sort", "message:asc")):
        typed = run("query", "level:error", *options, *more)
        found = run("saved", "run", "errors", *options, *more)
        assert found.returncode == 0, found.stderr
        assert found.stdout == typed.stdout != b""
        assert found.stderr == typed.stderr == b""
    assert run("saved", "run", "many", *more).stdout == b"3\n"


def test_they_are_listed_replaced_and_removed(run: Run, data: str) -> None:
    more = ("--data", data)
    assert json.loads(run("saved", "list", "-o", "json", *more).stdout) == []
    run("saved", "add", "b", "level:error", "-d", "Only errors", *more)
    run("saved", "add", "a", "x", *more)
    again = run("saved", "add", "a", "y", *more)
    assert again.returncode == 2
    assert b"--replace" in again.stderr
    assert run("saved", "add", "a", "y", "--replace", *more).returncode == 0
    listed = json.loads(run("saved", "list", "-o", "json", *more).stdout)
    assert [(one["name"], one["query"], one["description"]) for one in listed] == [
        ("a", "y", ""),
        ("b", "level:error", "Only errors"),
    ]
    assert run("saved", "remove", "b", *more).stdout == b"level:error\n"
    gone = run("saved", "run", "b", *more)
    assert (gone.returncode, b"No saved query" in gone.stderr) == (2, True)


def test_what_does_not_parse_is_pointed_at(run: Run, data: str) -> None:
    out = run("saved", "add", "a", "level:error | nothing", "--data", data)
    assert out.returncode == 2
    assert b"^" in out.stderr
    assert run("saved", "add", "a/b", "x", "--data", data).returncode == 2


def test_a_backup_has_them_and_verify_reads_them(
    run: Run, data: str, tmp_path: Path
) -> None:
    run("saved", "add", "a", "level:error", "--data", data)
    backup, other = str(tmp_path / "backup"), str(tmp_path / "other")
    assert run("backup", backup, "--data", data).returncode == 0
    assert run("restore", backup, "--data", other).returncode == 0
    found = run("saved", "list", "-o", "json", "--data", other)
    assert [one["name"] for one in json.loads(found.stdout)] == ["a"]
    assert run("verify", other).returncode == 0
    (tmp_path / "other" / "saved.json").write_text("{")
    report = run("verify", other)
    assert report.returncode == 4
    assert b"saved.json" in report.stdout + report.stderr
    broken = run("saved", "list", "--data", other)
    assert (broken.returncode, b"saved.json" in broken.stderr) == (4, True)
    assert run("query", "--data", other).returncode == 0
