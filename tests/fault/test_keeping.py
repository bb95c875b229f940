"""Killed while entries go, or are copied: a day is whole or done, a backup whole."""

import http.client
import json
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.fault.failing_disk import Case, Disk
from tests.fault.server_process import WAIT_S, ServerProcess, run_cli

PLUGINS = Path(__file__).parent / "plugin_folder"
DAYS = ("2026-11-18", "2026-11-19", "2026-11-20")
PER_DAY = 200
_NO_ANSWER = (OSError, http.client.HTTPException)
_NDJSON = {"Content-Type": "application/x-ndjson"}


class Scene:
    """A data folder with three days, half of each from either source."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.armed = folder / "armed"
        self.sent: dict[str, set[int]] = {day: set() for day in DAYS}
        self.environment: dict[str, str] = {}

    def serve(self, point: str = "") -> ServerProcess:
        self.armed.unlink(missing_ok=True)
        config: dict[str, Any] = {
            "plugins": {"folder": str(PLUGINS)},
            "journal": {"linger_ms": 100},
            "storage": {
                "min_free_bytes": 0,
                "backup_folder": str(self.folder / "backups"),
            },
        }
        faults = {"FAULT_POINT": point, "FAULT_ARMED": str(self.armed)}
        environment = {**faults, **self.environment}
        return ServerProcess(self.folder, config=config, environment=environment)

    def fill(self, server: ServerProcess) -> None:
        """One batch that spans the days."""
        lines = []
        for day in DAYS:
            first = 1 + max(max(numbers, default=0) for numbers in self.sent.values())
            numbers = range(first, first + PER_DAY)
            self.sent[day].update(numbers)
            lines += [
                json.dumps(
                    {
                        "timestamp": f"{day}T12:00:00Z",
                        "source": "ab"[number % 2],
                        "message": f"entry {number}",
                        "fields": {"n": number},
                    }
                ).encode()
                for number in numbers
            ]
        answer = server.ask("POST", "/api/v1/logs/batch", b"\n".join(lines), _NDJSON)
        assert answer.status == 200, answer
        assert server.total() == sum(map(len, self.sent.values()))

    def killed_by(self, point: str, method: str, path: str, body: Any = None) -> None:
        """Fill, and have the server killed at a point of what a request begins."""
        with self.serve(point).wait_until_serving() as server:
            self.fill(server)
            self.armed.touch()
            content = None if body is None else json.dumps(body).encode()
            with suppress(*_NO_ANSWER):
                server.ask(method, path, content)
            assert server.wait() == -9, f"{point} was not reached"

    def found(self, server: ServerProcess) -> dict[str, set[int]]:
        """Numbers by day; each once."""
        rows = server.query("")
        times = Counter(row["fields"]["n"] for row in rows)
        assert max(times.values(), default=1) == 1
        found: dict[str, set[int]] = {day: set() for day in DAYS}
        for row in rows:
            found[row["timestamp"][:10]].add(row["fields"]["n"])
        return found


def _until(check: Callable[[], bool], why: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not check():
        assert time.monotonic() < deadline, why
        time.sleep(0.1)


@pytest.mark.parametrize(
    "point",
    ["remove-begin:1", "remove-unlink:1", "remove-renamed:1", "remove-end:1"],
)
def test_a_kill_while_days_are_removed_leaves_each_whole_or_gone(
    tmp_path: Path, point: str
) -> None:
    scene = Scene(tmp_path)
    policy = {"max_bytes": 1}  # all but the newest day, and today
    scene.killed_by(point, "PUT", "/api/v1/retention", policy)
    with scene.serve().wait_until_serving() as server:
        for day, numbers in scene.found(server).items():
            assert numbers in (scene.sent[day], set()), f"half of {day}"
        assert server.get("/api/v1/retention")["origin"] == "api"

        def only_the_newest() -> bool:
            return len(server.get("/api/v1/storage")["partitions"]) == 1

        _until(only_the_newest, "retention did not go on after the kill")
        assert scene.found(server) == {
            day: scene.sent[day] if day == DAYS[-1] else set() for day in DAYS
        }
        assert server.terminate() == 0
    names = {path.name[:10] for path in (server.data / "partitions").iterdir()}
    assert names == {DAYS[-1]}


@pytest.mark.parametrize(
    ("pattern", "nth"), [("*.duckdb.wal", 1), ("*.duckdb.wal", 3), ("*.duckdb", 1)]
)
def test_a_kill_in_the_middle_of_what_a_deletion_writes_leaves_each_day_done_or_not(
    tmp_path: Path, shim: Path, pattern: str, nth: int
) -> None:
    scene = Scene(tmp_path)
    disk = Disk(tmp_path, shim, Case("kill", nth, pattern))
    scene.environment = disk.environment
    _kill_in_deletion(scene, "")


@pytest.mark.parametrize("point", ["delete-begin:2", "delete-midway:1", "delete-end:3"])
def test_a_kill_while_entries_are_deleted_leaves_each_day_done_or_not(
    tmp_path: Path, point: str
) -> None:
    _kill_in_deletion(Scene(tmp_path), point)


def _kill_in_deletion(scene: Scene, point: str) -> None:
    delete = "/api/v1/logs?filter=source:a"
    scene.killed_by(point, "DELETE", delete)
    scene.environment = {}
    kept = {day: {n for n in sent if n % 2} for day, sent in scene.sent.items()}
    with scene.serve().wait_until_serving() as server:
        for day, numbers in scene.found(server).items():
            assert numbers in (scene.sent[day], kept[day]), f"half of {day}"
        assert server.ask("DELETE", delete).status == 200
        assert scene.found(server) == kept
        server.kill()
        server.wait()
    with scene.serve().wait_until_serving() as server:
        assert scene.found(server) == kept  # what was answered is done for good


@pytest.mark.parametrize(
    "point",
    [
        *("backup-copy:1", "backup-copied:1", "backup-copied:4"),
        *("backup-finish:1", "backup-finished:1"),
    ],
)
def test_a_kill_while_a_backup_is_made_leaves_a_whole_one(
    tmp_path: Path, point: str
) -> None:
    _kill_in_backup(Scene(tmp_path), point)


@pytest.mark.parametrize(
    ("pattern", "nth"),
    [("*/backups/files/*", 1), ("*/backups/files/*", 4), ("*/manifest.json.tmp", 1)],
)
def test_a_kill_in_the_middle_of_a_copy_leaves_a_whole_backup(
    tmp_path: Path, shim: Path, pattern: str, nth: int
) -> None:
    scene = Scene(tmp_path)
    environment = Disk(tmp_path, shim, Case("kill", nth, pattern)).environment
    _kill_in_backup(scene, "", environment)


def _kill_in_backup(
    scene: Scene, point: str, environment: dict[str, str] | None = None
) -> None:
    tmp_path = scene.folder
    backups = tmp_path / "backups"
    with scene.serve().wait_until_serving() as server:
        scene.fill(server)
        assert server.ask("POST", "/api/v1/backup").status == 200
        assert server.terminate() == 0
    first = {day: set(numbers) for day, numbers in scene.sent.items()}
    scene.environment = environment or {}
    scene.killed_by(point, "POST", "/api/v1/backup")
    scene.environment = {}
    assert run_cli(["verify", str(backups)], cwd=tmp_path).returncode == 0
    _check_restored(scene, tmp_path / "one", (first, scene.sent))
    with scene.serve().wait_until_serving() as server:
        assert server.ask("POST", "/api/v1/backup").status == 200
        assert server.ask("POST", "/api/v1/verify").json()["problems"] == []
    _check_restored(scene, tmp_path / "two", (scene.sent,))


def _check_restored(
    scene: Scene, folder: Path, allowed: tuple[dict[str, set[int]], ...]
) -> None:
    folder.mkdir()
    backups = str(scene.folder / "backups")
    done = run_cli(["restore", backups, "--data", str(folder / "data")], cwd=folder)
    assert done.returncode == 0, done.stderr
    with ServerProcess(folder).wait_until_serving() as server:
        assert scene.found(server) in allowed
