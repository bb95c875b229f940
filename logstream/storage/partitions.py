"""Partitions: one DuckDB file per UTC day of the entries' own timestamps, or several.

A day into which much comes has parts; see `parts`. Each file has a table `entries`, and
a table `applied` of the journal segments that are in it, written in the same
transaction as their rows. That is how a replay after a crash neither loses nor doubles
an entry.

A file that is damaged is left out of answers and reported. When entries of its day come
in, it is kept as `….duckdb.broken-1`, and a new one takes its place; one that another
process has locked is only waited for.
"""

import logging
import threading
from collections.abc import Callable, Collection, Iterable
from datetime import date
from pathlib import Path

import duckdb

from logstream.core.durable import sync_folder
from logstream.core.errors import StorageCorrupt, StorageError
from logstream.storage import checkpoints
from logstream.storage.accounts import Accounts
from logstream.storage.attaching import detach
from logstream.storage.control import QueryControl, current_control
from logstream.storage.damage import damaged_ones
from logstream.storage.day_statistics import DayStatistics, Statistics
from logstream.storage.folding import fold
from logstream.storage.generations import drop_files, stored_bytes_in
from logstream.storage.hub import Hub, first_line
from logstream.storage.known_days import KnownDays
from logstream.storage.open_days import ALONE_TIMEOUT_S, OpenDays
from logstream.storage.partition import (
    NS_PER_DAY,
    Key,
    Partition,
    PartitionState,
    day_of,
    is_corrupt,
)
from logstream.storage.parts import Parts, is_full
from logstream.storage.removal import rename_away, unlink_all, what_goes

_log = logging.getLogger(__name__)

MAX_OPEN_DAYS = 64
_REMOVE_TIMEOUT_S = 10.0
_LOOK_TIMEOUT_S = 60.0


class Partitions:
    """The days of the store, attached to the hub when first used, and let go of when
    too many are. Thread-safe. See `holding`, `known_days` and `open_days`.

    Args:
        folder: None keeps every day in memory.
        register: Where the days that there are stand, so that one is missed whose file
            is gone; None: none is.
        statistics: Where what is known of days is kept; None: in memory only.
        accounts: Where it stands what the days were given, so that it is noticed when a
            part of one is gone; None: nowhere.
        max_open: Days, unless more are in use at the same moment.
    """

    def __init__(
        self,
        hub: Hub,
        folder: Path | None,
        *,
        register: Path | None = None,
        statistics: Path | None = None,
        accounts: Path | None = None,
        max_open: int = MAX_OPEN_DAYS,
    ) -> None:
        self._hub = hub
        self._folder = folder
        self._lock = threading.Lock()
        self._statistics = Statistics(statistics)
        self._accounts = Accounts(accounts)
        self._known = KnownDays(folder, register, self._statistics, self._accounts)
        self._open = OpenDays(
            hub,
            self._known,
            self._statistics,
            lock=self._lock,
            max_open=max_open if folder is not None else None,
        )
        self._parts = Parts(self._known)
        hub.on_invalid(self._open.note_invalid)
        hub.on_corrupt(self.set_damaged_aside)
        self.readable(self._accounts.unchecked())  # so it is told at once what is gone

    def within(self, from_ns: int | None = None, to_ns: int | None = None) -> list[Key]:
        """Those that may hold instants in [from_ns, to_ns), the newest first. The query
        that runs is told which days are lost.
        """
        first = day_of(from_ns) if from_ns is not None else date.min
        last = day_of(max(to_ns - 1, 0)) if to_ns is not None else date.max
        with self._lock:
            if control := current_control():
                control.left_out.update(self._known.left_out(first, last))
            return self._known.between(first, last)

    def readable(self, keys: Iterable[Key]) -> list[Partition]:
        """These, attached; one that does not open is reported and left out."""
        found: list[Partition] = []
        control = current_control()
        for key in keys:
            with self._lock:
                broken = self._known.broken(key)
                if key not in self._known:
                    continue  # removed since it was listed
            if broken is None or not broken.is_left_alone():
                try:
                    found.append(self.attach(key, make=False))
                except StorageError as error:
                    if broken is None:
                        _log.warning("A partition is left out of answers: %s", error)
                else:
                    if control is not None:
                        control.days.add(key.day)
                        if broken is not None:
                            self._is_back(key.day, control)
                    continue
            if control is not None:
                control.left_out.add(key.day)
        return found

    def attach(self, key: Key, *, make: bool = True) -> Partition:
        """The partition, attached.

        Args:
            make: Make it if it is missing.

        Raises:
            StorageCorrupt: its file is damaged: `set_aside`.
            StorageError: it does not open now, such as when another process has it.
        """
        with self._lock:
            if (partition := self._open.use(key)) is not None:
                return partition
            self._known.miss(key)
            if make:
                self._known.expect(key)
            elif key not in self._known:
                raise StorageError(f"The partition of {key} was removed.")
            try:
                partition = self._open.open(key)
            except duckdb.Error as error:
                self._hub.note(error)
                reason = first_line(error)
                self._known.refused(key, reason)
                kind = StorageCorrupt if is_corrupt(error) else StorageError
                text = f"The partition of {key} does not open: {reason}"
                raise kind(text) from None
            self._known.opened(key)
            self._open.add(partition)
            if key in self._accounts.unchecked():
                self._check_account(partition)
            return partition

    def _check_account(self, partition: Partition) -> None:
        """Whether all is in it that an earlier process had in it; else that is told.
        The caller has the lock.
        """
        try:
            if lacking := self._accounts.lacking(self._hub, partition):
                self._known.lacks(partition.key, lacking)
        except (duckdb.Error, OSError) as error:
            _log.warning("What %s lacks is not told: %s", partition.key, error)
        else:
            self._accounts.drop(partition.key)

    def keep_account(self, *, all_: bool = False) -> None:
        """Write down what the days were given whose rows are in write-ahead logs.

        Args:
            all_: And not just that there are some. Call it so now and then, and without
                before anything is forgotten that would bring the rows back.
        """
        self._accounts.keep(self._hub, self.attached(), all_=all_)

    def set_aside(self, key: Key, damaged: Partition | None = None) -> None:
        """Keep a damaged file under another name, so that a new one takes its place.

        Args:
            damaged: The partition it was seen in; None: it did not open at all. Does
                nothing when another thread has set it aside since.

        Raises:
            StorageError: it cannot be renamed.
        """
        path = self._known.path_of(key)
        with self._lock:
            if path is None or self._open.get(key) is not damaged:
                return
            self._known.set_aside(key, path)
            if damaged is not None:
                self._open.close(damaged)

    def remove(self, partition: Partition, *, unsettled: Collection[int]) -> int | None:
        """Take a whole partition away: its file is unlinked. Queries that run go on.

        Args:
            unsettled: Journal segments that are not retired. One that has applied one
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
                if not self._open.has(partition):
                    return None
                self._unlink(partition)
                self._open.forget(partition)
                self._known.drop(partition.key)
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
            if old is None or not self._open.has(partition):
                raise StorageError(f"The partition of {partition.key} is gone.")
            new.rename(path)
            self._known.moved(partition.key, path)
            try:
                sync_folder(path.parent)
                fresh = self._open.open(partition.key)
            except BaseException:
                self._known.moved(partition.key, old)
                path.unlink()
                raise
            self._statistics.drop(partition.key)
            self._open.replace(partition, fresh)
        drop_files(old)
        sync_folder(path.parent)

    def last_part(self, day: date) -> Key:
        """The part of a day that takes entries, which there may not be yet."""
        with self._lock:
            return self._parts.last(day)

    def other_parts(self, key: Key) -> list[Key]:
        """Of the same day, those that there are."""
        with self._lock:
            return [one for one in self._known.between(key.day, key.day) if one != key]

    def takes_more(self, key: Key) -> bool:
        """Whether entries that come go there."""
        return key == self.last_part(key.day)

    def _close_full(self, partition: Partition) -> None:
        if not self.takes_more(partition.key):
            return
        try:
            full = is_full(self._hub, partition)
        except duckdb.Error:
            return  # let go of meanwhile, or to be opened anew
        if full:
            with self._lock:
                following = self._parts.close(partition.key)
                self._open.follow(partition, following)

    def path_of(self, key: Key) -> Path | None:
        """Its file, or what it would be; None in memory."""
        return self._known.path_of(key)

    def is_open(self, key: Key) -> bool:
        with self._lock:
            return self._open.get(key) is not None

    def known(self, key: Key) -> DayStatistics | None:
        """What is known of it as it is now, without opening it."""
        with self._lock:
            partition = self._open.get(key)
            path = self._known.path_of(key)
            if path is None or self._known.broken(key) is not None:
                return None
            if partition is not None and partition.dirty_rows:
                return None
            return self._statistics.of(key, path)

    def know(self, partition: Partition, found: DayStatistics) -> DayStatistics:
        """Keep what was counted, if it holds still; returns it."""
        self._statistics.keep(partition, found)
        return found

    def save_statistics(self) -> None:
        """Write down what is known, if that is more than before."""
        with self._lock:
            keys = set(self._known)
        self._statistics.save(keys)

    def attached(self) -> list[Partition]:
        return self._open.all()

    def states(self) -> list[PartitionState]:
        """Every one, the newest first, and what is lost."""
        with self._lock:
            found = self._known.reasons()
            lost = self._known.lost_states()
        states = [
            PartitionState(
                day=key.day,
                part=key.part,
                stored_bytes=Partition(key, self.path_of(key)).stored_bytes(),
                broken=broken,
            )
            for key, broken in found.items()
        ]
        states += lost
        return sorted(
            states, key=lambda one: (one.day, one.part, one.broken), reverse=True
        )

    def stored_bytes(self) -> int:
        """Of all days. Cheap enough for every second: one look into the folder."""
        return stored_bytes_in(self._folder) if self._folder is not None else 0

    def highest_segment(self) -> int:
        """The highest journal segment that any partition remembers. Opens every one.

        Raises:
            StorageError: one is locked, so nobody knows what it remembers.
        """
        highest = 0
        for key in self.within():
            try:
                partition = self.attach(key)
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
            max_logged_bytes: Of the write-ahead logs. The rows in them are in memory:
                beyond this the largest ones are checkpointed whatever `when` says, and
                loads wait for it. 0 = no bound.
        """
        self._open.reopen_invalid()
        self._look_for_files()
        with self._lock:
            self._open.close_unused()
        for partition in self.attached():
            self._close_full(partition)
        renewed = sum(self._open.renew(partition) for partition in self.attached())
        done = checkpoints.checkpoint_some(
            self._hub, self.attached(), when, max_logged_bytes=max_logged_bytes
        )
        folded = sum(fold(self._hub, partition) for partition in self.attached())
        self.keep_account(all_=True)
        return renewed + done + folded

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
            self._known.save_without(partition.key)
        except OSError as failure:
            raise StorageError(
                f"The partition {path} cannot be removed ({failure.strerror})."
            ) from None
        detach(self._hub, partition)
        unlink_all(path, removed)

    def mends(self, error: duckdb.Error) -> bool:
        """Whether a query that failed with this may work when it is tried again: a
        checkpoint that failed has made a day useless, until it is attached anew.
        """
        return self._open.mends(error)

    def _look_for_files(self) -> None:
        """Let go of days whose file somebody took away, and keep which there are."""
        for partition in self.attached():
            if not partition.is_gone():
                continue
            with self._open.alone(partition, ALONE_TIMEOUT_S) as alone:
                if alone and partition.is_gone():
                    self._open.close(partition)
                    self._known.miss(partition.key)
        with self._lock:
            self._known.look()

    def lost(self) -> list[Key]:
        """Those of which something was lost; some have a new file since."""
        with self._lock:
            return self._known.lost()

    def _is_back(self, day: date, control: QueryControl) -> None:
        """A part of it opens again; all of it is there if no other one is missing."""
        with self._lock:
            if not self._known.left_out(day, day):
                control.left_out.discard(day)

    def left_out(self) -> list[date]:
        """Days of which not all is in answers just now, as far as anybody looked."""
        with self._lock:
            return sorted(self._known.left_out())

    def forget_lost(self, from_ns: int | None, to_ns: int | None) -> None:
        """All between these instants was deleted: whole days are missed no more."""
        first = date.min if from_ns is None else day_of(from_ns + NS_PER_DAY - 1)
        last = date.max if to_ns is None else day_of(to_ns - NS_PER_DAY)
        with self._lock:
            self._known.forget_lost(first, last)

    def unreadable(
        self, from_ns: int | None = None, to_ns: int | None = None
    ) -> list[Key]:
        """Those in [from_ns, to_ns) that did not open when they were last tried."""
        keys = self.within(from_ns, to_ns)
        with self._lock:
            return [key for key in keys if self._known.broken(key)]

    def set_damaged_aside(self, days: Collection[date]) -> list[date]:
        """Read these days (none: all that are open) to the last block, in the time of
        the query that runs; set aside what does not read. Which those are, as far as
        the time went.
        """
        found = []
        control = current_control() or QueryControl(_LOOK_TIMEOUT_S)
        looked = [one for one in self.attached() if not days or one.day in days]
        for partition in damaged_ones(self._hub, looked, control):
            with partition.writers.alone(ALONE_TIMEOUT_S) as alone:
                if alone:
                    self.set_aside(partition.key, partition)
                    found.append(partition.day)
        return found
