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
import threading
import time
from contextlib import suppress
from pathlib import Path

import duckdb
import msgspec

from logstream.config.settings import StorageConfig
from logstream.core.errors import StorageError
from logstream.core.priority import lower_priority
from logstream.core.timestamps import now_ns
from logstream.storage import rewriting
from logstream.storage.compaction_files import CompactionFiles
from logstream.storage.counting import count
from logstream.storage.day_statistics import DayStatistics
from logstream.storage.holding import holding
from logstream.storage.hub import Hub, first_line
from logstream.storage.partition import Key, Partition, day_of, index_of, wal_of
from logstream.storage.partitions import Partitions
from logstream.storage.skip_index import has_index
from logstream.telemetry.metrics import COMPACTION_SECONDS, COMPACTIONS

_log = logging.getLogger(__name__)

_ALONE_S = 2.0
_ROOM_FACTOR = 3
"""Free space that is needed, as a multiple of the file: a copy, the new one, spill."""
_LOOK_S = 10.0
_STOP_S = 10.0
_STOP_AGAIN_S = 0.05
_CLOSED_S = 5.0
"""Behind the last write to a part that takes no more entries."""
_REWRITE_SHARE = 10
"""A day that was compacted is compacted again when one in so many of its entries is
late or was deleted."""


class Compacted(msgspec.Struct, frozen=True, kw_only=True):
    key: Key
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
        self._checked: dict[Key, _Check] = {}

    def compact_due(self, *, calm: bool = True) -> Compacted | None:
        """Compact the newest partition that is due, if one is.

        Args:
            calm: There is time for parts of days into which entries come just now.
        """
        if not self._config.compact_after_s:
            return None
        for key in self._partitions.within():
            if self._stopped.is_set():
                return None
            if self._is_due(key, calm=calm) and (done := self.compact(key)) is not None:
                return done
        self._partitions.save_statistics()
        return None

    def compact(self, key: Key) -> Compacted | None:
        """Compact it now; None: given up, it is as it was.

        Raises:
            StorageError: its file cannot be read, or the new one not be written.
        """
        with self._one_at_a_time, holding():
            started = time.monotonic()
            partition = self._partitions.attach(key)
            if partition.path is None or self._stopped.is_set():
                return None
            files = CompactionFiles(partition, partition.path)
            before = partition.stored_bytes()
            try:
                entries = self._compact(partition, files)
            except _GivenUp as reason:
                _log.info("%s is not compacted now: %s", key, reason)
                COMPACTIONS.labels("given_up").inc()
                return None
            except (duckdb.Error, OSError) as error:
                COMPACTIONS.labels("failed").inc()
                text = f"The partition {key} was not compacted: {first_line(error)}"
                raise StorageError(text) from error
            finally:
                files.clean_up()
            seconds = time.monotonic() - started
            after = self._partitions.attach(key).stored_bytes()
            self._look_at(key)
            self._partitions.save_statistics()
            COMPACTIONS.labels("done").inc()
            COMPACTION_SECONDS.inc(seconds)
            return Compacted(
                key=key,
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

    def _compact(self, partition: Partition, files: CompactionFiles) -> int:
        self._check_room(files)
        writes = self._copy(partition, files)
        if threading.current_thread().name == THREAD:
            lower_priority()  # DuckDB with one thread runs on it
        try:
            entries = self._rewrite(files)
        except duckdb.InterruptException:
            raise _GivenUp("LogStream stops") from None
        self._check_stopped()
        _sync(files.new)
        _sync(files.new_index)
        with partition.writers.alone(_ALONE_S) as alone:
            if not alone or partition.writes != writes or partition.dirty_rows:
                raise _GivenUp("entries came, or went, meanwhile")
            files.new_index.rename(files.index)
            self._partitions.replace(partition, files.new, files.path)
        return entries

    def _copy(self, partition: Partition, files: CompactionFiles) -> int:
        """A copy of the file, as of a moment; returns `writes` at that moment."""
        with partition.writers.alone(_ALONE_S) as alone:
            if not alone or not self._partitions.checkpoint_now(partition):
                raise _GivenUp("it is being written to")
            partition.mark_clean(partition.dirty_rows)
            if wal_of(files.old).exists():
                raise _GivenUp("its write-ahead log is not empty")
            shutil.copyfile(files.old, files.copy)
            return partition.writes

    def _rewrite(self, files: CompactionFiles) -> int:
        memory_bytes = self._config.memory_bytes // 2
        with rewriting.connect(memory_bytes, self._tmp or files.copy.parent) as db:
            self._running = db
            try:
                return rewriting.rewrite(db, files, self._check_stopped)
            finally:
                self._running = None

    def _check_stopped(self) -> None:
        if self._stopped.is_set():
            raise _GivenUp("LogStream stops")

    def _check_room(self, files: CompactionFiles) -> None:
        free = shutil.disk_usage(files.old.parent).free
        needed = files.old.stat().st_size * _ROOM_FACTOR + self._config.min_free_bytes
        if free < needed:
            raise _GivenUp("there is not enough free disk space")

    def _is_due(self, key: Key, *, calm: bool) -> bool:
        """Over, quiet for long enough, and not compacted as it would be now."""
        path = self._partitions.path_of(key)
        is_closed = not self._partitions.takes_more(key)
        if path is None or (key.day >= day_of(now_ns()) and not is_closed):
            return False
        wait_s = self._config.compact_after_s
        if is_closed and calm:
            wait_s = min(wait_s, _CLOSED_S)
        try:
            modified_ns = path.stat().st_mtime_ns
            if wal_of(path).exists():
                modified_ns = max(modified_ns, wal_of(path).stat().st_mtime_ns)
        except OSError:
            return False
        if now_ns() - modified_ns < wait_s * 1e9:
            return False
        known = self._checked.get(key)
        if known is None or known.modified_ns != modified_ns:
            known = _Check(modified_ns, self._is_disorderly(key, path))
            self._checked[key] = known
        return known.due

    def _is_disorderly(self, key: Key, path: Path) -> bool:
        known = self._partitions.known(key) or self._look_at(key)
        if known is None:
            return False
        if (order := known.compaction) is None:
            return True
        if not has_index(index_of(path), key=order.key):
            return True  # it is of an earlier version, or was lost
        return (order.late + order.gone) * _REWRITE_SHARE > order.rows

    def _look_at(self, key: Key) -> DayStatistics | None:
        """Count what is in the day, so that it need not be opened for that later."""
        try:
            with self._hub.reading(_LOOK_S) as cursor:
                for partition in self._partitions.readable([key]):
                    return self._partitions.know(partition, count(cursor, partition))
        except StorageError as error:
            _log.warning("%s was not counted: %s", key, error)
        return None


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


THREAD = "compaction"
"""The name of the thread whose priority is lowered."""
