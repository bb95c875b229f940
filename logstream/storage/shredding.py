"""Which rows have their fields shredded: a sender's names never decide our cost.

DuckDB makes a column of every name that it finds in a row group. With few names that
reads four times as fast; each further name costs every row (64 names load at a third of
the speed of 12, 3 000 at a hundredth), and a name whose values are of mixed types
reads slower than one that is not shredded. So what a batch holds is sampled before it
is loaded, and a day with too many names is written unshredded from then on.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import msgspec

MAX_NAMES = 40
"""Of which a day is shredded; or, when that is more, so many times the names that an
entry has: rows that all have the same hundred names are what shredding is for."""
_NAMES_OF_AN_ENTRY = 6
_MIN_MIXED = 4
"""So many names of mixed types, when they are most of all, are too many as well."""
_MIXED_SHARE = 0.05
_PIECES = 16
_PIECE_BYTES = 32_768
_OFF = -1


def names_allowed(per_entry: float) -> int:
    """How many names a day that is shredded may have, by those of its mean entry."""
    return max(MAX_NAMES, int(per_entry * _NAMES_OF_AN_ENTRY))


class _Line(msgspec.Struct, gc=False):
    fields: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Line).decode


class Names:
    """The names of fields that a day has shown, as far as they count. Thread-safe."""

    def __init__(self) -> None:
        self.wide = False
        """Too many: its rows are not to be shredded. Never taken back while the day is
        attached, since rows that wait for a checkpoint may still be of that kind."""
        self.rows_together = 0
        """So many rows are known to have their fields together, not in columns."""
        self._names: set[str] = set()
        self._limit = MAX_NAMES
        self._lock = threading.Lock()

    def of_next_part(self) -> "Names":
        """What is known of a day from whose next entries there is another file."""
        names = Names()
        with self._lock:
            names.wide, names._limit = self.wide, self._limit
            names._names = set(self._names)
        return names

    def see(self, sample: "Sample") -> bool:
        """Note what a batch holds, before it is loaded; whether the day is wide."""
        if not self.wide:
            with self._lock:
                self._names |= sample.names
                self._limit = max(self._limit, sample.limit())
                count = max(len(self._names), sample.estimated_names())
                if count > self._limit or sample.is_mixed():
                    self.wide = True
                    self._names.clear()
        return self.wide


class Shredding:
    """Turns shredding off while somebody writes rows that are not to be shredded.

    DuckDB has one setting for all. Whoever loads few names at the same moment has their
    rows written unshredded too, which costs reading speed until the day is compacted.
    """

    def __init__(self, root: duckdb.DuckDBPyConnection) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._off = 0
        self._usual = int(_setting(root))

    @contextmanager
    def off(self, wanted: bool = True) -> Iterator[None]:
        """Rows that are written inside, by a load or a checkpoint, are not shredded.

        Args:
            wanted: With false it does nothing.
        """
        if not wanted:
            yield
            return
        self._change(1)
        try:
            yield
        finally:
            self._change(-1)

    def _change(self, by: int) -> None:
        with self._lock:
            before, self._off = self._off, self._off + by
            if bool(before) == bool(self._off):
                return
            size = _OFF if self._off else self._usual
            cursor = self._root.cursor()
            try:
                cursor.execute(f"SET GLOBAL variant_minimum_shredding_size = {size}")
            finally:
                cursor.close()


def _setting(root: duckdb.DuckDBPyConnection) -> str:
    text = "SELECT current_setting('variant_minimum_shredding_size')"
    return str(root.execute(text).fetchall()[0][0])


class Sample:
    """What some lines say of the names in all."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._counts: Counter[str] = Counter()
        self._kinds: Counter[tuple[str, type]] = Counter()
        self._entries = 0
        for line in lines:
            try:
                fields = _decode(line).fields
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue
            if fields:
                self._entries += 1
                self._add("", fields)

    @property
    def names(self) -> set[str]:
        return set(self._counts)

    def limit(self) -> int:
        if not self._entries:
            return MAX_NAMES
        return names_allowed(self._counts.total() / self._entries)

    def estimated_names(self) -> int:
        """With those that the sample missed (Chao's estimate: as many as the names that
        were seen once make likely).
        """
        often = Counter(self._counts.values())
        once, twice = often[1], often[2]
        return len(self._counts) + once * (once - 1) // (2 * (twice + 1))

    def is_mixed(self) -> bool:
        """Whether most names have values of several kinds. Names seen a few times do
        not tell.
        """
        largest: Counter[str] = Counter()
        total: Counter[str] = Counter()
        for (name, _), count in self._kinds.items():
            total[name] += count
            largest[name] = max(largest[name], count)
        known = [name for name, count in total.items() if count >= 1 / _MIXED_SHARE]
        mixed = sum(1 - largest[name] / total[name] > _MIXED_SHARE for name in known)
        return mixed >= _MIN_MIXED and 2 * mixed > len(known)

    def _add(self, prefix: str, found: dict[str, Any]) -> None:
        for name, value in found.items():
            self._add_value(f"{prefix}{name}", value)

    def _add_value(self, path: str, value: Any) -> None:
        self._counts[path] += 1
        if value is not None:
            self._kinds[path, float if type(value) is int else type(value)] += 1
        if isinstance(value, dict):
            self._add(f"{path}\0", value)
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, dict):
                    self._add(f"{path}\0\0", item)


def sample_of(path: Path) -> Sample:
    """A look at a file of NDJSON: a few milliseconds, however large it is."""
    return Sample(_some_lines(path))


def _some_lines(path: Path) -> Iterator[bytes]:
    """Whole lines from places spread over the file; all of a small one."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size <= _PIECES * _PIECE_BYTES:
            file.seek(0)
            yield from file
            return
        for piece in range(_PIECES):
            file.seek(size * piece // _PIECES)
            if piece:
                file.readline()
            yield from file.readlines(_PIECE_BYTES)
