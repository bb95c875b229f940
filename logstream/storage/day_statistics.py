"""What is known of a day without opening it: counts, times, its sources and levels.

Counted once while nothing is written to the day, kept in one small file for all days
(`statistics.json` in the data folder), and dropped with the next write. So totals over
a year open no day that is as it was, and a day without such a level is not looked into.

The file only saves time. What it says of a day counts while the day's file is the one
it was counted in, by name, size and time of change, and has no write-ahead log.
"""

import logging
import threading
from collections.abc import Collection
from pathlib import Path

import msgspec

from logstream.core.durable import write_durably
from logstream.core.needs import AllOf, AnyOf, Need, Value
from logstream.storage.keyed import as_keys, as_texts
from logstream.storage.partition import Key, Partition, wal_of

_log = logging.getLogger(__name__)

MAX_GROUPS = 256
"""Pairs of a source and a level that are kept. A day with more is counted anew each
time: a sender's names must not decide how large the file is."""
VERSION = 1


class FileState(msgspec.Struct, frozen=True, kw_only=True):
    """Which file it was, and in which state."""

    name: str
    size: int
    modified_ns: int


class Compaction(msgspec.Struct, frozen=True, kw_only=True):
    """How a compacted day stands."""

    key: str
    """Of its skip index."""
    rows: int
    """When it was compacted."""
    late: int
    """Entries that came since."""
    gone: int
    """Entries that were deleted since."""


class DayStatistics(msgspec.Struct, frozen=True, kw_only=True):
    file: FileState | None
    """None: of a day that is being written to, which is not kept."""
    writes: int
    """That the day had since it was opened."""
    entries: int
    raw_bytes: int
    oldest_ns: int | None
    newest_ns: int | None
    groups: tuple[tuple[str, str, int], ...]
    """Source, level, entries."""
    segments: tuple[int, int] | None
    """The first and the last of the journal that the day has applied."""
    compaction: Compaction | None

    def may_have(self, segment: int) -> bool:
        """Whether entries of a segment of the journal may be in the day."""
        return self.segments is not None and (
            self.segments[0] <= segment <= self.segments[1]
        )


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    days: dict[str, DayStatistics]


class Statistics:
    """Of all days. Thread-safe.

    Args:
        path: Of the file; None: kept in memory only.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._saving = threading.Lock()
        self._valid: dict[Key, DayStatistics] = {}
        self._read: dict[Key, DayStatistics] | None = None
        """As the file had it, as far as nobody asked for it yet."""
        self._changed = False

    def of(self, key: Key, file: Path) -> DayStatistics | None:
        """None: nothing is known. The caller knows that the day has no writes that wait
        for a checkpoint.
        """
        with self._lock:
            if (found := self._valid.get(key)) is not None:
                return found if _is_same(found.file, file) else None
            if self._read is None:
                self._read = _kept_in(self._path)
            found = self._read.pop(key, None)
            if found is None or found.file is None or found.file != state_of(file):
                return None
            self._valid[key] = found
            return found

    def keep(self, partition: Partition, found: DayStatistics) -> None:
        """Know this of a day, unless it was written to since."""
        if found.file is None:
            return
        with self._lock:
            if partition.writes == found.writes and not partition.dirty_rows:
                self._valid[partition.key] = found
                self._changed = True

    def drop(self, key: Key) -> None:
        """It has changed."""
        with self._lock:
            self._valid.pop(key, None)
            if self._read:
                self._read.pop(key, None)

    def save(self, keys: Collection[Key]) -> None:
        """Write down what is known of these, if there is anything new. A failure
        is only logged: it costs time, no answer.
        """
        if self._path is None:
            return
        with self._saving:
            with self._lock:
                if not self._changed:
                    return
                self._changed = False
                known = {**(self._read or {}), **self._valid}
            found = as_texts({key: known[key] for key in known if key in keys})
            content = msgspec.json.encode(_Kept(version=VERSION, days=found))
            try:
                write_durably(self._path, content)
            except OSError as failure:
                _log.warning("Statistics of days cannot be kept: %s", failure)


def may_hold(found: DayStatistics, need: Need) -> bool:
    """Whether an entry of the day may fulfil the need, by its source and level."""
    match need:
        case Value("source", text):
            return any(source == text for source, _, _ in found.groups)
        case Value("level", text):
            return any(level == text for _, level, _ in found.groups)
        case AllOf(needs):
            return all(may_hold(found, inner) for inner in needs)
        case AnyOf(needs):
            return any(may_hold(found, inner) for inner in needs)
        case _:
            return True


def state_of(path: Path) -> FileState | None:
    """None: it is gone, or what it holds is not all in it."""
    try:
        told = path.stat()
    except OSError:
        return None
    if any(log.exists() for log in (wal_of(path), *_logs_beside(path))):
        return None
    return FileState(name=path.name, size=told.st_size, modified_ns=told.st_mtime_ns)


def _logs_beside(path: Path) -> tuple[Path, ...]:
    """What DuckDB has for a moment while it checkpoints, or after a crash then."""
    log = wal_of(path).name
    names = (f"{log}.checkpoint", f"{log}.recovery")
    return tuple(path.with_name(name) for name in names)


def _is_same(kept: FileState | None, path: Path) -> bool:
    """Cheaper than `state_of`: for a day whose writes are told."""
    try:
        told = path.stat()
    except OSError:
        return False
    return kept is not None and (kept.name, kept.size, kept.modified_ns) == (
        path.name,
        told.st_size,
        told.st_mtime_ns,
    )


def _kept_in(path: Path | None) -> dict[Key, DayStatistics]:
    if path is None:
        return {}
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
        return as_keys(kept.days) if kept.version == VERSION else {}
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        _log.warning("Statistics of days are counted anew: %s: %s", path, error)
        return {}
