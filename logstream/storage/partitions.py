"""Partitions: one DuckDB file per UTC day of the entries' own timestamps.

A day has a table `entries`, and a table `applied` of the journal segments that are in
it, written in the same transaction as their rows. That is how a replay after a crash
neither loses nor doubles an entry.

A file that is damaged is left out of answers and reported. When entries of its day come
in, it is kept as `….duckdb.broken-1`, and a new one takes its place; one that another
process has locked is only waited for.
"""

import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from datetime import date
from functools import partial
from pathlib import Path

import duckdb
import msgspec

from logstream.core.durable import sync_folder
from logstream.core.errors import StorageCorrupt, StorageError
from logstream.storage import checkpoints
from logstream.storage.attaching import attach_when_free, detach
from logstream.storage.control import QueryControl, current_control
from logstream.storage.day_statistics import DayStatistics, Statistics
from logstream.storage.generations import drop_files, files_in
from logstream.storage.holding import hold
from logstream.storage.hub import Hub, first_line, invalid_database
from logstream.storage.lost_days import GONE, LostDays, drop_unfinished, read_register
from logstream.storage.partition import (
    INDEX,
    NS_PER_DAY,
    SUFFIX,
    WAL,
    Partition,
    PartitionState,
    day_of,
    is_corrupt,
    wal_of,
)
from logstream.storage.removal import (
    finish_removals,
    rename_away,
    unlink_all,
    what_goes,
)
from logstream.storage.shredding import Names
from logstream.telemetry.metrics import PARTITIONS, PARTITIONS_BROKEN

_log = logging.getLogger(__name__)

MAX_OPEN_DAYS = 64
_REMOVE_TIMEOUT_S = 10.0
_BROKEN_PAUSE_S = 5.0
_REOPEN_TIMEOUT_S = 2.0
_RENEW_ROWS = 2_000_000
"""After so many, what DuckDB holds of a day is dropped. It keeps all that it writes,
60 MB a million, up to its limit, and lists of that, 16 MB a million, unlimited."""
_LOOK_TIMEOUT_S = 60.0
_READ_ALL = """
SELECT max(id), max(timestamp), max(source), max(level), max(length(message)),
    max(length(CAST(fields AS VARCHAR))), (SELECT max(segment) FROM {name}.applied)
FROM {name}.entries
"""


class _Broken(msgspec.Struct, frozen=True):
    reason: str
    until: float
    """Reads leave the day alone until then, by `time.monotonic`."""


class Partitions:
    """The days of the store, attached to the hub when first used. Thread-safe.

    When too many are, those that nobody uses are detached, the one that was used
    longest ago first: each is an open file, and half a megabyte of memory. See
    `holding`.

    Args:
        folder: None keeps every day in memory.
        register: Where the days that there are stand, so that one is missed whose file
            is gone; None: none is.
        statistics: Where what is known of days is kept; None: in memory only.
        max_open: Days, unless more are in use at the same moment.
    """

    def __init__(
        self,
        hub: Hub,
        folder: Path | None,
        *,
        register: Path | None = None,
        statistics: Path | None = None,
        max_open: int = MAX_OPEN_DAYS,
    ) -> None:
        self._hub = hub
        self._folder = folder
        self._lock = threading.Lock()
        self._max_open = max_open
        self._statistics = Statistics(statistics)
        self._attached: OrderedDict[date, Partition] = OrderedDict()
        """The one that was used last comes last."""
        self._broken: dict[date, _Broken] = {}
        self._names: dict[date, Names] = {}
        """Of days that were let go of while they take entries in."""
        removed = finish_removals(folder) if folder is not None else set()
        before = read_register(register)
        self._files: dict[date, Path] = files_in(folder) if folder else {}
        if register is not None:
            for day in {*self._files} - {*before.days} | {*before.missing}:
                if drop_unfinished(self._files.get(day)):
                    del self._files[day]
        self._days: set[date] = set(self._files)
        self._lost = LostDays(folder, register, before, self._days, removed)
        self._set_gauges()
        hub.on_invalid(self._note_invalid)
        hub.on_corrupt(self.set_damaged_aside)

    def days(self, from_ns: int | None = None, to_ns: int | None = None) -> list[date]:
        """Days that may hold instants in [from_ns, to_ns), the newest first. The query
        that runs is told which of them are lost.
        """
        first = day_of(from_ns) if from_ns is not None else date.min
        last = day_of(max(to_ns - 1, 0)) if to_ns is not None else date.max
        with self._lock:
            if control := current_control():
                control.left_out.update(self._lost.between(first, last))
                control.left_out.update(d for d in self._broken if first <= d <= last)
            return sorted((d for d in self._days if first <= d <= last), reverse=True)

    def readable(self, days: Iterable[date]) -> list[Partition]:
        """These days, attached; one that does not open is reported and left out."""
        found: list[Partition] = []
        control = current_control()
        for day in days:
            with self._lock:
                broken = self._broken.get(day)
                if day not in self._days:
                    continue  # removed since it was listed
            if broken is None or time.monotonic() >= broken.until:
                try:
                    found.append(self.attach(day, make=False))
                except StorageError as error:
                    if broken is None:
                        _log.warning("A partition is left out of answers: %s", error)
                else:
                    if control is not None:
                        control.days.add(day)
                        if broken is not None:
                            self._is_back(day, control)
                    continue
            if control is not None:
                control.left_out.add(day)
        return found

    def attach(self, day: date, *, make: bool = True) -> Partition:
        """The partition of a day.

        Args:
            make: Make it if it is missing.

        Raises:
            StorageCorrupt: its file is damaged: `set_aside`.
            StorageError: it does not open now, such as when another process has it.
        """
        with self._lock:
            if (partition := self._attached.get(day)) is not None:
                self._attached.move_to_end(day)
                hold(partition)
                return partition
            self._miss(day)
            if make:
                self._lost.expect(day, self._days)
            if not make and day not in self._days:
                raise StorageError(f"The partition of {day} was removed.")
            try:
                partition = self._open(day)
            except duckdb.Error as error:
                self._hub.note(error)
                if day not in self._days:
                    drop_unfinished(self._path_of(day))
                reason = first_line(error)
                until = time.monotonic() + _BROKEN_PAUSE_S
                self._broken[day] = _Broken(reason, until)
                self._set_gauges()
                kind = StorageCorrupt if is_corrupt(error) else StorageError
                text = f"The partition of {day} does not open: {reason}"
                raise kind(text) from None
            self._broken.pop(day, None)
            self._attached[day] = partition
            self._days.add(day)
            hold(partition)
            self._detach_unused(besides=partition)
            self._set_gauges()
            return partition

    def set_aside(self, day: date, damaged: Partition | None = None) -> None:
        """Keep a damaged file under another name, so that a new one takes its place.

        Args:
            damaged: The partition it was seen in; None: it did not open at all. Does
                nothing when another thread has set it aside since.

        Raises:
            StorageError: it cannot be renamed.
        """
        path = self._path_of(day)
        with self._lock:
            if path is None or self._attached.get(day) is not damaged:
                return
            reason = "it is damaged"
            if broken := self._broken.pop(day, None):
                reason = broken.reason
            if path.exists():
                self._lost.set_aside(path, reason)
            self._files.pop(day, None)
            self._statistics.drop(day)
            if damaged is not None:
                damaged.writers.end()
                del self._attached[day]
                detach(self._hub, damaged)
            self._days.discard(day)
            self._set_gauges()

    def remove(self, partition: Partition, *, unsettled: Collection[int]) -> int | None:
        """Take a whole day away: its file is unlinked. Queries that run go on.

        Args:
            unsettled: Journal segments that are not retired. A day that has applied one
                of them is left: without its memory, a replay would bring a part back.

        Returns:
            How many entries went; None: it cannot be removed just now.

        Raises:
            StorageError: DuckDB or the disk refused.
        """
        with partition.writers.alone(_REMOVE_TIMEOUT_S) as alone:
            if not alone:
                return None
            found = what_goes(self._hub, partition, timeout_s=_REMOVE_TIMEOUT_S)
            if found is None or not found.segments.isdisjoint(unsettled):
                return None
            with self._lock:
                if self._attached.get(partition.day) is not partition:
                    return None
                self._unlink(partition)
                partition.writers.end()
                del self._attached[partition.day]
                self._files.pop(partition.day, None)
                self._days.discard(partition.day)
                self._statistics.drop(partition.day)
                self._set_gauges()
            return found.rows

    def replace(self, partition: Partition, new: Path, path: Path) -> None:
        """Let a rewritten file take the place of a partition's, which the caller has
        alone. Queries that run go on over the old one.

        Args:
            new: What was written, and is synced.
            path: What it is called from now on: the next generation.

        Raises:
            StorageError: the partition is gone.
            OSError, duckdb.Error: the new file does not open; the old one stays.
        """
        old = partition.path
        with self._lock:
            if old is None or self._attached.get(partition.day) is not partition:
                raise StorageError(f"The partition of {partition.day} is gone.")
            new.rename(path)
            self._files[partition.day] = path
            try:
                sync_folder(path.parent)
                fresh = self._open(partition.day)
            except BaseException:
                self._files[partition.day] = old
                path.unlink()
                raise
            self._attached[partition.day] = fresh
            self._statistics.drop(partition.day)
            partition.writers.end()
            detach(self._hub, partition)
        drop_files(old)
        sync_folder(path.parent)

    def path_of(self, day: date) -> Path | None:
        """The file of a day, or what it would be; None in memory."""
        return self._path_of(day)

    def is_open(self, day: date) -> bool:
        with self._lock:
            return day in self._attached

    def known(self, day: date) -> DayStatistics | None:
        """What is known of a day as it is now, without opening it."""
        with self._lock:
            partition = self._attached.get(day)
            path = self._path_of(day)
            if path is None or day in self._broken:
                return None
            if partition is not None and partition.dirty_rows:
                return None
            return self._statistics.of(day, path)

    def know(self, partition: Partition, found: DayStatistics) -> DayStatistics:
        """Keep what was counted, if it holds still; returns it."""
        self._statistics.keep(partition, found)
        return found

    def save_statistics(self) -> None:
        """Write down what is known, if that is more than before."""
        with self._lock:
            days = set(self._days)
        self._statistics.save(days)

    def attached(self) -> list[Partition]:
        with self._lock:
            return list(self._attached.values())

    def states(self) -> list[PartitionState]:
        """Every day, the newest first, and what is lost of one."""
        with self._lock:
            found = dict.fromkeys(self._days, "")
            for day, broken in self._broken.items():
                found[day] = broken.reason
            lost = self._lost.states()
        states = [
            PartitionState(
                day=day,
                stored_bytes=Partition(day, self._path_of(day)).stored_bytes(),
                broken=broken,
            )
            for day, broken in found.items()
        ]
        states += lost
        return sorted(states, key=lambda state: (state.day, state.broken), reverse=True)

    def stored_bytes(self) -> int:
        """Of all days. Cheap enough for every second: one look into the folder."""
        if self._folder is None:
            return 0
        total = 0
        with os.scandir(self._folder) as found:
            for file in found:
                if file.name.endswith((SUFFIX, SUFFIX + WAL, INDEX)):
                    with suppress(FileNotFoundError):  # a checkpoint took it away
                        total += file.stat().st_size
        return total

    def highest_segment(self) -> int:
        """The highest journal segment that any day remembers. Opens every day.

        Raises:
            StorageError: a day is locked, so nobody knows what it remembers.
        """
        highest = 0
        for day in self.days():
            try:
                partition = self.attach(day)
            except StorageCorrupt as error:
                _log.warning("A partition is left out of answers: %s", error)
                continue
            with self._hub.reading(60) as cursor:
                text = f"SELECT max(segment) FROM {partition.name}.applied"
                row = cursor.execute(text).fetchone()
            highest = max(highest, (row[0] if row else None) or 0)
        return highest

    def checkpoint(
        self, when: Callable[[Partition], bool], *, max_logged_bytes: int = 0
    ) -> int:
        """Checkpoint the dirty partitions that `when` picks; how many there were.

        Args:
            max_logged_bytes: Of the write-ahead logs. The rows in them are in memory,
                and a checkpoint needs as much again: beyond this the largest ones are
                checkpointed whatever `when` says, and loads wait for it. 0 = no bound.
        """
        self._reopen_invalid()
        self._look_for_files()
        with self._lock:
            self._detach_unused()
        done = 0
        logged = {one: one.logged_bytes() for one in self.attached()}
        total = sum(logged.values()) if max_logged_bytes else 0
        for partition in sorted(logged, key=lambda one: -logged[one]):
            urgent = total > max_logged_bytes
            rows = partition.dirty_rows
            if not rows or not (urgent or when(partition)):
                continue
            if checkpoints.checkpoint(self._hub, partition, alone=urgent):
                partition.mark_clean(rows)
                total -= logged[partition]
                done += 1
                if partition.loaded_rows >= _RENEW_ROWS:
                    self._renew(partition)
        return done

    def _renew(self, partition: Partition) -> None:
        """Let go of a day that much was loaded into, if nobody reads it: DuckDB drops
        what it holds of its file, and the next use attaches it anew.
        """
        with partition.writers.alone(checkpoints.WAIT_S) as alone:
            if not alone or not self.checkpoint_now(partition):
                return
            partition.mark_clean(partition.dirty_rows)
            with self._lock:
                if self._attached.get(partition.day) is partition and partition.is_idle:
                    self._names[partition.day] = partition.names
                    detach(self._hub, partition)
                    partition.writers.end()
                    del self._attached[partition.day]

    def checkpoint_now(self, partition: Partition) -> bool:
        """For those that share it or have it alone. Whether it worked."""
        return checkpoints.checkpoint_now(self._hub, partition)

    def _unlink(self, partition: Partition) -> None:
        """The rename is the moment from which on the day is gone, after a crash too."""
        path = partition.path
        if path is None:
            detach(self._hub, partition)
            return
        try:
            removed = rename_away(path)
            self._lost.save(self._days - {partition.day})
        except OSError as failure:
            raise StorageError(
                f"The partition {path} cannot be removed ({failure.strerror})."
            ) from None
        detach(self._hub, partition)
        unlink_all(path, removed)

    def _open(self, day: date) -> Partition:
        """Raises duckdb.Error."""
        path = self._path_of(day)
        partition = Partition(day, path)
        partition.names = self._names.pop(day, partition.names)
        partition.on_write = partial(self._statistics.drop, day)
        complete = path is not None and self._statistics.of(day, path) is not None
        if path is not None and wal_of(path).exists():
            partition.mark_dirty(1)  # left by a crash: rows that are not checkpointed
            partition.names.wide = True  # they may be of any kind
        attach_when_free(self._hub, partition, has_tables=complete)
        return partition

    def _detach_unused(self, besides: Partition | None = None) -> None:
        """Until there are no more than there may be, or all others are in use."""
        over = len(self._attached) - self._max_open
        if over <= 0 or self._folder is None:
            return
        for partition in list(self._attached.values()):
            if over <= 0:
                break
            if partition is besides or not partition.is_idle:
                continue
            with partition.writers.alone(0) as alone:
                if alone:
                    detach(self._hub, partition)
                    partition.writers.end()
                    del self._attached[partition.day]
                    over -= 1

    def mends(self, error: duckdb.Error) -> bool:
        """Whether a query that failed with this may work when it is tried again: a
        checkpoint that failed has made a day useless, until it is attached anew.
        """
        name = invalid_database(error)
        if name is None or not self._note_invalid(name):
            return False
        self._reopen_invalid()
        return True

    def _note_invalid(self, name: str) -> bool:
        """Have a day opened anew; False: it is none, or in memory only."""
        for partition in self.attached():
            if partition.name == name and partition.path is not None:
                partition.invalid = True
                return True
        return False

    def _reopen_invalid(self) -> None:
        """Let go of days that a failed checkpoint made useless; the next use attaches
        them anew, with all that was committed. Until then loads wait, and they and
        queries are tried again.
        """
        for partition in self.attached():
            if not partition.invalid:
                continue
            with partition.writers.alone(_REOPEN_TIMEOUT_S) as alone, self._lock:
                if not alone or self._attached.get(partition.day) is not partition:
                    continue
                detach(self._hub, partition)
                partition.writers.end()
                del self._attached[partition.day]
            _log.warning("%s is opened anew after a failed checkpoint.", partition.day)

    def _look_for_files(self) -> None:
        """Let go of days whose file somebody took away, and keep which there are."""
        for partition in self.attached():
            if not partition.is_gone():
                continue
            with partition.writers.alone(_REOPEN_TIMEOUT_S) as alone, self._lock:
                if not alone or self._attached.get(partition.day) is not partition:
                    continue
                if not partition.is_gone():
                    continue
                detach(self._hub, partition)
                partition.writers.end()
                del self._attached[partition.day]
                self._miss(partition.day)
        with self._lock:
            self._lost.look()
            self._lost.save(self._days)
            self._set_gauges()

    def _miss(self, day: date) -> None:
        """If the file of a day that is not attached is gone, it is lost."""
        path = self._path_of(day)
        if path is None or day not in self._days or path.exists():
            return
        self._days.discard(day)
        self._files.pop(day, None)
        self._broken.pop(day, None)
        self._statistics.drop(day)
        self._lost.miss(day, GONE)
        if wal_of(path).exists():
            self._lost.set_aside(path, "its file is gone")
        self._set_gauges()

    def lost(self) -> list[date]:
        """Days of which something was lost, of which some have a new file since."""
        with self._lock:
            return self._lost.between(date.min, date.max)

    def _is_back(self, day: date, control: QueryControl) -> None:
        """It opens again, and all of it is there if nothing of it is lost."""
        with self._lock:
            if not self._lost.between(day, day):
                control.left_out.discard(day)

    def left_out(self) -> list[date]:
        """Days of which not all is in answers just now, as far as anybody looked."""
        with self._lock:
            return sorted({*self._broken, *self._lost.between(date.min, date.max)})

    def forget_lost(self, from_ns: int | None, to_ns: int | None) -> None:
        """All between these instants was deleted: whole days are missed no more."""
        first = date.min if from_ns is None else day_of(from_ns + NS_PER_DAY - 1)
        last = date.max if to_ns is None else day_of(to_ns - NS_PER_DAY)
        with self._lock:
            self._lost.forget(first, last)
            self._lost.save(self._days)
            self._set_gauges()

    def unreadable(
        self, from_ns: int | None = None, to_ns: int | None = None
    ) -> list[date]:
        """Days in [from_ns, to_ns) that did not open when they were last tried."""
        days = self.days(from_ns, to_ns)
        with self._lock:
            return [day for day in days if day in self._broken]

    def set_damaged_aside(self, days: Collection[date]) -> list[date]:
        """Read these days (none: all that are open) to the last block, in the time of
        the query that runs; set aside what does not read. Which those are, as far as
        the time went.
        """
        found = []
        control = current_control() or QueryControl(_LOOK_TIMEOUT_S)
        for partition in self.attached():
            if partition.path is None or (days and partition.day not in days):
                continue
            if self._is_sound(partition, control):
                continue
            with partition.writers.alone(_REOPEN_TIMEOUT_S) as alone:
                if alone:
                    self.set_aside(partition.day, partition)
                    found.append(partition.day)
        return found

    def _is_sound(self, partition: Partition, control: QueryControl) -> bool:
        """As far as anybody knows."""
        cursor = self._hub.cursor()
        try:
            with control.stopping(cursor):
                cursor.execute(_READ_ALL.format(name=partition.name)).fetchall()
        except duckdb.Error as error:
            return not is_corrupt(error)
        except StorageError:
            return True  # there was no time to find out
        finally:
            cursor.close()
        return True

    def _set_gauges(self) -> None:
        PARTITIONS.set(len(self._days))
        PARTITIONS_BROKEN.set(len(self._broken) + len(self._lost))

    def _path_of(self, day: date) -> Path | None:
        if self._folder is None:
            return None
        return self._files.get(day, self._folder / f"{day.isoformat()}{SUFFIX}")
