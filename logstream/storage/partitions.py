"""Partitions: one DuckDB file per UTC day of the entries' own timestamps.

A day has a table `entries`, and a table `applied` of the journal segments that are in
it, written in the same transaction as their rows. That is how a replay after a crash
neither loses nor doubles an entry.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import msgspec

from logstream.core.errors import StorageError
from logstream.storage.hub import Hub, first_line
from logstream.telemetry.metrics import PARTITIONS, PARTITIONS_BROKEN

_log = logging.getLogger(__name__)

SUFFIX = ".duckdb"
ROW_GROUP_ROWS = 61_440
"""Half of DuckDB's default: a full segment makes two or three, which are compressed and
shredded as they are loaded (68 MB and 360 MB of memory per million entries, instead of
117 MB until a checkpoint and 660 MB)."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS {name}.entries (
    id BIGINT NOT NULL, timestamp TIMESTAMP_NS NOT NULL, source VARCHAR NOT NULL,
    level VARCHAR NOT NULL, message VARCHAR NOT NULL, fields VARIANT);
CREATE TABLE IF NOT EXISTS {name}.applied (
    segment BIGINT NOT NULL, entries BIGINT NOT NULL, raw_bytes BIGINT NOT NULL);
"""


class PartitionState(msgspec.Struct, frozen=True, kw_only=True):
    """What `partitions()` says of a day."""

    day: date
    stored_bytes: int
    broken: str = ""
    """Why it does not open; empty when it does."""


class Partition:
    """One attached day. `name` is its catalog name in the hub."""

    def __init__(self, day: date, path: Path | None) -> None:
        self.day = day
        self.path = path
        self.name = day.strftime("d%Y%m%d")
        self.dirty_rows = 0
        """Rows loaded since the last checkpoint; fields of those are slow to read."""
        self.dirty_since = 0.0

    def mark_dirty(self, rows: int) -> None:
        if self.dirty_rows == 0:
            self.dirty_since = time.monotonic()
        self.dirty_rows += rows

    def stored_bytes(self) -> int:
        if self.path is None:
            return 0
        wal = self.path.with_name(self.path.name + ".wal")
        return sum(p.stat().st_size for p in (self.path, wal) if p.exists())


class Partitions:
    """The days of the store, attached to the hub when first used. Thread-safe.

    Args:
        folder: None keeps every day in memory.
    """

    def __init__(self, hub: Hub, folder: Path | None) -> None:
        self._hub = hub
        self._folder = folder
        self._lock = threading.Lock()
        self._attached: dict[date, Partition] = {}
        self._broken: dict[date, str] = {}
        self._days: set[date] = set(_days_in(folder)) if folder else set()
        PARTITIONS.set(len(self._days))
        PARTITIONS_BROKEN.set(0)

    def days(self, from_ns: int | None = None, to_ns: int | None = None) -> list[date]:
        """Days that may hold instants in [from_ns, to_ns), the newest first."""
        first = day_of(from_ns) if from_ns is not None else date.min
        last = day_of(max(to_ns - 1, 0)) if to_ns is not None else date.max
        with self._lock:
            return sorted((d for d in self._days if first <= d <= last), reverse=True)

    def readable(self, days: Iterable[date]) -> list[Partition]:
        """These days, attached; one that does not open is reported and left out."""
        found: list[Partition] = []
        for day in days:
            try:
                found.append(self.attach(day))
            except StorageError as error:
                _log.warning("A partition is left out: %s", error)
        return found

    def attach(self, day: date) -> Partition:
        """The partition of a day, made if it is missing.

        Raises:
            StorageError: it does not open.
        """
        with self._lock:
            if (partition := self._attached.get(day)) is not None:
                return partition
            partition = self._open(day)
            self._attached[day] = partition
            self._days.add(day)
            PARTITIONS.set(len(self._days))
            return partition

    def attached(self) -> list[Partition]:
        with self._lock:
            return list(self._attached.values())

    def states(self) -> list[PartitionState]:
        """Every day, the newest first."""
        with self._lock:
            days = sorted(self._days, reverse=True)
            broken = dict(self._broken)
        return [
            PartitionState(
                day=day,
                stored_bytes=Partition(day, self._path_of(day)).stored_bytes(),
                broken=broken.get(day, ""),
            )
            for day in days
        ]

    def stored_bytes(self) -> int:
        return sum(state.stored_bytes for state in self.states())

    def highest_segment(self) -> int:
        """The highest journal segment that any day remembers. Opens every day."""
        highest = 0
        for partition in self.readable(self.days()):
            with self._hub.reading(60) as cursor:
                text = f"SELECT max(segment) FROM {partition.name}.applied"
                row = cursor.execute(text).fetchone()
            highest = max(highest, (row[0] if row else None) or 0)
        return highest

    def checkpoint(self, when: Callable[[Partition], bool]) -> int:
        """Checkpoint the dirty partitions that `when` picks; how many there were."""
        done = 0
        for partition in self.attached():
            rows = partition.dirty_rows
            if rows and when(partition) and self._checkpoint(partition):
                partition.dirty_rows -= rows
                partition.dirty_since = time.monotonic()
                done += 1
        return done

    def _checkpoint(self, partition: Partition) -> bool:
        cursor = self._hub.cursor()
        try:
            cursor.execute(f"CHECKPOINT {partition.name}")
        except duckdb.TransactionException:
            return False  # a load is under way: the next quiet moment will do
        except duckdb.Error as error:
            _log.warning("A checkpoint failed: %s", first_line(error))
            return False
        finally:
            cursor.close()
        return True

    def _open(self, day: date) -> Partition:
        path = self._path_of(day)
        partition = Partition(day, path)
        where = str(path) if path else ":memory:"
        cursor = self._hub.cursor()
        try:
            # ATTACH takes no parameters; a path of ours may hold a quote all the same.
            quoted = where.replace("'", "''")
            cursor.execute(
                f"ATTACH '{quoted}' AS {partition.name} "
                f"(STORAGE_VERSION 'latest', ROW_GROUP_SIZE {ROW_GROUP_ROWS})"
            )
            cursor.execute(_SCHEMA.format(name=partition.name))
        except duckdb.Error as error:
            self._broken[day] = first_line(error)
            PARTITIONS_BROKEN.set(len(self._broken))
            raise StorageError(
                f"The partition {where} does not open: {first_line(error)}"
            ) from None
        finally:
            cursor.close()
        self._broken.pop(day, None)
        PARTITIONS_BROKEN.set(len(self._broken))
        return partition

    def _path_of(self, day: date) -> Path | None:
        return self._folder / f"{day.isoformat()}{SUFFIX}" if self._folder else None


def day_of(ns: int) -> date:
    return datetime.fromtimestamp(ns // 1_000_000_000, tz=UTC).date()


def start_ns(day: date) -> int:
    """The instant at which a day begins."""
    return (day.toordinal() - date(1970, 1, 1).toordinal()) * 86_400_000_000_000


def _days_in(folder: Path) -> list[date]:
    days = []
    for path in folder.glob(f"*{SUFFIX}"):
        try:
            days.append(date.fromisoformat(path.stem))
        except ValueError:
            _log.warning("Not a partition, left alone: %s", path)
    return days
