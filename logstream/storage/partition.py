"""A partition: a file of one UTC day, its name, and how it is known to be damaged.

A day is one partition, and when much comes into it several, its parts: the first is
`2026-11-20.duckdb`, the next `2026-11-20.p2.duckdb`. Entries go to the last one.
"""

import re
import threading
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NamedTuple, Self

import duckdb
import msgspec

from logstream.storage.shredding import Names
from logstream.storage.tail import Tail
from logstream.storage.turns import Turns

SUFFIX = ".duckdb"
WAL = ".wal"
INDEX = ".index"
LATE_PLACE = 2_147_483_647
"""Of an entry that came after its day was compacted."""

_KEY = re.compile(r"(\d{4}-\d\d-\d\d)(?:\.p([2-9]|[1-9]\d{1,5}))?", re.ASCII)
_NAME = re.compile(rf"({_KEY.pattern})(?:\.g([1-9]\d{{0,8}}))?\.duckdb.*", re.ASCII)
NS_PER_DAY = 86_400_000_000_000
_EPOCH = date(1970, 1, 1).toordinal()


class Key(NamedTuple):
    """Which partition: `2026-11-20`, or `2026-11-20.p2`. They sort by time of entries,
    and those of a day by when these came.
    """

    day: date
    part: int = 1

    def __str__(self) -> str:
        return self.day.isoformat() + (f".p{self.part}" if self.part > 1 else "")

    def catalog_name(self, generation: int) -> str:
        """What it is called in the hub: `d20261120p2g1`."""
        name = "d" + self.day.isoformat().replace("-", "")
        name += f"p{self.part}" if self.part > 1 else ""
        return name + (f"g{generation}" if generation else "")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError: it is none."""
        if (found := _KEY.fullmatch(text)) is None:
            raise ValueError(f"{text!r} is no partition.")
        return cls(date.fromisoformat(found[1]), int(found[2] or 1))


class PartitionState(msgspec.Struct, frozen=True, kw_only=True):
    """What `partitions()` says of one."""

    day: date
    part: int = 1
    """Of the day, in the order in which its entries came."""
    stored_bytes: int
    """Of the file and its write-ahead log."""
    broken: str = ""
    """Why it does not open; empty when it does."""
    rows: int = 0
    raw_bytes: int = 0
    """Of the canonical NDJSON that the rows came as."""
    oldest: str | None = None
    newest: str | None = None
    """Time stamps of the first and the last entry, RFC 3339."""
    sealed: bool = False
    """It takes no more entries but late ones, and was rewritten in order."""
    indexed: bool = False
    """It has a skip index."""
    last_checkpoint: str | None = None
    """When the file itself was last written, RFC 3339."""


class Partition:
    """An attached one. `name` is its catalog name in the hub."""

    def __init__(self, key: Key, path: Path | None) -> None:
        self.key = key
        self.path = path
        self.generation = generation_of(path) if path is not None else 0
        """How often it was compacted: each time is a file of its own."""
        self.name = key.catalog_name(self.generation)
        self.plan: object = None
        """Its skip index and what goes with it; the planner's own."""
        self.compacted: tuple[str, int, int] | None = None
        """Key and rows of its compaction, and late entries, as of when it was opened;
        None: it is to be asked."""
        self._lock = threading.Lock()
        self.dirty_rows = 0
        """Rows loaded since the last checkpoint; fields of those are slow to read."""
        self.dirty_since = 0.0
        self.names = Names()
        self.tail = Tail()
        self.writers = Turns()
        """Shared by what commits to the file, had alone by what replaces the file."""
        self.invalid = False
        """A checkpoint failed, and DuckDB takes nothing until it is attached anew."""
        self.writes = 0
        """Loads and deletions so far; tells whether anything changed since a look."""
        self.deletions = 0
        """Of them, those that took entries away."""
        self.counted: object = None
        """What its entries came to when they were last counted; see `counting`."""
        self.swept: object = None
        """What retention did last with a part of it; its own."""
        self.on_write: Callable[[], None] = lambda: None
        """Called behind each load and deletion."""
        self.checkpoint_s = 0.0
        """What the last checkpoint took: 10 ms a million entries of the day or more."""
        self._holders = 0
        self._used_at = time.monotonic()
        self.loaded_rows = 0
        """Since it was attached; DuckDB keeps what it wrote of them in memory."""
        self.rows_before: int | None = None
        """Entries that were in it then; None: nobody counted."""

    def mark_dirty(self, rows: int, *, deletes: bool = False) -> None:
        with self._lock:
            if self.dirty_rows == 0:
                self.dirty_since = time.monotonic()
            self.dirty_rows += rows
            self.loaded_rows += 0 if deletes else rows
            self._used_at = time.monotonic()
            self.writes += 1
            self.deletions += deletes
            if self.names.wide and not deletes:
                self.names.rows_together += rows
        if deletes:
            self.tail.clear()
        self.on_write()

    def mark_moved(self, rows: int) -> None:
        """So many rows were written anew, and deleted where they were."""
        with self._lock:
            self.dirty_rows += rows
            self.dirty_since = time.monotonic()
            self.writes += 1
        self.on_write()

    def mark_clean(self, rows: int) -> None:
        """So many of the dirty rows were checkpointed; others may have come since."""
        with self._lock:
            self.dirty_rows -= rows
            self.dirty_since = time.monotonic()

    def hold(self) -> None:
        """It stays open until `let_go`; see `holding`."""
        with self._lock:
            self._holders += 1

    def let_go(self) -> None:
        with self._lock:
            self._holders -= 1
            self._used_at = time.monotonic()

    @property
    def day(self) -> date:
        return self.key.day

    @property
    def unused_s(self) -> float:
        """Since somebody read it or wrote to it."""
        return time.monotonic() - self._used_at

    @property
    def is_held(self) -> bool:
        """Somebody reads it."""
        return self._holders > 0

    @property
    def is_idle(self) -> bool:
        """Nobody reads it, and no row of it waits for a checkpoint."""
        return not (self._holders or self.dirty_rows or self.invalid)

    def is_gone(self) -> bool:
        """Whether somebody took its file away."""
        return self.path is not None and not self.path.exists()

    def logged_bytes(self) -> int:
        """In its write-ahead log, and so in memory, until a checkpoint."""
        if self.path is None:
            return 0
        try:
            return wal_of(self.path).stat().st_size
        except FileNotFoundError:
            return 0

    def stored_bytes(self) -> int:
        if self.path is None:
            return 0
        files = (self.path, wal_of(self.path), index_of(self.path))
        return sum(p.stat().st_size for p in files if p.exists())


_DAMAGE = (
    "is not a valid DuckDB database file",
    "Corrupt database file",
    "Corrupt WAL file",
    "Invalid WAL entry",
    "Could not read enough bytes",
)


def is_corrupt(error: duckdb.Error) -> bool:
    """Whether a file is damaged, and not just locked, forbidden or out of reach.

    DuckDB has no type for it. What is not recognised is taken to pass.
    """
    return any(text in str(error) for text in _DAMAGE)


def wal_of(path: Path) -> Path:
    """The write-ahead log that DuckDB keeps beside a file."""
    return path.with_name(path.name + WAL)


def index_of(path: Path) -> Path:
    """The skip index of a compacted day, beside its file."""
    return path.with_name(path.name.removesuffix(SUFFIX) + INDEX)


def day_of(ns: int) -> date:
    """The day of an instant; the first or last that there is, when it is beyond."""
    day = ns // NS_PER_DAY + _EPOCH
    return date.fromordinal(min(max(day, 1), date.max.toordinal()))


def start_ns(day: date) -> int:
    """The instant at which a day begins."""
    return (day.toordinal() - _EPOCH) * NS_PER_DAY


def key_of_name(path: Path) -> Key | None:
    """Of `2026-11-20.duckdb` or `2026-11-20.p2.g1.duckdb`; None: it is no partition."""
    if (found := _NAME.fullmatch(path.name)) is None:
        return None
    try:
        return Key.parse(found[1])
    except ValueError:
        return None


def generation_of(path: Path) -> int:
    found = _NAME.fullmatch(path.name)
    return int(found[4] or 0) if found else 0
