"""Open days: which are attached, and when one is let go of.

Each is an open file and half a megabyte of memory, and what DuckDB keeps of it. One is
let go of when too many are open, the one that was used longest ago first; when it was
not used for a minute; when much was loaded into it; and when a checkpoint of it failed.
The next use attaches it anew. See `holding`.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import duckdb

from logstream.storage import checkpoints
from logstream.storage.attaching import attach_when_free, detach
from logstream.storage.day_statistics import FileState, Statistics, state_of
from logstream.storage.holding import hold
from logstream.storage.hub import Hub, invalid_database
from logstream.storage.known_days import KnownDays
from logstream.storage.partition import Key, Partition, wal_of
from logstream.storage.shredding import Names
from logstream.storage.tail import Tail
from logstream.telemetry.metrics import PARTITIONS_OPEN

_log = logging.getLogger(__name__)

ALONE_TIMEOUT_S = 2.0
_UNUSED_S = 60.0
_RENEW_ROWS = 2_000_000
"""After so many, what DuckDB holds of a day is dropped. It keeps all that it writes,
60 MB a million, up to its limit, and lists of that, 6 MB a million, unlimited. That
comes with a checkpoint of its own: the others are the rarer the longer they take, and
they take 40 ms a million entries of the day."""


class OpenDays:
    """Thread-safe are the methods that say so; callers of the others have the lock.

    Args:
        lock: Of the owner.
        max_open: Days, unless more are in use at the same moment; None: any number.
    """

    def __init__(
        self,
        hub: Hub,
        known: KnownDays,
        statistics: Statistics,
        *,
        lock: threading.Lock,
        max_open: int | None,
    ) -> None:
        self._hub = hub
        self._known = known
        self._statistics = statistics
        self._lock = lock
        self._max_open = max_open
        self._attached: OrderedDict[Key, Partition] = OrderedDict()
        """The one that was used last comes last."""
        self._names: dict[Key, Names] = {}
        """Of days that were let go of, and were not compacted so far."""
        self._tails: dict[Key, Tail] = {}
        """Of days that were let go of."""
        self._renewed: dict[Key, tuple[FileState, Partition]] = {}
        """What is known of days that were renewed holds while their files are so."""
        PARTITIONS_OPEN.set(0)

    def get(self, key: Key) -> Partition | None:
        """Without a use of it."""
        return self._attached.get(key)

    def use(self, key: Key) -> Partition | None:
        if (partition := self._attached.get(key)) is not None:
            self._attached.move_to_end(key)
            hold(partition)
        return partition

    def has(self, partition: Partition) -> bool:
        return self._attached.get(partition.key) is partition

    def open(self, key: Key) -> Partition:
        """Attach it, and no more: see `add`.

        Raises:
            duckdb.Error: it does not open.
        """
        path = self._known.path_of(key)
        partition = Partition(key, path)
        partition.names = self._names.pop(key, partition.names)
        partition.tail = self._tails.pop(key, partition.tail)
        state, before = self._renewed.pop(key, (None, partition))
        if path is not None and state == state_of(path):
            partition.counted, partition.deletions = before.counted, before.deletions
        partition.on_write = partial(self._statistics.drop, key)
        known = None if path is None else self._statistics.of(key, path)
        if known is not None and (order := known.compaction) is not None:
            partition.compacted = order.key, order.rows, order.late
        if path is not None and wal_of(path).exists():
            partition.compacted = None
            partition.mark_dirty(1)  # left by a crash: rows that are not checkpointed
            partition.names.wide = True  # they may be of any kind
        attach_when_free(self._hub, partition, has_tables=known is not None)
        return partition

    def add(self, partition: Partition) -> None:
        """It was opened, and is used."""
        self._attached[partition.key] = partition
        hold(partition)
        self.close_unused(besides=partition)
        PARTITIONS_OPEN.set(len(self._attached))

    def replace(self, partition: Partition, fresh: Partition) -> None:
        """Another file of the day was opened in its place."""
        self._attached[partition.key] = fresh
        partition.writers.end()
        detach(self._hub, partition)

    def close(self, partition: Partition) -> None:
        """For the one that has it alone."""
        detach(self._hub, partition)
        self.forget(partition)

    def forget(self, partition: Partition) -> None:
        """It was detached."""
        partition.writers.end()
        del self._attached[partition.key]
        PARTITIONS_OPEN.set(len(self._attached))

    def close_unused(self, besides: Partition | None = None) -> None:
        """Those that were not used lately, and others until there are no more than
        there may be, or all are in use.
        """
        if self._max_open is None:
            return
        over = len(self._attached) - self._max_open
        for partition in list(self._attached.values()):
            if over <= 0 and partition.unused_s < _UNUSED_S:
                continue
            if partition is besides or not partition.is_idle:
                continue
            with partition.writers.alone(0) as alone:
                if alone:
                    self._let_go(partition)
                    over -= 1

    def all(self) -> list[Partition]:
        """Thread-safe."""
        with self._lock:
            return list(self._attached.values())

    @contextmanager
    def alone(self, partition: Partition, timeout_s: float) -> Iterator[bool]:
        """Have it alone, and the lock. Yields False if that took too long, or it is not
        open any more. Thread-safe.
        """
        with partition.writers.alone(timeout_s) as alone, self._lock:
            yield alone and self.has(partition)

    def renew(self, partition: Partition) -> bool:
        """Checkpoint a day and let go of it, if much was loaded into it and nobody
        reads it: DuckDB drops what it holds of its file. Thread-safe.

        Returns:
            Whether it was checkpointed.
        """
        if partition.loaded_rows < _RENEW_ROWS or partition.path is None:
            return False
        if partition.is_held or not checkpoints.has_room(partition):
            return False  # loads would wait, and for nothing
        with partition.writers.alone(checkpoints.WAIT_S) as alone:
            if not alone or not checkpoints.checkpoint_now(self._hub, partition):
                return False
            partition.mark_clean(partition.dirty_rows)
            with self._lock:
                if self.has(partition) and partition.is_idle:
                    self._let_go(partition)
                    if (state := state_of(partition.path)) is not None:
                        self._renewed[partition.key] = (state, partition)
            return True

    def _let_go(self, partition: Partition) -> None:
        """Of one that is sound."""
        if not partition.generation:
            self._names[partition.key] = partition.names
        if partition.tail.rows:
            self._tails[partition.key] = partition.tail
        self.close(partition)

    def mends(self, error: duckdb.Error) -> bool:
        """Whether a query that failed with this may work when it is tried again: a
        checkpoint that failed has made a day useless, until it is attached anew.
        Thread-safe.
        """
        name = invalid_database(error)
        if name is None or not self.note_invalid(name):
            return False
        self.reopen_invalid()
        return True

    def follow(self, partition: Partition, key: Key) -> None:
        """Another part of the day comes behind this one."""
        self._names[key] = partition.names.of_next_part()

    def note_invalid(self, name: str) -> bool:
        """Have a day opened anew; False: it is none, or in memory only. Thread-safe."""
        for partition in self.all():
            if partition.name == name and partition.path is not None:
                partition.invalid = True
                return True
        return False

    def reopen_invalid(self) -> None:
        """Let go of days that a failed checkpoint made useless; the next use attaches
        them anew, with all that was committed. Until then loads wait, and they and
        queries are tried again. Thread-safe.
        """
        for partition in self.all():
            if not partition.invalid:
                continue
            with self.alone(partition, ALONE_TIMEOUT_S) as alone:
                if not alone:
                    continue
                self.close(partition)
            _log.warning("%s is opened anew after a failed checkpoint.", partition.key)
