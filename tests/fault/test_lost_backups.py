"""Backups, restores and checks of a store that lost a day, and from one to the next."""

import json
from collections import Counter
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import duckdb
import pytest

from tests.fault.server_process import ServerProcess, run_cli

DAYS = ("2026-11-18", "2026-11-19", "2026-11-20")
LOST = "2026-11-19"
PER_DAY = 50
DAMAGED = 4
_NDJSON = {"Content-Type": "application/x-ndjson"}


class Scene:
    """A data folder with three days, and a folder for its backups."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.backups = folder / "backups"
        self.restored = 0

    def serve(self) -> ServerProcess:
        config = {
            "journal": {"linger_ms": 0},
            "storage": {"compact_after_s": 0, "backup_folder": str(self.backups)},
        }
        return ServerProcess(self.folder, config=config).wait_until_serving()

    def send(self, server: ServerProcess, day: str, count: int = PER_DAY) -> None:
        entry = {"timestamp": f"{day}T12:00:00Z", "message": "m"}
        body = "\n".join([json.dumps(entry)] * count).encode()
        answer = server.ask("POST", "/api/v1/logs/batch", body, _NDJSON)
        assert answer.status == 200, answer

    def back_up(self, server: ServerProcess) -> Any:
        answer = server.ask("POST", "/api/v1/backup")
        assert answer.status == 200, answer
        assert self.verify(self.backups).returncode == 0
        return answer.json()

    def verify(self, folder: Path) -> CompletedProcess[str]:
        return run_cli(["verify", str(folder)], cwd=self.folder)

    def restore(self) -> tuple[Path, dict[str, int]]:
        """Into a new folder; how many entries each day has there."""
        self.restored += 1
        folder = self.folder / f"restored-{self.restored}"
        folder.mkdir()
        data = str(folder / "data")
        done = run_cli(["restore", str(self.backups), "--data", data], cwd=folder)
        assert done.returncode == 0, done
        config = {"storage": {"compact_after_s": 0}}
        with ServerProcess(folder, config=config).wait_until_serving() as server:
            found = Counter(row["timestamp"][:10] for row in server.query(""))
            assert server.terminate() == 0
        return folder / "data", dict(found)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Backed up once, and the server ended."""
    scene = Scene(tmp_path)
    with scene.serve() as server:
        for day in DAYS:
            scene.send(server, day)
        scene.back_up(server)
        assert server.terminate() == 0
    return scene


def _file(scene: Scene) -> Path:
    return scene.folder / "data" / "partitions" / f"{LOST}.duckdb"


@pytest.mark.parametrize("damage", ["gone", "rubbish"])
def test_a_backup_keeps_what_the_one_before_had_of_a_day_that_is_lost(
    scene: Scene, damage: str
) -> None:
    _file(scene).unlink()
    if damage == "rubbish":
        _file(scene).write_bytes(b"rubbish" * 9999)
    with scene.serve() as server:
        scene.send(server, DAYS[2], 10)
        for _ in range(2):
            assert scene.back_up(server)["skipped"] == [LOST]
    data, found = scene.restore()
    assert found == {DAYS[0]: PER_DAY, LOST: PER_DAY, DAYS[2]: PER_DAY + 10}
    assert scene.verify(data).returncode == 0


def test_what_was_lost_is_kept_beside_what_came_since(scene: Scene) -> None:
    _file(scene).unlink()
    with scene.serve() as server:
        for _ in range(3):
            scene.send(server, LOST, 10)
            scene.back_up(server)
        server.kill()
        server.wait()
    data, found = scene.restore()
    assert found == {DAYS[0]: PER_DAY, LOST: 30, DAYS[2]: PER_DAY}
    (aside,) = (data / "partitions").glob("*.broken-*")
    with duckdb.connect(str(aside), read_only=True) as day:
        assert day.execute("SELECT count(*) FROM entries").fetchall() == [(PER_DAY,)]
    with scene.serve() as server:  # the operator gives it up
        whole = f"/api/v1/logs?all=true&from={LOST}&to={DAYS[2]}"
        assert server.ask("DELETE", whole).status == 200
        scene.back_up(server)
    data, found = scene.restore()
    assert found == {DAYS[0]: PER_DAY, DAYS[2]: PER_DAY}
    assert not [*(data / "partitions").glob("*.broken-*")]


def test_a_check_finds_a_day_that_is_gone_until_it_is_given_up(scene: Scene) -> None:
    _file(scene).unlink()
    told = f"partitions/{LOST}.duckdb: missing: its file is gone"
    assert scene.verify(scene.folder / "data").returncode == DAMAGED
    with scene.serve() as server:
        for count in (0, 10):
            if count:
                scene.send(server, LOST, count)
                assert server.total() == 2 * PER_DAY + count
            found = server.ask("POST", "/api/v1/verify").json()["problems"]
            assert [f"{one['where']}: {one['what']}" for one in found] == [told]
        assert server.terminate() == 0
    verified = scene.verify(scene.folder / "data")
    assert verified.returncode == DAMAGED
    assert told in verified.stderr
    with scene.serve() as server:
        whole = f"/api/v1/logs?all=true&from={LOST}&to={DAYS[2]}"
        assert server.ask("DELETE", whole).status == 200
        assert server.ask("POST", "/api/v1/verify").json()["problems"] == []
        assert server.terminate() == 0
    assert scene.verify(scene.folder / "data").returncode == 0


def test_each_backup_copies_what_changed_and_restores_to_what_was_there(
    scene: Scene,
) -> None:
    expected = dict.fromkeys(DAYS, PER_DAY)
    with scene.serve() as server:

        def backed_up() -> list[str]:
            """Days whose file was copied."""
            before = {path.name for path in (scene.backups / "files").iterdir()}
            scene.back_up(server)
            new = {path.name for path in (scene.backups / "files").iterdir()} - before
            return sorted(n[17:27] for n in new if n.endswith(".duckdb") and "2" in n)

        def days_of(names: list[str]) -> list[str]:
            return [name for name in names if name in {*DAYS, "2026-11-21"}]

        assert days_of(backed_up()) == []
        scene.send(server, DAYS[0], 5)
        expected[DAYS[0]] += 5
        assert days_of(backed_up()) == [DAYS[0]]
        assert scene.restore()[1] == expected
        scene.send(server, "2026-11-21", 5)
        expected["2026-11-21"] = 5
        assert days_of(backed_up()) == ["2026-11-21"]
        assert scene.restore()[1] == expected
        gone = f"/api/v1/logs?all=true&from={LOST}&to={DAYS[2]}"
        assert server.ask("DELETE", gone).json()["entries"] == PER_DAY
        del expected[LOST]
        assert days_of(backed_up()) == [LOST]
        assert scene.restore()[1] == expected
        server.kill()
        server.wait()
    with scene.serve() as server:
        assert scene.back_up(server)["skipped"] == []
    assert scene.restore()[1] == expected
