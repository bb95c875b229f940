"""Known days: which days there are, in which files, and which of them do not open.

A day stays known while its file does not open: it is left out of answers, told of, and
tried again a little later, since another process may only have locked it. One whose
file is damaged or gone is lost; see `lost_days`.
"""

import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msgspec

from logstream.storage.accounts import Accounts
from logstream.storage.day_statistics import Statistics
from logstream.storage.generations import files_in
from logstream.storage.lost_days import GONE, LostDays, drop_unfinished, read_register
from logstream.storage.partition import SUFFIX, PartitionState, wal_of
from logstream.storage.removal import finish_removals
from logstream.telemetry.metrics import PARTITIONS, PARTITIONS_BROKEN

_BROKEN_PAUSE_S = 5.0


class Broken(msgspec.Struct, frozen=True):
    reason: str
    until: float
    """Reads leave the day alone until then, by `time.monotonic`."""

    def is_left_alone(self) -> bool:
        return time.monotonic() < self.until


class KnownDays:
    """For one thread at a time: its owner has a lock. `path_of` is for any.

    Args:
        folder: None keeps every day in memory.
        register: Where the days that there are stand, so that one is missed whose file
            is gone; None: none is.
        statistics: Forgets days that are known no more.
        accounts: The same.
    """

    def __init__(
        self,
        folder: Path | None,
        register: Path | None,
        statistics: Statistics,
        accounts: Accounts,
    ) -> None:
        self._folder = folder
        self._statistics = statistics
        self._accounts = accounts
        self._broken: dict[date, Broken] = {}
        removed = finish_removals(folder) if folder is not None else set()
        before = read_register(register)
        self._files: dict[date, Path] = files_in(folder) if folder else {}
        if register is not None:
            for day in {*self._files} - {*before.days} | {*before.missing}:
                if drop_unfinished(self._files.get(day)):
                    del self._files[day]
        self._days: set[date] = set(self._files)
        for day in {*accounts.unchecked()} - self._days:
            accounts.drop(day)
        self._lost = LostDays(folder, register, before, self._days, removed)
        self._set_gauges()

    def __contains__(self, day: date) -> bool:
        return day in self._days

    def __iter__(self) -> Iterator[date]:
        return iter(self._days)

    def path_of(self, day: date) -> Path | None:
        """The file of a day, or what it would be; None in memory."""
        if self._folder is None:
            return None
        return self._files.get(day, self._folder / f"{day.isoformat()}{SUFFIX}")

    def expect(self, day: date) -> None:
        """A file is made for it, unless there is one."""
        self._lost.expect(day, self._days)

    def opened(self, day: date) -> None:
        self._broken.pop(day, None)
        self._days.add(day)
        self._set_gauges()

    def refused(self, day: date, reason: str) -> None:
        """It does not open, whether it was there before or could not be made."""
        if day not in self._days:
            drop_unfinished(self.path_of(day))
        self._broken[day] = Broken(reason, time.monotonic() + _BROKEN_PAUSE_S)
        self._set_gauges()

    def moved(self, day: date, path: Path) -> None:
        """What its file is called from now on."""
        self._files[day] = path

    def drop(self, day: date) -> None:
        """There is no such day any more."""
        self._files.pop(day, None)
        self._days.discard(day)
        self._broken.pop(day, None)
        self._statistics.drop(day)
        self._accounts.drop(day)
        self._set_gauges()

    def set_aside(self, day: date, path: Path) -> None:
        """Keep its damaged file under another name.

        Raises:
            StorageError: it cannot be renamed.
        """
        broken = self._broken.pop(day, None)
        if path.exists():
            self._lost.set_aside(path, broken.reason if broken else "it is damaged")
        self.drop(day)

    def miss(self, day: date) -> None:
        """If the file of a day that is not attached is gone, it is lost."""
        path = self.path_of(day)
        if path is None or day not in self._days or path.exists():
            return
        self.drop(day)
        self._lost.miss(day, GONE)
        if wal_of(path).exists():
            self._lost.set_aside(path, "its file is gone")
        self._set_gauges()

    def lacks(self, day: date, entries: int) -> None:
        """It opens, without some that it had. Raises OSError."""
        if (path := self.path_of(day)) is not None:
            self._lost.note_lacking(path, entries)
            self._set_gauges()

    def forget_lost(self, first: date, last: date) -> None:
        """All of these days was deleted: nothing of them is missed any more."""
        self._lost.forget(first, last)
        self.save()

    def look(self) -> None:
        """What was set aside, and somebody took away, is told of no more."""
        self._lost.look()
        self.save()

    def save(self) -> None:
        """Write down which days there are."""
        self._lost.save(self._days)
        self._set_gauges()

    def save_without(self, day: date) -> None:
        """The same, with one that is about to go."""
        self._lost.save(self._days - {day})

    def between(self, first: date, last: date) -> list[date]:
        """The newest first."""
        return sorted((d for d in self._days if first <= d <= last), reverse=True)

    def lost(self, first: date = date.min, last: date = date.max) -> list[date]:
        """Days of which something was lost, of which some have a new file since."""
        return self._lost.between(first, last)

    def left_out(self, first: date = date.min, last: date = date.max) -> set[date]:
        """Days of which not all is in answers just now, as far as anybody looked."""
        broken = {day for day in self._broken if first <= day <= last}
        return broken.union(self._lost.between(first, last))

    def broken(self, day: date) -> Broken | None:
        """How it did not open when that was last tried; None: it did."""
        return self._broken.get(day)

    def reasons(self) -> dict[date, str]:
        """Of every day, why it does not open; empty when it does."""
        found = dict.fromkeys(self._days, "")
        return found | {day: broken.reason for day, broken in self._broken.items()}

    def lost_states(self) -> list[PartitionState]:
        return self._lost.states()

    def _set_gauges(self) -> None:
        PARTITIONS.set(len(self._days))
        PARTITIONS_BROKEN.set(len(self._broken) + len(self._lost))
