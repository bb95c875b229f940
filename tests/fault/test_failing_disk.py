"""A disk that fails for files of one kind, for a while, under load.

What was acked is there, what was refused is not, and all is well again when the disk
is; or the server ends, and says so, and the next start has everything.
"""

import errno
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fault.failing_disk import Case, Disk
from tests.fault.server_process import WAIT_S, ServerProcess
from tests.fault.story import SEED, Story, told

_STORE_FAILED = 4

UNDER_LOAD = {
    "journal-full": Case("write", errno.ENOSPC, "*/journal/0*.ndjson"),
    "journal-sync": Case("sync", errno.EIO, "*/journal/0*.ndjson"),
    "staged-full": Case("write", errno.ENOSPC, "*/journal/staging-*"),
    "staged-sync": Case("sync", errno.EIO, "*/journal/staging-*"),
    "folder-sync": Case("sync", errno.EIO, "*/journal"),
    "load-full": Case("write", errno.ENOSPC, "*.duckdb.wal"),
    "load-sync": Case("sync", errno.EIO, "*.duckdb.wal"),
    "checkpoint-full": Case("write", errno.ENOSPC, "*-[0-9][0-9].duckdb"),
    "checkpoint-sync": Case("sync", errno.EIO, "*-[0-9][0-9].duckdb"),
    "positions-full": Case("write", errno.ENOSPC, "*/positions.json.tmp"),
    "positions-sync": Case("sync", errno.EIO, "*/positions.json.tmp"),
}


def _until(check: Callable[[], object], why: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not check():
        assert time.monotonic() < deadline, why
        time.sleep(0.05)


def _has_ended(server: ServerProcess) -> bool:
    return server.process.poll() is not None


def _fail_under_load(story: Story, disk: Disk) -> None:
    with story.serve() as server:
        with story.load(server, faulty=True) as load:
            assert load.reached.wait(WAIT_S)
            story.armed.touch()
            _until(lambda: _has_ended(server) or len(disk.hits()) > 2, "never failed")
            story.armed.unlink()
            goal = story.ledger.acked + 500
            _until(
                lambda: _has_ended(server) or story.ledger.acked >= goal,
                "nothing is acked any more",
            )
        if _has_ended(server):
            assert server.wait() == _STORE_FAILED
            return
        _until(lambda: server.get("/api/v1/queue")["entries"] == 0, "never stored")
        story.check(server)
        server.kill()
        server.wait()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", UNDER_LOAD.values(), ids=list(UNDER_LOAD))
def test_a_disk_that_fails_under_load_loses_and_doubles_nothing(
    tmp_path: Path, shim: Path, case: Case
) -> None:
    disk = Disk(tmp_path, shim, case)
    story = Story(tmp_path, SEED, environment=disk.environment)
    try:
        _fail_under_load(story, disk)
        story.end()
    except BaseException as error:
        error.add_note(told(SEED, story))
        raise
    if case.pattern.endswith(".ndjson"):
        found = [hit.split(" ", 1) for hit in disk.hits()]
        failed = {path for what, path in found if what == "sync"}
        again = failed & {path for what, path in found if what == "again"}
        assert not again, "written and synced after a sync of it failed"
