"""Killed with SIGKILL, at scripted and at random moments, under load, time and again.

One data folder lives through all of it. After each restart every acked entry is there
exactly once, a batch without an answer as a whole or not at all, and a reader's
position is that of its newest stored batch.
"""

import http.client
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from tests.fault.load import POSITION, Ledger, Load
from tests.fault.server_process import WAIT_S, ServerProcess

PLUGINS = Path(__file__).parent / "plugin_folder"
SEED = int(os.environ.get("FAULT_SEED", "0")) or random.SystemRandom().randrange(2**32)
"""Set FAULT_SEED to the one that a failure names, to have the same load again."""

RANDOM_KILLS = 8

INTAKE_POINTS = (
    ("reserve-numbers:1", "segment-create:2", "frame-torn:9", "frame-written:7"),
    ("frame-synced:12", "segment-closed:3", "positions-torn:2", "retire-saved:3"),
    ("stage-written:2", "stage-before-rename:2", "stage-after-rename:1"),
)
LOAD_POINTS = (
    ("load-begin:4", "load-midway:3", "load-inserted:2", "load-remembered:4"),
    ("load-between-days:2", "load-between-days:6", "load-committed:3"),
    ("partition-attach:2", "retire-begin:3", "retire-deleted:3"),
    ("checkpoint-begin:2", "checkpoint-midway:1", "checkpoint-end:1"),
)
COMPACTION_POINTS = (
    ("compact-copy:1", "compact-copied:1", "compact-midway:1", "compact-verify:1"),
    ("compact-index:1", "compact-written:1", "compact-synced:2", "compact-rename:1"),
    ("compact-renamed:1", "compact-drop:1", "compact-end:1"),
)
DEAD_POINTS = (
    ("dead-put-begin:2", "dead-put-inserted:1", "dead-put-end:1", "load-inserted:4"),
)

_NO_ANSWER = (OSError, http.client.HTTPException)


class Story:
    """One data folder, and all that was sent to it."""

    def __init__(self, folder: Path, seed: int, *, poison: bool) -> None:
        self.folder = folder
        self.seed = seed
        self.poison = poison
        self.ledger = Ledger()
        self.kills = 0
        self.armed = folder / "armed"

    def serve(self, point: str = "") -> ServerProcess:
        """A server that has replayed its journal and stands the check."""
        self.armed.unlink(missing_ok=True)
        faults = {"FAULT_POINT": point, "FAULT_ARMED": str(self.armed)}
        server = ServerProcess(self.folder, config=self._config(), environment=faults)
        try:
            self._check(server.wait_until_serving())
        except BaseException as error:
            server.__exit__(type(error), error, None)
            raise
        return server

    def load(self, server: ServerProcess, *, enough: int = 500) -> Load:
        seed = self.seed * 1000 + self.kills
        return Load(server, self.ledger, seed=seed, poison=self.poison, enough=enough)

    def kill_at(self, point: str) -> None:
        with self.serve(point) as server:
            self.armed.touch()
            with self.load(server):
                code = server.wait()
            assert code == -9, f"{point} was not reached"
        self.kills += 1

    def kill_at_rest(self, point: str) -> None:
        """At a point that is reached when nothing is loaded."""
        with self.serve(point) as server:
            with self.load(server) as load:
                assert load.reached.wait(WAIT_S)
            self.armed.touch()
            assert server.wait() == -9, f"{point} was not reached"
        self.kills += 1

    def kill_under_load(self, *, enough: int) -> None:
        with self.serve() as server:
            with self.load(server, enough=enough) as load:
                assert load.reached.wait(WAIT_S)
                server.kill()
            server.wait()
        self.kills += 1

    def end(self) -> None:
        """A last start, a clean stop, and nothing is left over."""
        with self.serve() as server:
            metrics = server.metrics()
            came = sum(
                value
                for name, value in metrics.items()
                if name.startswith("logstream_logs_received_total")
            )
            came += metrics["logstream_journal_replayed_entries_total"]
            assert came == metrics["logstream_logs_processed_total"]
            assert server.get("/api/v1/queue")["entries"] == 0
            assert server.terminate() == 0
        assert "Stopped: " in server.output()
        assert {path.name for path in (server.data / "journal").iterdir()} == {"next"}

    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = {
            "plugins": {"folder": str(PLUGINS)},
            "journal": {"linger_ms": 100, "segment_bytes": 1_000_000},
            # Days that are over are compacted whenever there is a moment.
            "storage": {"min_free_bytes": 0, "compact_after_s": 0.001},
        }
        if self.poison:
            config["processors"] = [{"type": "poison"}]
        return config

    def _check(self, server: ServerProcess) -> None:
        rows = server.query("")
        dead = server.get("/api/v1/dead-letters?limit=10000")
        letters = [letter["entry"] for letter in dead["dead_letters"]]
        assert dead["count"] == len(letters) < 10_000
        self.ledger.check([*rows, *letters])
        assert all(row["message"].startswith("good") for row in rows) or not self.poison
        assert all(letter["message"].startswith("poison") for letter in letters)
        assert server.total() == len(rows)
        name = f"/api/v1/positions?name={POSITION}"
        stored = server.get(name)["positions"].get(POSITION)
        self.ledger.check_position(stored, [*rows, *letters])


def _told(seed: int, story: Story) -> str:
    counts = json.dumps(
        {"kills": story.kills, "acked": story.ledger.acked, "seed": seed}
    )
    return f"Reproduce with FAULT_SEED={seed}: {counts}"


def _go_through(story: Story, points: tuple[str, ...]) -> None:
    try:
        for point in points:
            story.kill_at(point)
        story.end()
    except BaseException as error:
        error.add_note(_told(SEED, story))
        raise


@pytest.mark.timeout(300)
@pytest.mark.parametrize("points", INTAKE_POINTS)
def test_a_kill_on_the_way_to_the_disk_loses_and_doubles_nothing(
    tmp_path: Path, points: tuple[str, ...]
) -> None:
    _go_through(Story(tmp_path, SEED, poison=False), points)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("points", LOAD_POINTS)
def test_a_kill_on_the_way_to_the_store_loses_and_doubles_nothing(
    tmp_path: Path, points: tuple[str, ...]
) -> None:
    _go_through(Story(tmp_path, SEED, poison=False), points)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("points", COMPACTION_POINTS)
def test_a_kill_during_compaction_loses_and_doubles_nothing(
    tmp_path: Path, points: tuple[str, ...]
) -> None:
    story = Story(tmp_path, SEED, poison=False)
    try:
        for point in points:
            story.kill_at_rest(point)
        story.end()
    except BaseException as error:
        error.add_note(_told(SEED, story))
        raise


@pytest.mark.timeout(300)
@pytest.mark.parametrize("points", DEAD_POINTS)
def test_a_kill_around_dead_letters_loses_and_doubles_nothing(
    tmp_path: Path, points: tuple[str, ...]
) -> None:
    _go_through(Story(tmp_path, SEED, poison=True), points)


@pytest.mark.timeout(300)
def test_a_kill_while_dead_letters_are_replayed_leaves_each_in_one_place(
    tmp_path: Path,
) -> None:
    story = Story(tmp_path, SEED, poison=True)
    with story.serve("dead-remove:1") as server:
        with story.load(server) as load:
            assert load.reached.wait(WAIT_S)
        assert server.get("/api/v1/dead-letters")["count"] > 0
        story.armed.touch()
        with pytest.raises(_NO_ANSWER):
            server.ask("POST", "/api/v1/dead-letters/replay", b'{"all":true}')
        assert server.wait() == -9
    story.end()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("poison", [False, True], ids=["plain", "processors"])
def test_kills_at_random_moments_lose_and_double_nothing(
    tmp_path: Path, poison: bool
) -> None:
    story = Story(tmp_path, SEED, poison=poison)
    chance = random.Random(SEED)
    try:
        for _ in range(RANDOM_KILLS // 2):
            story.kill_under_load(enough=chance.randrange(1, 4000))
        story.end()
    except BaseException as error:
        error.add_note(_told(SEED, story))
        raise
