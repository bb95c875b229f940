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
from logstream.storage.partition import SUFFIX, Key, PartitionState, wal_of
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
        self._broken: dict[Key, Broken] = {}
        removed = finish_removals(folder) if folder is not None else set()
        before = read_register(register)
        self._files: dict[Key, Path] = files_in(folder) if folder else {}
        if register is not None:
            for key in {*self._files} - {*before.days} | {*before.missing}:
                if drop_unfinished(self._files.get(key)):
                    del self._files[key]
        self._keys: set[Key] = set(self._files)
        for key in {*accounts.unchecked()} - self._keys:
            accounts.drop(key)
        self._lost = LostDays(folder, register, before, self._keys, removed)
        self._set_gauges()

    def __contains__(self, key: Key) -> bool:
        return key in self._keys

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def path_of(self, key: Key) -> Path | None:
        """The file of a day, or what it would be; None in memory."""
        if self._folder is None:
            return None
        return self._files.get(key, self._folder / f"{key}{SUFFIX}")

    def expect(self, key: Key) -> None:
        """A file is made for it, unless there is one."""
        self._lost.expect(key, self._keys)

    def opened(self, key: Key) -> None:
        self._broken.pop(key, None)
        self._keys.add(key)
        self._set_gauges()

    def refused(self, key: Key, reason: str) -> None:
        """It does not open, whether it was there before or could not be made."""
        if key not in self._keys:
            drop_unfinished(self.path_of(key))
        self._broken[key] = Broken(reason, time.monotonic() + _BROKEN_PAUSE_S)
        self._set_gauges()

    def moved(self, key: Key, path: Path) -> None:
        """What its file is called from now on."""
        self._files[key] = path

    def drop(self, key: Key) -> None:
        """There is no such day any more."""
        self._files.pop(key, None)
        self._keys.discard(key)
        self._broken.pop(key, None)
        self._statistics.drop(key)
        self._accounts.drop(key)
        self._set_gauges()

    def set_aside(self, key: Key, path: Path) -> None:
        """Keep its damaged file under another name.

        Raises:
            StorageError: it cannot be renamed.
        """
        broken = self._broken.pop(key, None)
        if path.exists():
            self._lost.set_aside(path, broken.reason if broken else "it is damaged")
        self.drop(key)

    def miss(self, key: Key) -> None:
        """If the file of a day that is not attached is gone, it is lost."""
        path = self.path_of(key)
        if path is None or key not in self._keys or path.exists():
            return
        self.drop(key)
        self._lost.miss(key, GONE)
        if wal_of(path).exists():
            self._lost.set_aside(path, "its file is gone")
        self._set_gauges()

    def lacks(self, key: Key, entries: int) -> None:
        """It opens, without some that it had. Raises OSError."""
        if (path := self.path_of(key)) is not None:
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
        self._lost.save(self._keys)
        self._set_gauges()

    def save_without(self, key: Key) -> None:
        """The same, with one that is about to go."""
        self._lost.save(self._keys - {key})

    def between(self, first: date, last: date) -> list[Key]:
        """The newest first."""
        found = (key for key in self._keys if first <= key.day <= last)
        return sorted(found, reverse=True)

    def lost(self, first: date = date.min, last: date = date.max) -> list[Key]:
        """Those of which something was lost; some have a new file since."""
        return self._lost.between(first, last)

    def left_out(self, first: date = date.min, last: date = date.max) -> set[date]:
        """Days of which not all is in answers just now, as far as anybody looked."""
        found = (*self._broken, *self._lost.between(first, last))
        return {key.day for key in found if first <= key.day <= last}

    def broken(self, key: Key) -> Broken | None:
        """How it did not open when that was last tried; None: it did."""
        return self._broken.get(key)

    def reasons(self) -> dict[Key, str]:
        """Of every one, why it does not open; empty when it does."""
        found = dict.fromkeys(self._keys, "")
        return found | {key: broken.reason for key, broken in self._broken.items()}

    def lost_states(self) -> list[PartitionState]:
        return self._lost.states()

    def _set_gauges(self) -> None:
        PARTITIONS.set(len(self._keys))
        PARTITIONS_BROKEN.set(len(self._broken) + len(self._lost))
