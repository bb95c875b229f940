"""Killed while one of the small files is replaced: it is the old one or the new one, a
half of it is never read, and the store does what it did.
"""

import http.client
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.fault.server_process import ServerProcess, run_cli
from tests.fault.story import PLUGINS

DAY, LATER_DAY = "2026-11-19", "2026-11-20"
COUNT = 50
MOMENTS = ("torn", "written", "renamed")
POSITION = "fault:reader"
_NO_ANSWER = (OSError, http.client.HTTPException)
_NDJSON = {"Content-Type": "application/x-ndjson"}
_JSON = {"Content-Type": "application/json"}
_OLD, _NEW = {"max_age_days": 20_000}, {"max_age_days": 30_000}


def _serve(folder: Path, point: str = "") -> ServerProcess:
    armed = folder / "armed"
    armed.unlink(missing_ok=True)
    config = {
        "plugins": {"folder": str(PLUGINS)},
        "journal": {"linger_ms": 0},
        "storage": {"min_free_bytes": 0, "compact_after_s": 0},
    }
    environment = {
        "FAULT_POINT": f"{point}:1" if point else "",
        "FAULT_ARMED": str(armed),
        "FAULT_CHECKPOINTS": "none",
    }
    return ServerProcess(folder, config=config, environment=environment)


def _send(server: ServerProcess, day: str, position: int) -> None:
    lines = [
        json.dumps({"timestamp": f"{day}T12:00:00Z", "message": f"entry {n}"})
        for n in range(COUNT)
    ]
    headers = {**_NDJSON, "LogStream-Positions": json.dumps({POSITION: position})}
    body = "\n".join(lines).encode()
    answer = server.ask("POST", "/api/v1/logs/batch", body, headers)
    assert answer.status == 200, answer


def _killed_by(
    folder: Path,
    point: str,
    change: Callable[[ServerProcess], object],
    first: Callable[[ServerProcess], object] = lambda _: None,
) -> None:
    """The server begins with entries of one day, and is killed by a change."""
    with _serve(folder, point).wait_until_serving() as server:
        _send(server, DAY, 1)
        first(server)
        assert server.total() == COUNT
        (folder / "armed").touch()
        with suppress(*_NO_ANSWER):
            change(server)
        assert server.wait() == -9, f"{point} was not reached"


def _is_whole(server: ServerProcess, *counts: int) -> None:
    """It holds one of these numbers of entries, and nothing else is told of."""
    assert server.total() in counts
    stored = server.get(f"/api/v1/positions?name={POSITION}")["positions"][POSITION]
    assert stored == server.total() // COUNT
    assert server.ask("GET", "/readyz").json() == {"status": "ok"}
    assert server.get("/api/v1/storage")["totals"]["broken"] == 0


def _ends_well(server: ServerProcess, folder: Path) -> None:
    assert server.terminate() == 0
    done = run_cli(["verify", str(folder / "data")], cwd=folder)
    assert done.returncode == 0, done.stderr
    assert ".tmp" not in done.stdout + done.stderr


def _put_policy(server: ServerProcess, policy: dict[str, int]) -> None:
    body = json.dumps(policy).encode()
    answer = server.ask("PUT", "/api/v1/retention", body, _JSON)
    assert answer.status == 200, answer


@pytest.mark.timeout(900)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_policy_is_the_old_one_or_the_new_one(tmp_path: Path, moment: str) -> None:
    _killed_by(
        tmp_path,
        f"retention-{moment}",
        lambda server: _put_policy(server, _NEW),
        lambda server: _put_policy(server, _OLD),
    )
    expected = _NEW if moment == "renamed" else _OLD
    kept = json.loads((tmp_path / "data/retention.json").read_bytes())["policy"]
    assert kept["max_age_days"] == expected["max_age_days"]
    with _serve(tmp_path).wait_until_serving() as server:
        found = server.get("/api/v1/retention")
        assert found["origin"] == "api"
        assert found["policy"]["max_age_days"] == expected["max_age_days"]
        _put_policy(server, _NEW)
        _is_whole(server, COUNT)
        _ends_well(server, tmp_path)


def _save_query(server: ServerProcess, query: str) -> None:
    body = json.dumps({"name": "mine", "query": query, "replace": True}).encode()
    answer = server.ask("POST", "/api/v1/saved", body, _JSON)
    assert answer.status == 200, answer


@pytest.mark.timeout(900)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_saved_query_is_the_old_one_or_the_new_one(
    tmp_path: Path, moment: str
) -> None:
    _killed_by(
        tmp_path,
        f"saved-{moment}",
        lambda server: _save_query(server, "new"),
        lambda server: _save_query(server, "old"),
    )
    with _serve(tmp_path).wait_until_serving() as server:
        (found,) = server.get("/api/v1/saved")
        assert found["query"] == ("new" if moment == "renamed" else "old")
        _save_query(server, "newer")
        _is_whole(server, COUNT)
        _ends_well(server, tmp_path)


CHANGES: dict[str, Callable[[ServerProcess], Any]] = {
    "accounts": lambda server: _send(server, LATER_DAY, 2),
    "days": lambda server: _send(server, LATER_DAY, 2),
    "positions": lambda server: _send(server, DAY, 2),
}
"""What has the server write a file, and what it does with entries at that moment."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", CHANGES)
def test_entries_that_a_file_is_about_are_there_once(
    tmp_path: Path, name: str, moment: str
) -> None:
    _killed_by(tmp_path, f"{name}-{moment}", CHANGES[name])
    for _ in range(2):
        with _serve(tmp_path).wait_until_serving() as server:
            _is_whole(server, COUNT, 2 * COUNT)
            server.kill()
            server.wait()
    with _serve(tmp_path).wait_until_serving() as server:
        _send(server, LATER_DAY, server.total() // COUNT + 1)
        _is_whole(server, 2 * COUNT, 3 * COUNT)
        _ends_well(server, tmp_path)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("moment", MOMENTS)
def test_statistics_that_are_cut_short_are_counted_anew(
    tmp_path: Path, moment: str
) -> None:
    with _serve(tmp_path).wait_until_serving() as server:
        _send(server, DAY, 1)
        assert server.terminate() == 0  # checkpointed: what is counted now is kept
    with _serve(tmp_path, f"statistics-{moment}").wait_until_serving() as server:
        (tmp_path / "armed").touch()
        with suppress(*_NO_ANSWER):
            server.get("/api/v1/logs/stats")
        assert server.wait() == -9, "statistics were not written"
    with _serve(tmp_path).wait_until_serving() as server:
        _is_whole(server, COUNT)
        _send(server, DAY, 2)
        _is_whole(server, 2 * COUNT)
        assert server.terminate() == 0
    with _serve(tmp_path).wait_until_serving() as server:
        _is_whole(server, 2 * COUNT)
        _ends_well(server, tmp_path)
