"""Which file of a day counts, and what a crash left beside it.

A compacted day is `2026-11-20.g1.duckdb`, then `.g2` and so on: DuckDB does not open a
path again while a query still reads the file that was there. The highest number counts,
since it gets its name when it is complete and checked.
"""

import logging
import os
import re
from contextlib import suppress
from pathlib import Path

from logstream.storage.partition import (
    INDEX,
    SUFFIX,
    WAL,
    Key,
    generation_of,
    index_of,
    key_of_name,
    wal_of,
)

_log = logging.getLogger(__name__)

UNFINISHED = re.compile(
    r"\d{4}-\d\d-\d\d(?:\.p\d+)?\.g\d+\.(?:copy|new|index\.new)(?:\.wal)?", re.ASCII
)


def files_in(folder: Path) -> dict[Key, Path]:
    """The file of each partition. Removes what a crash during a compaction left."""
    found: dict[Key, Path] = {}
    for path in sorted(folder.glob(f"*{SUFFIX}"), key=generation_of):
        key = key_of_name(path)
        if key is None:
            _log.warning("Not a partition, left alone: %s", path)
            continue
        if (older := found.get(key)) is not None:
            _log.info("Compacted before a crash, removed: %s", older)
            drop_files(older)
        found[key] = path
    for path in folder.iterdir():
        if UNFINISHED.fullmatch(path.name):
            path.unlink(missing_ok=True)
    for path in folder.glob(f"*.g*{INDEX}"):
        if not path.with_name(path.name.removesuffix(INDEX) + SUFFIX).exists():
            path.unlink(missing_ok=True)
    return found


def drop_files(path: Path) -> None:
    """A day's file that was replaced, and what belongs to it."""
    path.unlink(missing_ok=True)
    wal_of(path).unlink(missing_ok=True)
    index_of(path).unlink(missing_ok=True)


def stored_bytes_in(folder: Path) -> int:
    """Of all days. Cheap enough for every second: one look into the folder."""
    total = 0
    with os.scandir(folder) as found:
        for file in found:
            if file.name.endswith((SUFFIX, SUFFIX + WAL, INDEX)):
                with suppress(FileNotFoundError):  # a checkpoint took it away
                    total += file.stat().st_size
    return total
