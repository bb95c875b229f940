"""Killed with SIGKILL, at scripted and at random moments, under load, time and again.

One data folder lives through all of it. After each restart every acked entry is there
exactly once, a batch without an answer as a whole or not at all, and a reader's
position is that of its newest stored batch.
"""

import http.client
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fault.server_process import WAIT_S, environment_of
from tests.fault.story import PLUGINS, SEED, Story, told

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
FOLD_POINTS = (
    ("fold-begin:1", "fold-moved:1", "fold-moved:2", "fold-midway:1"),
    ("fold-committed:1", "fold-checkpoint:1", "fold-end:1"),
    # Of four, one is the second of its day.
    ("fold-begin:4", "fold-moved:7", "fold-moved:8", "fold-midway:4"),
    ("fold-committed:4", "fold-checkpoint:4", "fold-end:4"),
)
PART_POINTS = (
    ("part-close:1", "part-closed:2", "part-closed:4", "partition-attach:3"),
    ("load-committed:9", "load-inserted:30", "load-remembered:20", "retire-begin:20"),
    ("load-between-days:12", "checkpoint-end:3", "checkpoint-midway:4"),
)
COMPACTION_POINTS = (
    ("compact-copy:1", "compact-copied:1", "compact-midway:1", "compact-verify:1"),
    ("compact-index:1", "compact-written:1", "compact-synced:2", "compact-rename:1"),
    ("compact-renamed:1", "compact-drop:1", "compact-end:1"),
)
DEAD_POINTS = (
    ("dead-put-begin:2", "dead-put-inserted:1", "dead-put-end:1", "load-inserted:4"),
)
PROCESS_POINTS = (
    ("load-begin:3", "load-midway:2", "load-between-days:2", "segment-closed:3"),
    ("dead-put-inserted:1", "load-remembered:3", "checkpoint-midway:1"),
)
_PROCESSES = {"workers": {"kind": "process"}}

_NO_ANSWER = (OSError, http.client.HTTPException)


def _go_through(
    story: Story, points: tuple[str, ...], *, few_after: float = math.inf
) -> None:
    try:
        for point in points:
            story.kill_at(point, few_after=few_after)
        story.end()
    except BaseException as error:
        error.add_note(told(SEED, story))
        raise


def test_every_named_point_is_in_the_code() -> None:
    """So that who moves one finds out at once."""
    install = (
        f"import sys; sys.path.insert(0, {str(PLUGINS)!r}); import kill_points; "
        "[install() for install in kill_points._points(lambda: False).values()]"
    )
    command = [sys.executable, "-c", install]
    done = subprocess.run(
        command, env=environment_of(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.timeout(900)
@pytest.mark.parametrize("points", INTAKE_POINTS)
def test_a_kill_on_the_way_to_the_disk_loses_and_doubles_nothing(
    tmp_path: Path, points: tuple[str, ...]
) -> None:
    _go_through(Story(tmp_path, SEED, poison=False), points)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("points", LOAD_POINTS)
def test_a_kill_on_the_way_to_the_store_loses_and_doubles_nothing(
    tmp_path: Path, points: tuple[str, ...]
) -> None:
    _go_through(Story(tmp_path, SEED, poison=False), points)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("points", FOLD_POINTS)
def test_a_kill_while_the_end_of_a_day_is_folded_loses_and_doubles_nothing(
    tmp_path: Path, points: tuple[str, ...]
) -> None:
    story = Story(tmp_path, SEED)
    _go_through(story, points, few_after=10_000)
    assert any(batch.state == "unknown" for batch in story.ledger.batches)


@pytest.mark.timeout(900)
def test_a_kill_while_a_compacted_day_is_folded_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    story = Story(tmp_path, SEED)
    story.kill_at_rest("compact-end:3")
    _go_through(story, ("fold-moved:1", "fold-midway:4", "fold-end:4"), few_after=0)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("points", PART_POINTS)
def test_a_kill_while_days_have_many_parts_loses_and_doubles_nothing(
    tmp_path: Path, points: tuple[str, ...]
) -> None:
    """Full parts are compacted meanwhile, and replays find their segments in them."""
    small = {"FAULT_PART_ROWS": "300"}
    story = Story(tmp_path, SEED, poison=False, environment=small)
    _go_through(story, points)
    names = [path.name for path in (tmp_path / "data" / "partitions").iterdir()]
    assert any(".p3" in name for name in names), names


@pytest.mark.timeout(900)
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
        error.add_note(told(SEED, story))
        raise


@pytest.mark.timeout(900)
@pytest.mark.parametrize("points", DEAD_POINTS)
def test_a_kill_around_dead_letters_loses_and_doubles_nothing(
    tmp_path: Path, points: tuple[str, ...]
) -> None:
    _go_through(Story(tmp_path, SEED, poison=True), points)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("points", PROCESS_POINTS)
def test_a_kill_with_processors_in_processes_loses_and_doubles_nothing(
    tmp_path: Path, points: tuple[str, ...]
) -> None:
    _go_through(Story(tmp_path, SEED, poison=True, config=_PROCESSES), points)


@pytest.mark.timeout(900)
def test_processes_of_processors_may_die_and_end_with_a_server_that_is_killed(
    tmp_path: Path,
) -> None:
    story = Story(tmp_path, SEED, poison=True, config=_PROCESSES)
    try:
        with story.serve() as server:
            with story.load(server) as load:
                assert load.reached.wait(WAIT_S)
                first = _children(server.process.pid)
                assert first
                for pid in first:
                    os.kill(pid, signal.SIGKILL)
                goal = story.ledger.acked + 500
                _until(lambda: story.ledger.acked >= goal, "no more is acked")
            story.check(server)
            second = _children(server.process.pid)
            assert second - first
            server.kill()
            server.wait()
        _until(lambda: not any(map(_is_alive, second)), "they live on")
        story.end()
    except BaseException as error:
        error.add_note(told(SEED, story))
        raise


def _children(pid: int) -> set[int]:
    """Of any thread of the process."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return {
        int(child)
        for task in tasks
        for child in (task / "children").read_text().split()
    }


def _is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(") ")[2][0] not in "ZX"


def _until(check: Callable[[], bool], why: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not check():
        assert time.monotonic() < deadline, why
        time.sleep(0.05)


@pytest.mark.timeout(900)
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


@pytest.mark.timeout(900)
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
        error.add_note(told(SEED, story))
        raise
