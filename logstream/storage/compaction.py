"""Compaction: a day that is over is rewritten once, in order, with a skip index.

In order of source, level and the shape of the message (its digits left out), entries
that look alike stand side by side: they compress to two thirds, and a word or a value
is in few blocks. What is rewritten is a copy of the file, so that queries go on, and
loads into the day wait only while it is copied and while it is replaced. Entries that
are too large to be sorted in the memory there is stay in the order in which they came.

    copy      day.gN.copy   of the checkpointed file
    rewrite   day.gN.new    checkpointed, then compared with the copy
    index     day.gN.index
    rename    day.gN.new    to day.gN.duckdb, after an fsync: from here on it counts
    drop      the file before it

A crash before the rename leaves the old file, after it the new one: at start the
highest generation counts and what else is left is removed. If anything was written to
the day since it was copied, the rewrite is given up, and done again another time.

One thread at low priority does it, in a DuckDB of its own, with one thread.
"""

import logging
import os
import shutil
import sys
import threading
import time
from contextlib import suppress
from datetime import date
from pathlib import Path
from uuid import uuid4

import duckdb
import msgspec

from logstream.config.settings import StorageConfig
from logstream.core.errors import StorageError
from logstream.core.timestamps import now_ns
from logstream.storage import spreading
from logstream.storage.counting import count
from logstream.storage.day_statistics import DayStatistics
from logstream.storage.holding import holding
from logstream.storage.hub import Hub, first_line
from logstream.storage.index_building import build_index
from logstream.storage.partition import LATE_PLACE, Partition, day_of, wal_of
from logstream.storage.partitions import Partitions
from logstream.storage.shredding import names_allowed
from logstream.telemetry.metrics import COMPACTION_SECONDS, COMPACTIONS

_log = logging.getLogger(__name__)

_ALONE_S = 2.0
_ROOM_FACTOR = 3
"""Free space that is needed, as a multiple of the file: a copy, the new one, spill."""
_NICE = 10
_LOOK_S = 10.0
_STOP_S = 10.0
_STOP_AGAIN_S = 0.05
_REWRITE_SHARE = 10
"""A day that was compacted is compacted again when one in so many of its entries is
late or was deleted."""

_SHAPE = "regexp_replace(message[:64], '[0-9]+', '0', 'g')"
_NEW = f"""
CREATE TABLE new.entries (
    id BIGINT NOT NULL, timestamp TIMESTAMP_NS NOT NULL, source VARCHAR NOT NULL,
    level VARCHAR NOT NULL, message VARCHAR NOT NULL USING COMPRESSION zstd,
    fields VARIANT, place INTEGER NOT NULL DEFAULT {LATE_PLACE});
CREATE TABLE new.applied (
    segment BIGINT NOT NULL, entries BIGINT NOT NULL, raw_bytes BIGINT NOT NULL);
CREATE TABLE new.compacted (key VARCHAR NOT NULL, rows BIGINT NOT NULL);
"""
_ORDER = (
    *(("source", "by_source"), (_SHAPE, "by_shape"), ("level", "by_level")),
    *(("timestamp", "by_time"), ("id", "by_id")),
)
_REWRITE = f"""
INSERT INTO new.entries
SELECT *, row_number() OVER () - 1 FROM (
    SELECT id, timestamp, source, level, message, fields
    FROM old.entries LEFT JOIN spread ON id = moved
    ORDER BY {", ".join(f"coalesce({name}, {sql})" for sql, name in _ORDER)})
"""
_REWRITE_UNSORTED = """
INSERT INTO new.entries
SELECT id, timestamp, source, level, message, fields, row_number() OVER () - 1
FROM old.entries
"""
"""Of entries of 3 KB on average, a sort holds more than it may, spilled or not."""
_NAMES = """
WITH sampled AS MATERIALIZED (SELECT json_keys(CAST(fields AS JSON)) AS keys
    FROM old.entries USING SAMPLE 4096 ROWS (reservoir, 1))
SELECT (SELECT count(DISTINCT name) FROM (SELECT unnest(keys) AS name FROM sampled)),
    (SELECT avg(len(keys)) FROM sampled WHERE len(keys) > 0)
"""
_CHECKSUM = """
SELECT count(*), bit_xor(h), sum(h % 4294967296) FROM (SELECT hash(id, timestamp,
    source, level, message, CAST(CAST(fields AS JSON) AS VARCHAR)) AS h
    FROM {name}.entries)
"""
_APPLIED = "SELECT segment, entries, raw_bytes FROM {name}.applied ORDER BY ALL"


class Compacted(msgspec.Struct, frozen=True, kw_only=True):
    day: date
    entries: int
    bytes_before: int
    bytes_after: int
    """With the index."""
    seconds: float


class _GivenUp(Exception):
    """Not now: something was written meanwhile, or there is no room."""


class _Check(msgspec.Struct, frozen=True):
    """What a look at a day found, so that it need not be looked at every second."""

    modified_ns: int
    due: bool


class Compactor:
    """`compact_due` belongs to one thread; `stop` may be called from any.

    Args:
        tmp: Where a sort spills to.
    """

    def __init__(
        self,
        hub: Hub,
        partitions: Partitions,
        config: StorageConfig,
        *,
        tmp: Path | None,
    ) -> None:
        self._hub = hub
        self._partitions = partitions
        self._config = config
        self._tmp = tmp
        self._one_at_a_time = threading.Lock()
        self._stopped = threading.Event()
        self._running: duckdb.DuckDBPyConnection | None = None
        self._checked: dict[date, _Check] = {}

    def compact_due(self) -> Compacted | None:
        """Compact the newest day that is due, if one is."""
        if not self._config.compact_after_s:
            return None
        for day in self._partitions.days(to_ns=None):
            if self._stopped.is_set():
                return None
            if self._is_due(day) and (done := self.compact(day)) is not None:
                return done
        self._partitions.save_statistics()
        return None

    def compact(self, day: date) -> Compacted | None:
        """Compact a day now; None: given up, the day is as it was.

        Raises:
            StorageError: its file cannot be read, or the new one not be written.
        """
        with self._one_at_a_time, holding():
            started = time.monotonic()
            partition = self._partitions.attach(day)
            if partition.path is None or self._stopped.is_set():
                return None
            work = _Work(partition, partition.path)
            before = partition.stored_bytes()
            try:
                entries = self._compact(partition, work)
            except _GivenUp as reason:
                _log.info("The day %s is not compacted now: %s", day, reason)
                COMPACTIONS.labels("given_up").inc()
                return None
            except (duckdb.Error, OSError) as error:
                COMPACTIONS.labels("failed").inc()
                text = f"The day {day} was not compacted: {first_line(error)}"
                raise StorageError(text) from error
            finally:
                work.clean_up()
            seconds = time.monotonic() - started
            after = self._partitions.attach(day).stored_bytes()
            self._look_at(day)
            self._partitions.save_statistics()
            COMPACTIONS.labels("done").inc()
            COMPACTION_SECONDS.inc(seconds)
            return Compacted(
                day=day,
                entries=entries,
                bytes_before=before,
                bytes_after=after,
                seconds=seconds,
            )

    def stop(self) -> None:
        """Give up what runs; nothing is compacted any more."""
        self._stopped.set()
        deadline = time.monotonic() + _STOP_S
        # Time and again: an interrupt between two statements is forgotten.
        while not self._one_at_a_time.acquire(timeout=_STOP_AGAIN_S):
            if time.monotonic() > deadline:
                return
            running = self._running
            if running is not None:
                with suppress(duckdb.Error):
                    running.interrupt()
        self._one_at_a_time.release()

    def _compact(self, partition: Partition, work: "_Work") -> int:
        self._check_room(work)
        writes = self._copy(partition, work)
        _lower_priority()
        try:
            entries = self._rewrite(work)
        except duckdb.InterruptException:
            raise _GivenUp("LogStream stops") from None
        self._check_stopped()
        _sync(work.new)
        _sync(work.new_index)
        with partition.writers.alone(_ALONE_S) as alone:
            if not alone or partition.writes != writes or partition.dirty_rows:
                raise _GivenUp("entries came, or went, meanwhile")
            work.new_index.rename(work.index)
            self._partitions.replace(partition, work.new, work.path)
        return entries

    def _copy(self, partition: Partition, work: "_Work") -> int:
        """A copy of the file, as of a moment; returns `writes` at that moment."""
        with partition.writers.alone(_ALONE_S) as alone:
            if not alone or not self._partitions.checkpoint_now(partition):
                raise _GivenUp("it is being written to")
            partition.mark_clean(partition.dirty_rows)
            if wal_of(work.old).exists():
                raise _GivenUp("its write-ahead log is not empty")
            shutil.copyfile(work.old, work.copy)
            return partition.writes

    def _rewrite(self, work: "_Work") -> int:
        key = uuid4().hex
        db = self._connect(work)
        self._running = db
        try:
            db.execute(f"ATTACH '{_quoted(work.copy)}' AS old (READ_ONLY)")
            db.execute(
                f"ATTACH '{_quoted(work.new)}' AS new (STORAGE_VERSION 'latest', "
                f"ROW_GROUP_SIZE {spreading.ROW_GROUP_ROWS})"
            )
            db.execute(_NEW)
            if _is_wide(db):
                db.execute("SET variant_minimum_shredding_size = -1")
                spreading.no_others(db, _ORDER)
                known = spreading.Known(columns=False)
            else:
                known = spreading.choose(db, _ORDER)
            db.execute("INSERT INTO new.applied SELECT * FROM old.applied")
            try:
                db.execute(_REWRITE)
            except duckdb.OutOfMemoryException:
                _log.info("The entries of %s are too large to be sorted.", work.day)
                db.execute(_REWRITE_UNSORTED)
                known = msgspec.structs.replace(known, columns=False)
            text = "INSERT INTO new.compacted SELECT ?, count(*) FROM new.entries"
            db.execute(text, (key,))
            db.execute("CHECKPOINT new")
            self._check_stopped()
            entries = _verify(db)
            build_index(
                db,
                "new.entries",
                work.new_index,
                key=key,
                rows=entries,
                columns=known.columns,
                unfounded=known.unfounded,
                check=self._check_stopped,
            )
            db.execute("DETACH new")
        finally:
            self._running = None
            db.close()
        return entries

    def _connect(self, work: "_Work") -> duckdb.DuckDBPyConnection:
        options: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{self._config.memory_bytes // 2}B",
            "threads": 1,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "checkpoint_threshold": "16GB",
            "temp_directory": str(self._tmp or work.copy.parent),
        }
        return duckdb.connect(":memory:", config=options)

    def _check_stopped(self) -> None:
        if self._stopped.is_set():
            raise _GivenUp("LogStream stops")

    def _check_room(self, work: "_Work") -> None:
        free = shutil.disk_usage(work.old.parent).free
        needed = work.old.stat().st_size * _ROOM_FACTOR + self._config.min_free_bytes
        if free < needed:
            raise _GivenUp("there is not enough free disk space")

    def _is_due(self, day: date) -> bool:
        """Over, quiet for long enough, and not compacted, or much changed since."""
        path = self._partitions.path_of(day)
        if path is None or day >= day_of(now_ns()):
            return False
        try:
            modified_ns = path.stat().st_mtime_ns
            if wal_of(path).exists():
                modified_ns = max(modified_ns, wal_of(path).stat().st_mtime_ns)
        except OSError:
            return False
        if now_ns() - modified_ns < self._config.compact_after_s * 1e9:
            return False
        known = self._checked.get(day)
        if known is None or known.modified_ns != modified_ns:
            known = _Check(modified_ns, self._is_disorderly(day))
            self._checked[day] = known
        return known.due

    def _is_disorderly(self, day: date) -> bool:
        known = self._partitions.known(day) or self._look_at(day)
        if known is None:
            return False
        if (order := known.compaction) is None:
            return True
        return (order.late + order.gone) * _REWRITE_SHARE > order.rows

    def _look_at(self, day: date) -> DayStatistics | None:
        """Count what is in the day, so that it need not be opened for that later."""
        try:
            with self._hub.reading(_LOOK_S) as cursor:
                for partition in self._partitions.readable([day]):
                    return self._partitions.know(partition, count(cursor, partition))
        except StorageError as error:
            _log.warning("The day %s was not counted: %s", day, error)
        return None


class _Work:
    """The files of one compaction."""

    def __init__(self, partition: Partition, old: Path) -> None:
        generation = partition.generation + 1
        stem = f"{partition.day.isoformat()}.g{generation}"
        self.day = partition.day
        self.old = old
        self.copy = old.with_name(f"{stem}.copy")
        self.new = old.with_name(f"{stem}.new")
        self.new_index = old.with_name(f"{stem}.index.new")
        self.index = old.with_name(f"{stem}.index")
        self.path = old.with_name(f"{stem}.duckdb")
        self.clean_up()

    def clean_up(self) -> None:
        for path in (self.copy, self.new, self.new_index):
            wal_of(path).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
        if not self.path.exists():
            self.index.unlink(missing_ok=True)


def _is_wide(db: duckdb.DuckDBPyConnection) -> bool:
    """Too many names of fields to make a column of each; see `shredding`."""
    names, per_entry = db.execute(_NAMES).fetchall()[0]
    return bool(names > names_allowed(per_entry or 0))


def _verify(db: duckdb.DuckDBPyConnection) -> int:
    """The new file holds what the old one holds; returns how many entries."""
    old, new = (
        db.execute(_CHECKSUM.format(name=name)).fetchall() for name in ("old", "new")
    )
    applied = [
        db.execute(_APPLIED.format(name=name)).fetchall() for name in ("old", "new")
    ]
    if old != new or applied[0] != applied[1]:
        raise StorageError("A compacted day differs from what it was made of.")
    return int(new[0][0])


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _lower_priority() -> None:
    """Of this thread: Linux has it per thread. DuckDB with one thread runs on it."""
    if sys.platform == "linux" and threading.current_thread().name == THREAD:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


THREAD = "compaction"
"""The name of the thread whose priority is lowered."""
