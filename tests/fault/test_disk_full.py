"""A disk that is really full: refused, nothing acked lost, and well again by itself."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fault.server_process import WAIT_S, ServerProcess

MIB = 1_048_576
_NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 48 MiB, mounted at `data` in the test's folder."""
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    path = tmp_path / "data"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(path)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def _send(server: ServerProcess, first: int, count: int, size: int) -> int:
    """The status of a batch of `count` entries of about `size` bytes."""
    lines = []
    for number in range(first, first + count):
        noise = os.urandom(size // 2).hex()
        entry = {"message": f"entry {number} {noise}", "fields": {"n": number}}
        lines.append(json.dumps(entry).encode())
    answer = server.ask("POST", "/api/v1/logs/batch", b"\n".join(lines), _NDJSON)
    if answer.status != 200:
        assert answer.status in {507, 503}, answer
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) > 0
    return answer.status


def _unready(server: ServerProcess) -> str:
    answer = server.ask("GET", "/readyz")
    return "" if answer.status == 200 else str(answer.json()["reason"])


def _numbers(server: ServerProcess) -> list[int]:
    return [row["fields"]["n"] for row in server.query("")]


def _told(server: ServerProcess) -> int:
    """Entries in the store, and those that the same answer says it lacks."""
    answer = server.ask("GET", "/api/v1/logs/stats")
    assert answer.status == 200, answer
    lacks = int(answer.headers.get("logstream-stuck-entries", 0))
    return int(answer.json()["TotalEntries"]) + lacks


def _until(check: Callable[[], bool], why: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not check():
        assert time.monotonic() < deadline, why
        time.sleep(0.1)


def _fill(disk: Path) -> Path:
    """Take all the space that is left."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return ballast


class _Sender:
    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.next = 0
        self.acked: list[int] = []

    def send(self, count: int, size: int) -> int:
        first, self.next = self.next, self.next + count
        status = _send(self.server, first, count, size)
        if status == 200:
            self.acked += range(first, first + count)
        return status


def _config(min_free_bytes: int) -> dict[str, Any]:
    return {
        "storage": {"min_free_bytes": min_free_bytes},
        "journal": {"segment_bytes": MIB},
    }


def test_with_little_room_ingest_is_refused_and_queries_go_on(disk: Path) -> None:
    folder = disk.parent
    with ServerProcess(folder, config=_config(24 * MIB)).wait_until_serving() as server:
        sender = _Sender(server)
        assert sender.send(100, 200) == 200
        assert len(_numbers(server)) == 100
        ballast = _fill(disk)
        _until(lambda: sender.send(1, 100) == 507, "never refused")
        _until(lambda: _unready(server) == "disk_full", "never unready")
        assert server.ask("GET", "/healthz").status == 200
        assert set(range(100)) <= set(_numbers(server))  # queries go on
        ballast.unlink()
        _until(lambda: sender.send(1, 100) == 200, "never taken again")
        _until(lambda: _unready(server) == "", "never ready")
        _until(lambda: server.get("/api/v1/queue")["entries"] == 0, "never stored")
        assert sorted(_numbers(server)) == sorted(sender.acked)
        assert server.terminate() == 0


def test_a_disk_without_any_room_loses_nothing_that_was_acked(disk: Path) -> None:
    """Not even the reserve is there: writes fail in the middle, wherever that is."""
    folder = disk.parent
    with ServerProcess(folder, config=_config(0)).wait_until_serving() as server:
        sender = _Sender(server)
        assert sender.send(100, 200) == 200
        assert len(_numbers(server)) == 100
        _until(lambda: sender.send(400, 4000) != 200, "the disk never filled up")
        assert server.ask("GET", "/healthz").status == 200
        assert set(range(100)) <= set(_numbers(server))  # queries go on
        ballast = _fill(disk)
        # What is stored at last may make room once more.
        _until(lambda: sender.send(300, 40) != 200, "there is room for ever")
        _until(lambda: _told(server) == len(sender.acked), "less, and not told")
        ballast.unlink()
        _give_room(disk)
        _until(lambda: sender.send(1, 100) == 200, "never taken again")
        _until(lambda: server.get("/api/v1/queue")["entries"] == 0, "never stored")
        assert sorted(_numbers(server)) == sorted(sender.acked)
        assert server.terminate() == 0
    with ServerProcess(folder, config=_config(0)).wait_until_serving() as server:
        assert sorted(_numbers(server)) == sorted(sender.acked)


def test_a_server_that_is_killed_on_a_full_disk_starts_and_has_everything(
    disk: Path,
) -> None:
    folder = disk.parent
    with ServerProcess(folder, config=_config(0)).wait_until_serving() as server:
        sender = _Sender(server)
        _until(lambda: sender.send(400, 4000) != 200, "the disk never filled up")
        ballast = _fill(disk)
        server.kill()
        server.wait()
    with ServerProcess(folder, config=_config(0)).wait_until_serving() as server:
        assert server.ask("GET", "/healthz").status == 200
        ballast.unlink()
        _give_room(disk)
        _until(lambda: server.get("/api/v1/queue")["entries"] == 0, "never stored")
        assert sorted(_numbers(server)) == sorted(sender.acked)


def _give_room(disk: Path) -> None:
    """What an operator does."""
    command = ["mount", "-o", "remount,size=128m", str(disk)]
    subprocess.run(command, check=True)


def test_retention_and_deletion_make_room_on_a_full_disk(disk: Path) -> None:
    """Ingest is refused early enough that what makes room still works."""
    folder = disk.parent
    with ServerProcess(folder, config=_config(24 * MIB)).wait_until_serving() as server:

        def send(day: str) -> int:
            lines = [
                json.dumps(
                    {"timestamp": f"{day}T00:00:00Z", "message": os.urandom(5000).hex()}
                )
                for _ in range(100)
            ]
            body = "\n".join(lines).encode()
            return server.ask("POST", "/api/v1/logs/batch", body, _NDJSON).status

        def fill(day: str) -> None:
            _until(lambda: send(day) == 507, "never full")
            _until(lambda: _unready(server) == "disk_full", "never unready")
            _until(lambda: server.get("/api/v1/queue")["entries"] == 0, "never stored")

        assert send("2026-01-02") == 200  # the newest day stays, whatever its size
        fill("2026-01-01")
        policy = json.dumps({"max_bytes": 4 * MIB}).encode()
        assert server.ask("PUT", "/api/v1/retention", policy).status == 200
        _until(lambda: _unready(server) == "", "retention made no room")
        assert server.ask("DELETE", "/api/v1/retention").status == 200
        fill("2026-01-01")
        answer = server.ask("DELETE", "/api/v1/logs?all=true&to=2026-01-02")
        assert answer.status == 200, answer
        assert answer.json()["entries"] > 0
        _until(lambda: send("2026-01-02") == 200, "deletion made no room")
        assert server.terminate() == 0


def test_saved_queries_stay_as_they_are_on_a_full_disk(disk: Path) -> None:
    folder = disk.parent
    with ServerProcess(folder, config=_config(0)).wait_until_serving() as server:

        def save(name: str) -> int:
            body = json.dumps({"name": name, "query": "x" * 8000}).encode()
            return server.ask("POST", "/api/v1/saved", body).status

        assert save("before") == 200
        ballast = _fill(disk)
        assert save("while-full") == 507
        assert server.ask("DELETE", "/api/v1/saved/before").status in (200, 507)
        names = [one["name"] for one in server.get("/api/v1/saved")]
        server.kill()
        server.wait()
        ballast.unlink()
    with ServerProcess(folder, config=_config(0)).wait_until_serving() as server:
        assert [one["name"] for one in server.get("/api/v1/saved")] == names
        body = json.dumps({"name": "after", "query": "*"}).encode()
        assert server.ask("POST", "/api/v1/saved", body).status == 200
        assert server.terminate() == 0
