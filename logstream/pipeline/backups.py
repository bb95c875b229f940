"""Backups of a running store: as if its disk had been copied in one moment.

First every day is copied, one after the other, while all goes on. Then no segment is
loaded or retired, and nothing deleted, while what has changed since is copied, with the
journal, the positions and the dead letters. What was acked and is not in a partition
yet is in the journal, so a restored folder starts as after a crash: nothing is lost,
nothing doubled, and every position is that of its entries.
"""

from collections.abc import Iterator
from pathlib import Path

from logstream.core.errors import BadRequest, NotReady
from logstream.pipeline.keeper import Pause
from logstream.storage.backup import Backup, BackupDone
from logstream.storage.dead_letters import DeadLetterStore
from logstream.storage.partitions import Partitions
from logstream.storage.turns import Turns

_STILL_S = 60.0


def make_backup(
    folder: Path,
    pause: Pause,
    *,
    data: Path,
    partitions: Partitions,
    dead_letters: DeadLetterStore,
    loading: Turns,
) -> BackupDone:
    """Copy the data folder into another one.

    Args:
        loading: Shared by what loads and retires segments.

    Raises:
        BadRequest, NotReady, StorageError, DiskFull: see `Keeper.backup`.
    """
    target = folder.resolve()
    if target.is_relative_to(data.resolve()):
        raise BadRequest(f"{folder} lies in the data folder: name another one.")
    backup = Backup(target)
    backup.add_partitions(partitions)
    with pause(), loading.alone(_STILL_S) as alone:
        if not alone:
            raise NotReady("The workers are busy with large batches: try again.")
        backup.add_partitions(partitions)
        with dead_letters.standing_still():
            backup.add_files(data, _others_in(data))
        return backup.finish()


def _others_in(data: Path) -> Iterator[Path]:
    """All but partitions. `next` comes last: its number is above those before it."""
    yield from sorted(data.glob("*.json"))
    yield from sorted(data.glob("idempotency.ndjson"))
    yield from sorted(data.glob("dead-letters.duckdb*"))
    journal = data / "journal"
    yield from sorted(journal.glob("*.ndjson"))
    yield from sorted(journal.glob("batch-*/*.ndjson"))
    yield journal / "next"


def folder_in(root: str | None, asked: str | None) -> Path:
    """The folder that a caller from outside may have a backup written to.

    Raises:
        BadRequest: the config names none, or this is not in it.
    """
    if root is None:
        raise BadRequest(
            "The server may not write backups: set storage.backup_folder to the "
            "folder for them, or make them while it does not run."
        )
    allowed = Path(root).resolve()
    try:
        folder = (allowed / (asked or "")).resolve()
    except (OSError, ValueError):
        raise BadRequest("'to' is no folder.") from None
    if not folder.is_relative_to(allowed):
        raise BadRequest(f"'to' does not lie in {allowed} (storage.backup_folder).")
    return folder
