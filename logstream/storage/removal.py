"""Removal: the file of a whole day goes, at one moment, whatever crashes."""

import logging
from pathlib import Path

import msgspec

from logstream.core.durable import sync_folder
from logstream.core.errors import StorageError
from logstream.storage.hub import Hub
from logstream.storage.partition import (
    SUFFIX,
    Key,
    Partition,
    index_of,
    key_of_name,
    wal_of,
)

_log = logging.getLogger(__name__)

REMOVED = ".removed"


class Content(msgspec.Struct, frozen=True):
    """Of a day."""

    rows: int
    segments: set[int]
    """Of the journal, that it has applied."""


def what_goes(hub: Hub, partition: Partition, *, timeout_s: float) -> Content | None:
    """None: it cannot be read just now."""
    try:
        with hub.reading(timeout_s) as cursor:
            text = f"SELECT segment FROM {partition.name}.applied"
            segments = {row[0] for row in cursor.execute(text).fetchall()}
            text = f"SELECT count(*) FROM {partition.name}.entries"
            rows = cursor.execute(text).fetchall()[0][0]
    except StorageError as error:
        _log.warning("A partition is not removed: %s", error)
        return None
    return Content(rows, segments)


def rename_away(path: Path) -> Path:
    """From here on the day is gone; what its file is called now.

    Raises:
        OSError: it is not.
    """
    removed = path.with_name(path.name + REMOVED)
    path.rename(removed)
    return removed


def unlink_all(path: Path, removed: Path) -> None:
    """What is left of a day that was renamed and detached."""
    sync_folder(path.parent)
    wal_of(path).unlink(missing_ok=True)
    index_of(path).unlink(missing_ok=True)
    removed.unlink(missing_ok=True)


def finish_removals(folder: Path) -> set[Key]:
    """Those whose removal a crash cut short."""
    keys = set()
    for removed in folder.glob(f"*{SUFFIX}{REMOVED}"):
        path = removed.with_name(removed.name.removesuffix(REMOVED))
        if not path.exists():
            wal_of(path).unlink(missing_ok=True)
        removed.unlink(missing_ok=True)
        if (key := key_of_name(path)) is not None:
            keys.add(key)
    return keys
