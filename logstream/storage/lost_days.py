"""Days that are not in answers though they were stored, and how one is missed.

A damaged file is kept under another name. A file that somebody took away is missed,
since `days.json` names the days that there are: it is written now and then, and before
a day is removed for good. What is lost is told until somebody deletes all of the day,
or its file is back at a start.

A day that opens without some of its entries gets a note beside it, that is called like
a file that was set aside, and says so until it is taken away.
"""

import logging
from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import date
from pathlib import Path

import msgspec

from logstream.core.durable import write_durably
from logstream.core.errors import StorageError
from logstream.core.findings import Report
from logstream.storage.partition import (
    SUFFIX,
    WAL,
    PartitionState,
    day_of_name,
    wal_of,
)

_log = logging.getLogger(__name__)

ASIDE = ".broken-"
GONE = "missing: its file is gone"
LACKS = "lacks "
"""What a note begins with that lies beside a day, and why it is told of."""
_SMALLEST_BYTES = 12_288
"""Of a DuckDB file: three headers."""
_LARGEST_NOTE_BYTES = 200
_MAGIC = b"DUCK"
"""In the first header, behind its checksum."""


class Register(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `days.json`."""

    days: list[date] = []
    """Whose files there are."""
    missing: dict[date, str] = {}
    """Whose file was gone, and what is said of them. Some have a new one since."""


class LostDays:
    """For one thread at a time: its owner has a lock.

    Args:
        folder: Of the partitions; None: in memory, where nothing is lost.
        path: Of the register; None: nothing is missed.
        before: What it says.
        days: Whose files there are.
        removed: Days whose removal a crash cut short.
    """

    def __init__(
        self,
        folder: Path | None,
        path: Path | None,
        before: Register,
        days: Collection[date],
        removed: Collection[date],
    ) -> None:
        self._path = path
        self._aside: dict[Path, str] = {}
        for aside in folder.glob(f"*{SUFFIX}{ASIDE}*") if folder else ():
            if aside.suffix != WAL and day_of_name(aside) is not None:
                self._aside[aside] = note_in(aside) or "it was set aside before"
        known = {day_of_name(aside) for aside in self._aside} | {*days, *removed}
        self._missing = {
            day: reason
            for day, reason in before.missing.items()
            if day not in days or day in before.days
        }
        for day in sorted({*before.days} - known):
            self.miss(day, GONE)
        self._saved = before

    def __len__(self) -> int:
        return len(self._aside) + len(self._missing)

    def between(self, first: date, last: date) -> list[date]:
        """Days of which something is lost."""
        days = {*self._missing, *filter(None, map(day_of_name, self._aside))}
        return sorted(day for day in days if first <= day <= last) if days else []

    def miss(self, day: date, reason: str) -> None:
        self._missing[day] = reason
        _log.error("The partition of %s is %s.", day, reason)

    def expect(self, day: date, days: Iterable[date]) -> None:
        """A file is made for this day, in place of the one that is missed, if it is:
        so that it is not taken for that one after a crash.
        """
        if day in self._missing:
            self.save({*days, day})

    def forget(self, first: date, last: date) -> None:
        """All of these days was deleted: nothing of them is missed any more."""
        for day in [day for day in self._missing if first <= day <= last]:
            del self._missing[day]

    def set_aside(self, path: Path, reason: str) -> None:
        """Keep a damaged file, or what is left of one, under another name.

        Raises:
            StorageError: it cannot be renamed.
        """
        target = _free_name(path)
        try:
            if path.exists():
                path.rename(target)
                self._aside[target] = reason
            if wal_of(path).exists():
                wal_of(path).rename(wal_of(target))
        except OSError as failure:
            raise StorageError(
                f"The damaged partition {path} cannot be renamed ({failure.strerror})."
            ) from None
        _log.error("A partition is kept as %s: %s. A new one is made.", target, reason)

    def note_lacking(self, path: Path, entries: int) -> None:
        """A day opens, without some of its entries. Told until the note is taken away.

        Raises:
            OSError: the note cannot be written.
        """
        told = lacking(entries)
        day = day_of_name(path)
        if any(day_of_name(x) == day and self._aside[x] == told for x in self._aside):
            return  # a crash came between the note and what follows it
        target = _free_name(path)
        write_durably(target, told.encode())
        self._aside[target] = told
        _log.error("The partition %s %s.", path, told)

    def look(self) -> None:
        """What was set aside, and somebody took away, is told of no more."""
        for path in [path for path in self._aside if not path.exists()]:
            del self._aside[path]

    def states(self) -> list[PartitionState]:
        found = [
            PartitionState(day=day, stored_bytes=0, broken=reason)
            for day, reason in self._missing.items()
        ]
        for path, reason in self._aside.items():
            if (day := day_of_name(path)) is None:
                continue
            with suppress(FileNotFoundError):
                size = path.stat().st_size
                told = f"kept as {path.name}: {reason}"
                if reason.startswith(LACKS):
                    told = f"{reason} (told until {path.name} is taken away)"
                found.append(PartitionState(day=day, stored_bytes=size, broken=told))
        return found

    def save(self, days: Iterable[date]) -> None:
        """Keep which days there are, if that has changed. A failure is only logged:
        it is tried again, and costs no more than that a day is not missed.
        """
        now = Register(days=sorted(days), missing=dict(self._missing))
        if self._path is None or now == self._saved:
            return
        try:
            write_durably(self._path, msgspec.json.encode(now))
        except OSError as failure:
            _log.warning("Which days there are cannot be kept: %s", failure)
        else:
            self._saved = now


def _free_name(path: Path) -> Path:
    """To set a file aside as."""
    number = 1
    while True:
        target = path.with_name(f"{path.name}{ASIDE}{number}")
        if not (target.exists() or wal_of(target).exists()):
            return target
        number += 1


def lacking(entries: int) -> str:
    """What is said of a day whose log was lost."""
    return f"{LACKS}{entries} entries: its write-ahead log was gone or cut off"


def note_in(aside: Path) -> str:
    """What a note says of its day; empty: it is a file that was set aside."""
    if aside.stat().st_size > _LARGEST_NOTE_BYTES:
        return ""
    text = aside.read_text(errors="replace")
    return text if text.startswith(LACKS) else ""


def drop_unfinished(path: Path | None) -> bool:
    """Remove a file that DuckDB never finished to make, since the process was killed or
    the disk full: nothing was ever in it. Whether it was one.
    """
    if path is None or not path.exists() or path.stat().st_size >= _SMALLEST_BYTES:
        return False
    begin = path.read_bytes()[8:12]
    if begin.strip(b"\0") and not _MAGIC.startswith(begin):
        return False  # somebody else wrote that
    path.unlink()
    return True


def verify_register(path: Path, days: Collection[date], report: Report) -> None:
    """Of a folder that no process uses, which has the files of these days."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Register)
    except FileNotFoundError:
        return
    except (OSError, msgspec.MsgspecError) as error:
        report.problem(path.name, str(error))
        return
    back = {day for day in found.missing if day in days and day not in found.days}
    for day in sorted(({*found.days} - {*days} | {*found.missing}) - back):
        report.problem(f"partitions/{day}{SUFFIX}", GONE)


def read_register(path: Path | None) -> Register:
    """An empty one if it cannot be read."""
    if path is None or not path.exists():
        return Register()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Register)
    except (OSError, msgspec.MsgspecError) as error:
        _log.warning("Which days there were cannot be read in %s: %s", path, error)
        return Register()
