"""Ends the server with SIGKILL at the nth call of a named point. For tests only.

The server knows nothing of it: functions are wrapped before the engine is built.
`FAULT_POINT` says `name:nth`. Calls count once the file `FAULT_ARMED` exists, so that
a test can look at a server in peace before it loads it. `FAULT_CHECKPOINTS=none` leaves
rows in their write-ahead logs; `FAULT_PART_ROWS=400` makes a part of a day full with so
many.
"""

import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from logstream.plugins import BuildContext, hookimpl

Wrapped = Callable[..., Any]


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()  # nothing may happen in this thread any more


class _Trigger:
    def __init__(self, nth: int, armed: Path) -> None:
        self._nth = nth
        self._armed = armed
        self._calls = 0
        self._lock = threading.Lock()

    def is_due(self) -> bool:
        with self._lock:
            if self._armed.exists():
                self._calls += 1
            return self._calls >= self._nth


def _before(owner: Any, name: str, due: Callable[[], bool]) -> None:
    inner: Wrapped = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if due():
            _kill()
        return inner(*args, **kwargs)

    setattr(owner, name, wrapped)


def _after(owner: Any, name: str, due: Callable[[], bool]) -> None:
    """A call that returns False has not done it."""
    inner: Wrapped = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = inner(*args, **kwargs)
        if result is not False and due():
            _kill()
        return result

    setattr(owner, name, wrapped)


def _while(owner: Any, name: str, due: Callable[[], bool]) -> None:
    """Some moments into the call, from another thread."""
    inner: Wrapped = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if due():
            threading.Timer(0.003, _kill).start()
        return inner(*args, **kwargs)

    setattr(owner, name, wrapped)


def _torn_frame(due: Callable[[], bool]) -> None:
    """Half a frame reaches the file."""
    from logstream.journal.files import SegmentFile

    inner = SegmentFile.write

    def wrapped(self: SegmentFile, pieces: list[bytes]) -> None:
        if self.path.parent.name.startswith("/proc") or not due():
            inner(self, pieces)
            return
        whole = b"".join(pieces)
        inner(self, [whole[: len(whole) // 2]])
        _kill()

    SegmentFile.write = wrapped  # type: ignore[method-assign]


def _torn_file(owner: Any, due: Callable[[], bool]) -> None:
    """Half of the new content reaches the temporary file."""
    inner: Wrapped = vars(owner)["write_durably"]

    def wrapped(path: Path, content: bytes) -> None:
        if due():
            half = content[: len(content) // 2]
            path.with_name(path.name + ".tmp").write_bytes(half)
            _kill()
        inner(path, content)

    vars(owner)["write_durably"] = wrapped


def _file_kept(owner: Any, when: str, due: Callable[[], bool]) -> None:
    """Around the rename of what was written to a temporary file.

    Args:
        when: `written`: all of it is in the temporary file, which is synced; `renamed`:
            the folder is not synced yet.
    """
    from logstream.core import durable

    inner: Wrapped = vars(owner)["write_durably"]
    name = {"written": "_put_in_place", "renamed": "sync_folder"}[when]

    def wrapped(path: Path, content: bytes) -> None:
        if due():
            setattr(durable, name, lambda *_: _kill())
        inner(path, content)

    assert name in vars(durable), f"{name} has moved"
    vars(owner)["write_durably"] = wrapped


def _torn_answers(due: Callable[[], bool]) -> None:
    """Half of the answers of a segment reach the file."""
    from logstream.journal import answers

    def wrapped(path: Path, content: bytes) -> None:
        with path.open("ab") as file:
            file.write(content[: len(content) // 2] if due() else content)
        if due():
            _kill()

    assert "_append_durably" in vars(answers), "it has moved"
    vars(answers)["_append_durably"] = wrapped


def _points(due: Callable[[], bool]) -> dict[str, Callable[[], None]]:
    from logstream.journal import files, journal, positions, segment, staging
    from logstream.pipeline import pool
    from logstream.storage import (
        accounts,
        backup,
        checkpoints,
        compaction,
        day_statistics,
        dead_letters,
        deletion,
        folding,
        loader,
        lost_days,
        open_days,
        partition,
        partitions,
        parts,
        removal,
        retention,
        rewriting,
        saved_queries,
    )

    staged = files._StagedOnDisk
    letters = dead_letters.DeadLetterStore
    compactor = compaction.Compactor
    days = partitions.Partitions
    small = {
        "accounts": accounts,
        "days": lost_days,
        "positions": positions,
        "retention": retention,
        "saved": saved_queries,
        "statistics": day_statistics,
    }
    return {
        **{
            f"{name}-{when}": partial(_file_kept, owner, when, due)
            for name, owner in small.items()
            for when in ("written", "renamed")
        },
        **{
            f"{name}-torn": partial(_torn_file, owner, due)
            for name, owner in small.items()
        },
        "segment-create": lambda: _after(files.DiskFiles, "create", due),
        "reserve-numbers": lambda: _after(files, "write_durably", due),
        "frame-torn": lambda: _torn_frame(due),
        "frame-written": lambda: _before(segment.Segment, "sync", due),
        "frame-synced": lambda: _after(segment.Segment, "sync", due),
        "segment-closed": lambda: _before(pool.WorkerPool, "submit", due),
        "load-begin": lambda: _before(loader.Loader, "load", due),
        "load-midway": lambda: _while(loader.Loader, "load", due),
        "load-inserted": lambda: _before(loader, "remember", due),
        "load-remembered": lambda: _after(loader, "remember", due),
        "load-between-days": lambda: _before(loader.Loader, "_move_day", due),
        "load-committed": lambda: _after(loader.Loader, "load", due),
        "retire-begin": lambda: _before(journal.Journal, "retire", due),
        "retire-saved": lambda: _after(positions.Positions, "save", due),
        "retire-deleted": lambda: _after(files.SegmentFile, "delete", due),
        "answers-torn": lambda: _torn_answers(due),
        "stage-written": lambda: _after(staging.Staging, "write", due),
        "stage-before-rename": lambda: _before(staged, "commit", due),
        "stage-after-rename": lambda: _after(staged, "commit", due),
        "checkpoint-begin": lambda: _before(checkpoints, "checkpoint", due),
        "checkpoint-midway": lambda: _while(checkpoints, "checkpoint", due),
        "checkpoint-end": lambda: _after(checkpoints, "checkpoint", due),
        "fold-begin": lambda: _before(folding, "_fold", due),
        "fold-moved": lambda: _after(folding, "_move", due),
        "fold-midway": lambda: _while(folding, "_fold", due),
        "fold-committed": lambda: _before(partition.Partition, "mark_moved", due),
        "fold-checkpoint": lambda: _while(partition.Partition, "mark_moved", due),
        "fold-end": lambda: _after(partitions, "fold", due),
        "part-close": lambda: _before(parts.Parts, "close", due),
        "part-closed": lambda: _after(parts.Parts, "close", due),
        "partition-attach": lambda: _while(open_days.OpenDays, "open", due),
        "compact-copy": lambda: _before(vars(compaction)["shutil"], "copyfile", due),
        "compact-copied": lambda: _after(compactor, "_copy", due),
        "compact-midway": lambda: _while(compactor, "_rewrite", due),
        "compact-verify": lambda: _before(rewriting, "_verify", due),
        "compact-index": lambda: _before(rewriting, "build_index", due),
        "compact-written": lambda: _after(compactor, "_rewrite", due),
        "compact-synced": lambda: _after(compaction, "_sync", due),
        "compact-rename": lambda: _before(days, "replace", due),
        "compact-renamed": lambda: _before(partitions, "sync_folder", due),
        "compact-drop": lambda: _before(partitions, "drop_files", due),
        "compact-end": lambda: _after(compactor, "compact", due),
        "remove-begin": lambda: _before(days, "remove", due),
        "remove-unlink": lambda: _before(days, "_unlink", due),
        "remove-renamed": lambda: _before(removal, "sync_folder", due),
        "remove-end": lambda: _after(days, "remove", due),
        "delete-begin": lambda: _before(deletion.Deletion, "_transact", due),
        "delete-midway": lambda: _while(deletion.Deletion, "_transact", due),
        "delete-end": lambda: _after(deletion.Deletion, "_transact", due),
        "backup-copy": lambda: _before(backup.Backup, "_copy", due),
        "backup-copied": lambda: _after(backup.Backup, "_copy", due),
        "backup-finish": lambda: _before(backup, "write_durably", due),
        "backup-finished": lambda: _after(backup, "write_durably", due),
        "dead-put-begin": lambda: _before(letters, "put", due),
        "dead-put-inserted": lambda: _after(dead_letters, "_insert", due),
        "dead-put-end": lambda: _after(letters, "put", due),
        "dead-remove": lambda: _before(letters, "remove", due),
    }


def _fail_for_good(armed: Path) -> None:
    """DuckDB's fatal error, at the next load once the file is there."""
    import duckdb

    from logstream.storage import loader

    inner: Wrapped = vars(loader)["remember"]

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if armed.exists():
            raise duckdb.FatalException("FATAL Error: the disk is on fire")
        return inner(*args, **kwargs)

    vars(loader)["remember"] = wrapped


class _KillPoints:
    def start(self) -> None:
        from logstream.pipeline import engine, keeper, upkeep
        from logstream.storage import parts, tail

        # Checkpoints all the time, whatever goes on; or none.
        limit = 10**9 if os.environ.get("FAULT_CHECKPOINTS") == "none" else 0
        for name in ("_CHECKPOINT_IDLE_S", "_CHECKPOINT_LATEST_S", "_CHECKPOINT_ROWS"):
            assert name in vars(engine), f"{name} has moved"
            setattr(engine, name, limit)
        # Upkeep, compaction and retention begin sooner: tests do not wait for a second.
        for owner, name in ((upkeep, "_EVERY_S"), (keeper, "_FIRST_S")):
            assert name in vars(owner), f"{name} has moved"
            vars(owner)[name] = 0.2
        # So few checkpoints make a tail.
        assert "_MOST_GROUPS" in vars(tail), "it has moved"
        vars(tail)["_MOST_GROUPS"] = 2
        parts.PART_ROWS = int(os.environ.get("FAULT_PART_ROWS", parts.PART_ROWS))
        point = os.environ.get("FAULT_POINT")
        if not point:
            return
        name, _, nth = point.partition(":")
        armed = Path(os.environ["FAULT_ARMED"])
        if name == "duckdb-fatal":
            _fail_for_good(armed)
            return
        trigger = _Trigger(int(nth), armed)
        _points(trigger.is_due)[name]()

    def stop(self) -> None:
        pass


@hookimpl
def logstream_lifecycle(context: BuildContext) -> _KillPoints:
    return _KillPoints()
