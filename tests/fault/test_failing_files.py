"""A disk that fails for one small file, or for one step of what goes on at rest: it is
refused or tried again, nothing else suffers, and nothing that was answered is lost.
"""

import errno
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fault.failing_disk import Case, Disk
from tests.fault.server_process import WAIT_S, Answer, ServerProcess, run_cli
from tests.fault.story import SEED, Story, told

_JSON = {"Content-Type": "application/json"}

COMPACTION = {
    "copy": Case("write", errno.ENOSPC, "*.copy"),
    "rewrite": Case("write", errno.ENOSPC, "*.g1.new"),
    "rewrite-sync": Case("sync", errno.EIO, "*.g1.new"),
    "index": Case("write", errno.ENOSPC, "*.index.new"),
    "index-sync": Case("sync", errno.EIO, "*.index.new"),
    "folder-sync": Case("sync", errno.EIO, "*/partitions"),
}


def _until(check: Callable[[], object], why: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not check():
        assert time.monotonic() < deadline, why
        time.sleep(0.05)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", COMPACTION.values(), ids=list(COMPACTION))
def test_a_compaction_that_fails_leaves_the_day_and_is_done_later(
    tmp_path: Path, shim: Path, case: Case
) -> None:
    disk = Disk(tmp_path, shim, case)
    story = Story(tmp_path, SEED, environment=disk.environment)

    def is_sealed(server: ServerProcess) -> bool:
        days = server.get("/api/v1/storage")["partitions"]
        return all(day["sealed"] for day in days)

    try:
        with story.serve() as server:
            with disk.failing():
                with story.load(server) as load:
                    assert load.reached.wait(WAIT_S)
                _until(disk.hits, "never failed")
                story.check(server)
            _until(lambda: is_sealed(server), "never compacted")
            story.check(server)
            server.kill()
            server.wait()
        story.end()
    except BaseException as error:
        error.add_note(told(SEED, story))
        raise


class Scene:
    """A server on a folder of its own, whose disk fails for some file."""

    def __init__(self, folder: Path, shim: Path, case: Case) -> None:
        self.folder = folder
        self.disk = Disk(folder, shim, case)

    def serve(self) -> ServerProcess:
        config = {
            "journal": {"linger_ms": 0},
            "storage": {
                "min_free_bytes": 0,
                "backup_folder": str(self.folder / "backups"),
            },
        }
        server = ServerProcess(
            self.folder, config=config, environment=self.disk.environment
        )
        return server.wait_until_serving()


def _ask(server: ServerProcess, method: str, path: str, body: Any = None) -> Answer:
    content = None if body is None else json.dumps(body).encode()
    return server.ask(method, path, content, _JSON)


@pytest.mark.parametrize(
    ("method", "path", "file"),
    [("PUT", "/api/v1/retention", "retention"), ("POST", "/api/v1/saved", "saved")],
)
@pytest.mark.parametrize("operation", ["write", "sync"])
def test_a_setting_that_cannot_be_kept_is_refused_and_changes_nothing(
    tmp_path: Path, shim: Path, method: str, path: str, file: str, operation: Any
) -> None:
    number = errno.ENOSPC if operation == "write" else errno.EIO
    scene = Scene(tmp_path, shim, Case(operation, number, f"*/{file}.json.tmp"))
    of: dict[str, list[Any]] = {
        "retention": [{"max_age_days": 30_000}, {"max_age_days": 20_000}],
        "saved": [{"name": "a", "query": "x"}, {"name": "b", "query": "y"}],
    }
    bodies = of[file]
    with scene.serve() as server:
        assert _ask(server, method, path, bodies[0]).status == 200
        before = server.get(path)
        with scene.disk.failing():
            refused = _ask(server, method, path, bodies[1])
            assert refused.status == (507 if operation == "write" else 503)
            assert int(refused.headers["retry-after"]) > 0
            assert server.get(path) == before
        server.kill()
        server.wait()
    with scene.serve() as server:
        assert server.get(path) == before
        assert _ask(server, method, path, bodies[1]).status == 200
        changed = server.get(path)
        assert changed != before
        server.kill()
        server.wait()
    with scene.serve() as server:
        assert server.get(path) == changed


@pytest.mark.parametrize(
    "case",
    [
        Case("write", errno.ENOSPC, "*/backups/files/*"),
        Case("sync", errno.EIO, "*/backups/files/*"),
        Case("write", errno.ENOSPC, "*/manifest.json.tmp"),
        Case("sync", errno.EIO, "*/backups"),
    ],
    ids=["copy", "copy-sync", "manifest", "folder-sync"],
)
def test_a_backup_that_fails_leaves_the_one_before_whole(
    tmp_path: Path, shim: Path, case: Case
) -> None:
    scene = Scene(tmp_path, shim, case)
    with scene.serve() as server:
        for number in range(2):
            entry = {"message": f"m{number}"}
            assert _ask(server, "POST", "/api/v1/logs", entry).status == 200
            if number == 0:
                assert _ask(server, "POST", "/api/v1/backup").status == 200
        with scene.disk.failing():
            refused = _ask(server, "POST", "/api/v1/backup")
            assert refused.status == (507 if case.error == errno.ENOSPC else 503)
        assert scene.disk.hits()
        verified = run_cli(["verify", str(tmp_path / "backups")], cwd=tmp_path)
        assert verified.returncode == 0, verified
        assert server.total() == 2
        assert _ask(server, "POST", "/api/v1/backup").status == 200


@pytest.mark.parametrize("operation", ["write", "sync"])
def test_answers_to_keys_that_cannot_be_kept_stay_in_the_journal(
    tmp_path: Path, shim: Path, operation: Any
) -> None:
    number = errno.ENOSPC if operation == "write" else errno.EIO
    scene = Scene(tmp_path, shim, Case(operation, number, "*/idempotency.ndjson*"))

    def send(server: ServerProcess, key: int) -> Answer:
        headers = {**_JSON, "Idempotency-Key": f"key-{key}"}
        body = json.dumps([{"message": f"of key {key}"}] * 3).encode()
        return server.ask("POST", "/api/v1/logs/batch", body, headers)

    with scene.serve() as server:
        assert send(server, 0).status == 200
        _until(lambda: server.get("/api/v1/queue")["entries"] == 0, "never retired")
        with scene.disk.failing():
            assert send(server, 1).status == 200
            _until(scene.disk.hits, "never failed")
            answer = server.ask("GET", "/api/v1/logs/stats")
            assert answer.json()["TotalEntries"] == 6
            assert "logstream-stuck-entries" not in answer.headers
            assert send(server, 1).status == 200
            assert server.total() == 6
            server.kill()
            server.wait()
    with scene.serve() as server:
        for key in (0, 1):
            assert send(server, key).status == 200
        assert server.total() == 6
        _until(lambda: server.get("/api/v1/queue")["entries"] == 0, "never retired")
        assert server.terminate() == 0
    with scene.serve() as server:
        for key in (0, 1):
            assert send(server, key).status == 200
        assert server.total() == 6


@pytest.mark.parametrize("operation", ["write", "sync"])
def test_a_register_of_days_that_cannot_be_kept_is_kept_later(
    tmp_path: Path, shim: Path, operation: Any
) -> None:
    number = errno.ENOSPC if operation == "write" else errno.EIO
    scene = Scene(tmp_path, shim, Case(operation, number, "*/days.json.tmp"))
    day = "2026-01-02"
    entry = {"message": "m", "timestamp": f"{day}T00:00:00Z"}
    with scene.serve() as server:
        register = server.data / "days.json"
        with scene.disk.failing():
            assert _ask(server, "POST", "/api/v1/logs", entry).status == 200
            assert server.total() == 1
            _until(scene.disk.hits, "never failed")
            assert not register.exists() or day not in register.read_text()
        _until(lambda: register.exists() and day in register.read_text(), "not kept")
        assert server.terminate() == 0
    (server.data / "partitions" / f"{day}.duckdb").unlink()
    with scene.serve() as server:
        answer = server.ask("GET", "/api/v1/logs/stats")
        assert answer.headers["logstream-left-out"] == day
