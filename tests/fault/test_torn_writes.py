"""Killed in the middle of a write, DuckDB's own too: half of it is in the file."""

from pathlib import Path

import pytest

from tests.fault.failing_disk import Case, Disk
from tests.fault.server_process import WAIT_S
from tests.fault.story import SEED, Story, told

UNDER_LOAD = {
    "journal": ("*/journal/0*.ndjson", (1, 8)),
    "large-upload": ("*/journal/staging-*", (1, 2)),
    "load": ("*.duckdb.wal", (1, 5, 20)),
    "checkpoint": ("*-[0-9][0-9].duckdb", (1, 4, 12)),
    "positions": ("*/positions.json.tmp", (1, 3)),
    "numbers": ("*/journal/next.tmp", (1,)),
    "days": ("*/days.json.tmp", (1,)),
}
AT_REST = {
    "copy": ("*.copy", (1,)),
    "rewrite": ("*.g1.new*", (1, 3, 6)),
    "index": ("*.index.new", (1,)),
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("pattern", "times"), UNDER_LOAD.values(), ids=list(UNDER_LOAD)
)
def test_a_kill_in_the_middle_of_a_write_loses_and_doubles_nothing(
    tmp_path: Path, shim: Path, pattern: str, times: tuple[int, ...]
) -> None:
    story = Story(tmp_path, SEED)
    try:
        for nth in times:
            _killed(story, shim, Case("kill", nth, pattern), at_rest=False)
        with story.serve() as server:
            with story.load(server) as load:
                assert load.reached.wait(WAIT_S)
            assert server.terminate() == 0
        story.end()
    except BaseException as error:
        error.add_note(told(SEED, story))
        raise


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("pattern", "times"), AT_REST.values(), ids=list(AT_REST))
def test_a_kill_in_the_middle_of_a_write_of_compaction_leaves_the_day_whole(
    tmp_path: Path, shim: Path, pattern: str, times: tuple[int, ...]
) -> None:
    story = Story(tmp_path, SEED)
    try:
        for nth in times:
            _killed(story, shim, Case("kill", nth, pattern), at_rest=True)
        story.end()
    except BaseException as error:
        error.add_note(told(SEED, story))
        raise


def _killed(story: Story, shim: Path, case: Case, *, at_rest: bool) -> None:
    disk = Disk(story.folder, shim, case)
    story.environment = disk.environment
    with story.serve() as server:
        if at_rest:
            with story.load(server) as load:
                assert load.reached.wait(WAIT_S)
            story.armed.touch()
            code = server.wait()
        else:
            story.armed.touch()
            with story.load(server):
                code = server.wait()
        assert code == -9, f"{case} was not reached"
    story.kills += 1
    story.environment = {}
