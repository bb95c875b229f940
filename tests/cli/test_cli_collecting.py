"""`collect` and `generate` as programs: into a folder, and to a server."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def start(
    tmp_path: Path, clean_environment: Callable[..., dict[str, str]]
) -> Callable[..., Any]:
    """Start the program in the test's folder; killed in the end, if it still runs."""

    @contextmanager
    def starting(*args: str) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [sys.executable, "-m", "logstream", *args],
            cwd=tmp_path,
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    return starting


def says(process: subprocess.Popen[str], pattern: str) -> str:
    """Wait until standard error says so; the match."""
    assert process.stderr is not None
    heard = []
    for line in process.stderr:
        heard.append(line)
        if found := re.search(pattern, line):
            return found[0]
    pytest.fail(f"never said {pattern!r}: {''.join(heard)}")


def write_lines(path: Path, begin: int, end: int) -> None:
    with path.open("a") as file:
        file.writelines(
            f"2025-05-13T10:00:00Z ERROR line {number}\n"
            for number in range(begin, end)
        )


def stored(run: Run, *args: str) -> int:
    return int(json.loads(run("stats", "-o", "json", *args).stdout)["TotalEntries"])


def test_once_reads_what_is_there_and_a_second_time_nothing(
    run: Run, tmp_path: Path
) -> None:
    write_lines(tmp_path / "app.log", 0, 500)
    first = run("collect", "--sources", "app.log", "--once")
    assert first.returncode == 0
    assert b"app: 500 entries" in first.stderr
    write_lines(tmp_path / "app.log", 500, 520)
    second = run("collect", "--sources", "./app.log", "--once", "--source", "x")
    assert b"20 entries stored" in second.stderr
    assert stored(run) == 520
    found = run("query", "level:error 519", "-o", "ndjson").stdout
    assert json.loads(found)["source"] == "x"


def test_collecting_waits_for_a_server_that_is_away(
    run: Run, start: Callable[..., Any], tmp_path: Path, port: int
) -> None:
    write_lines(tmp_path / "app.log", 0, 3000)
    url = f"http://127.0.0.1:{port}"
    with start("collect", "--sources=app.log", "--once", "--server", url) as collect:
        says(collect, "trying again")
        with start("serve", "--port", str(port)) as server:
            says(server, "Serving on")
            assert collect.wait(timeout=150) == 0
            assert stored(run, "--server", url) == 3000


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_following_ends_with_a_signal_and_a_summary(
    run: Run, start: Callable[..., Any], tmp_path: Path, number: signal.Signals
) -> None:
    """And the next run goes on where this one stopped."""
    log = tmp_path / "app.log"
    write_lines(log, 0, 10)
    with start("serve", "--port", "0") as server:
        url = says(server, r"http://127\.0\.0\.1:\d+")
        with start("collect", "--sources=app.log", "--server", url) as collect:
            _until(lambda: stored(run, "--server", url) == 10)
            write_lines(log, 10, 15)
            _until(lambda: stored(run, "--server", url) == 15)
            collect.send_signal(number)
            _, stderr = collect.communicate(timeout=150)
        assert collect.returncode == 130
        # The answer to the last ones may have been on its way still.
        assert re.search("app: 1[05] entries", stderr)
        assert "Traceback" not in stderr
        write_lines(log, 15, 16)
        again = run("collect", "--sources=app.log", "--server", url, "--once")
        assert b"1 entries stored" in again.stderr


def _until(reached: Callable[[], bool]) -> None:
    """Ask again and again; each asking is a process of its own, so it takes a while."""
    for _ in range(60):
        if reached():
            return
    pytest.fail("not reached")


def test_a_file_that_is_not_there_is_named(run: Run) -> None:
    done = run("collect", "--sources=missing.log", "--once")
    assert done.returncode == 2
    assert b"missing.log" in done.stderr


def test_a_bar_is_drawn_on_a_terminal(
    run_on_terminal: Callable[..., str], tmp_path: Path
) -> None:
    write_lines(tmp_path / "app.log", 0, 5000)
    shown = run_on_terminal("collect", "--sources=app.log", "--once")
    assert "100%" in shown
    assert "5,000 entries stored" in shown


def test_generated_entries_are_as_many_as_asked_for(run: Run) -> None:
    done = run("generate", "--once", "--count", "1234", "--rate", "100")
    assert done.returncode == 0
    assert b"1,234 entries stored" in done.stderr
    assert stored(run) == 1234
    past = run("generate", "--once", "--past", "1m", "--rate", "10")
    assert past.returncode == 0
    assert stored(run) > 1234 + 200


def test_generate_prints_in_the_other_formats(run: Run) -> None:
    common = ("generate", "--once", "-n", "3", "--stdout", "-o")
    as_csv = run(*common, "csv").stdout
    assert as_csv.startswith(b"timestamp,source,level,message,fields\r\n")
    assert as_csv.count(b"\r\n") == 4
    assert len(run(*common, "table").stdout.splitlines()) == 3


def test_the_demo_has_an_hour_of_logs_at_once(
    run: Run, start: Callable[..., Any]
) -> None:
    with start("serve", "--demo", "--port", "0") as server:
        url = says(server, r"http://127\.0\.0\.1:\d+")
        _until(lambda: stored(run, "--server", url) > 20_000)
        names = run("sources", "--server", url).stdout.split()
        assert names == [b"auth", b"database", b"web", b"worker"]
        server.send_signal(signal.SIGINT)
        stdout, _ = server.communicate(timeout=150)
    assert server.returncode == 0
    assert "logstream query level:error" in stdout
    assert "\x1b" not in stdout
