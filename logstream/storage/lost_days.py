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
from logstream.storage.keyed import as_keys, as_texts, keys_of
from logstream.storage.partition import (
    SUFFIX,
    WAL,
    Key,
    PartitionState,
    key_of_name,
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

    days: list[Key] = []
    """Whose files there are."""
    missing: dict[Key, str] = {}
    """Whose file was gone, and what is said of them. Some have a new one since."""


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    days: list[str] = []
    missing: dict[str, str] = {}


class LostDays:
    """For one thread at a time: its owner has a lock.

    Args:
        folder: Of the partitions; None: in memory, where nothing is lost.
        path: Of the register; None: nothing is missed.
        before: What it says.
        keys: Whose files there are.
        removed: Those whose removal a crash cut short.
    """

    def __init__(
        self,
        folder: Path | None,
        path: Path | None,
        before: Register,
        keys: Collection[Key],
        removed: Collection[Key],
    ) -> None:
        self._path = path
        self._aside: dict[Path, str] = {}
        for aside in folder.glob(f"*{SUFFIX}{ASIDE}*") if folder else ():
            if aside.suffix != WAL and key_of_name(aside) is not None:
                self._aside[aside] = note_in(aside) or "it was set aside before"
        known = {key_of_name(aside) for aside in self._aside} | {*keys, *removed}
        self._missing = {
            key: reason
            for key, reason in before.missing.items()
            if key not in keys or key in before.days
        }
        for key in sorted({*before.days} - known):
            self.miss(key, GONE)
        self._saved = before

    def __len__(self) -> int:
        return len(self._aside) + len(self._missing)

    def between(self, first: date, last: date) -> list[Key]:
        """Those of which something is lost."""
        if not len(self):
            return []
        keys = {*self._missing, *filter(None, map(key_of_name, self._aside))}
        return sorted(key for key in keys if first <= key.day <= last)

    def miss(self, key: Key, reason: str) -> None:
        self._missing[key] = reason
        _log.error("The partition of %s is %s.", key, reason)

    def expect(self, key: Key, keys: Iterable[Key]) -> None:
        """A file is made for this one, in place of the one that is missed, if it is:
        so that it is not taken for that one after a crash.
        """
        if key in self._missing:
            self.save({*keys, key})

    def forget(self, first: date, last: date) -> None:
        """All of these days was deleted: nothing of them is missed any more."""
        for key in [key for key in self._missing if first <= key.day <= last]:
            del self._missing[key]

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
        key = key_of_name(path)
        if any(key_of_name(x) == key and self._aside[x] == told for x in self._aside):
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
            PartitionState(day=key.day, part=key.part, stored_bytes=0, broken=reason)
            for key, reason in self._missing.items()
        ]
        for path, reason in self._aside.items():
            if (key := key_of_name(path)) is None:
                continue
            with suppress(FileNotFoundError):
                size = path.stat().st_size
                told = f"kept as {path.name}: {reason}"
                if reason.startswith(LACKS):
                    told = f"{reason} (told until {path.name} is taken away)"
                found.append(
                    PartitionState(
                        day=key.day, part=key.part, stored_bytes=size, broken=told
                    )
                )
        return found

    def save(self, keys: Iterable[Key]) -> None:
        """Keep which days there are, if that has changed. A failure is only logged:
        it is tried again, and costs no more than that a day is not missed.
        """
        now = Register(days=sorted(keys), missing=dict(self._missing))
        if self._path is None or now == self._saved:
            return
        try:
            write_durably(self._path, _encoded(now))
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


def verify_register(path: Path, keys: Collection[Key], report: Report) -> None:
    """Of a folder that no process uses, which has the files of these."""
    try:
        found = _read(path)
    except FileNotFoundError:
        return
    except (OSError, msgspec.MsgspecError) as error:
        report.problem(path.name, str(error))
        return
    back = {key for key in found.missing if key in keys and key not in found.days}
    for key in sorted(({*found.days} - {*keys} | {*found.missing}) - back):
        report.problem(f"partitions/{key}{SUFFIX}", GONE)


def read_register(path: Path | None) -> Register:
    """An empty one if it cannot be read."""
    if path is None or not path.exists():
        return Register()
    try:
        return _read(path)
    except (OSError, msgspec.MsgspecError) as error:
        _log.warning("Which days there were cannot be read in %s: %s", path, error)
        return Register()


def _read(path: Path) -> Register:
    kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
    return Register(days=keys_of(kept.days), missing=as_keys(kept.missing))


def _encoded(register: Register) -> bytes:
    kept = _Kept(days=[*map(str, register.days)], missing=as_texts(register.missing))
    return msgspec.json.encode(kept)
