"""A day whose write-ahead log is gone, or cut off, tells how many entries it lacks."""

import json
import time
from pathlib import Path

import pytest

from tests.fault.server_process import WAIT_S, ServerProcess, run_cli
from tests.fault.story import PLUGINS

DAYS = ("2026-11-19", "2026-11-20")
LOST = DAYS[0]
CHECKPOINTED = 300
LOGGED = 40
"""Batches of one entry each."""
_NDJSON = {"Content-Type": "application/x-ndjson"}


def _send(server: ServerProcess, day: str, count: int) -> None:
    """Stored, and so let go of by the journal, when it returns."""
    lines = [
        json.dumps({"timestamp": f"{day}T12:00:00Z", "message": f"entry {n}"})
        for n in range(count)
    ]
    body = "\n".join(lines).encode()
    answer = server.ask("POST", "/api/v1/logs/batch", body, _NDJSON)
    assert answer.status == 200, answer
    assert server.total() > 0


def _serve(folder: Path) -> ServerProcess:
    config = {
        "plugins": {"folder": str(PLUGINS)},
        "storage": {"compact_after_s": 0},
        "journal": {"linger_ms": 0},
    }
    never = {"FAULT_CHECKPOINTS": "none"}
    server = ServerProcess(folder, config=config, environment=never)
    return server.wait_until_serving()


def _fill(folder: Path, *, counted: bool) -> Path:
    """The log of a day that has rows in its file and in its log.

    Args:
        counted: Kill the server when all of them are in the accounts; else at once.
    """
    with _serve(folder) as server:
        for day in DAYS:
            _send(server, day, CHECKPOINTED)
        assert server.terminate() == 0
    with _serve(folder) as server:
        for _ in range(LOGGED):
            _send(server, LOST, 1)
        accounts = server.data / "accounts.json"
        deadline = time.monotonic() + WAIT_S
        whole = {LOST: CHECKPOINTED + LOGGED}
        while counted and json.loads(accounts.read_bytes())["loaded"] != whole:
            assert time.monotonic() < deadline, accounts.read_bytes()
            time.sleep(0.1)
        server.kill()
        server.wait()
    return server.data / "partitions" / f"{LOST}.duckdb.wal"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return _fill(tmp_path, counted=True)


def _is_told(server: ServerProcess) -> int:
    """How many entries are there; the rest of them is told to be gone."""
    lacks = 2 * CHECKPOINTED + LOGGED - server.total()
    answer = server.ask("GET", "/api/v1/logs?limit=1")
    assert (answer.status, answer.headers["logstream-left-out"]) == (200, LOST)
    (broken,) = [x for x in server.get("/api/v1/storage")["partitions"] if x["broken"]]
    assert broken["day"] == LOST
    assert broken["broken"].startswith(f"lacks {lacks} entries: its write-ahead log")
    assert server.ask("GET", "/readyz").json() == {"status": "ok", "left_out": [LOST]}
    assert server.metrics()["logstream_partitions_broken"] == 1
    (found,) = server.ask("POST", "/api/v1/verify").json()["problems"]
    assert f"lacks {lacks} entries" in found["what"]
    return server.total()


def _verified(folder: Path) -> tuple[int, str]:
    done = run_cli(["verify", str(folder / "data")], cwd=folder)
    return done.returncode, done.stderr + done.stdout


@pytest.mark.parametrize("left", [None, 0.0, 0.5, 0.97])
def test_a_log_that_is_gone_or_cut_off_is_told_with_what_it_had(
    log: Path, left: float | None
) -> None:
    if left is None:
        log.unlink()
    else:
        with log.open("r+b") as file:
            file.truncate(int(log.stat().st_size * left))
    folder = log.parents[2]
    code, said = _verified(folder)
    assert code == 4, said
    assert f"{LOST}.duckdb: lacks" in said
    with _serve(folder) as server:
        there = _is_told(server)
        assert there < 2 * CHECKPOINTED + LOGGED
        server.kill()
        server.wait()
    with _serve(folder) as server:  # it is not forgotten, and not told twice
        assert _is_told(server) == there
        _send(server, LOST, 10)
        assert server.total() == there + 10
        assert server.terminate() == 0
    assert _verified(folder)[0] == 4


def test_a_log_that_is_gone_is_told_whenever_the_server_ended(tmp_path: Path) -> None:
    """With the entries that were counted by then, of the last second not all."""
    _fill(tmp_path, counted=False).unlink()
    with _serve(tmp_path) as server:
        assert server.total() == 2 * CHECKPOINTED
        answer = server.ask("GET", "/api/v1/logs?limit=1")
        assert answer.headers["logstream-left-out"] == LOST


def test_who_takes_the_note_away_is_told_no_more(log: Path) -> None:
    log.unlink()
    folder = log.parents[2]
    with _serve(folder) as server:
        _is_told(server)
        assert server.terminate() == 0
    (log.parent / f"{LOST}.duckdb.broken-1").unlink()
    with _serve(folder) as server:
        answer = server.ask("GET", "/api/v1/logs?limit=1")
        assert "logstream-left-out" not in answer.headers
        assert server.get("/api/v1/storage")["totals"]["broken"] == 0
        assert server.terminate() == 0
    code, said = _verified(folder)
    assert code == 0, said


def test_a_log_that_is_whole_is_told_of_nothing(log: Path) -> None:
    folder = log.parents[2]
    code, said = _verified(folder)
    assert code == 0, said
    with _serve(folder) as server:
        assert server.total() == 2 * CHECKPOINTED + LOGGED
        answer = server.ask("GET", "/api/v1/logs?limit=1")
        assert "logstream-left-out" not in answer.headers
        assert server.get("/api/v1/storage")["totals"]["broken"] == 0
