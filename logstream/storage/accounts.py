"""Accounts: how many entries each day was given, to notice that some are gone.

Rows that wait for a checkpoint are in the write-ahead log beside the file of their day,
and the journal has let go of them. DuckDB takes a log that is gone, or cut off
anywhere, for one that ends there. So of each day with rows in its log, how many entries
were ever loaded into it stands in `accounts.json`: before the first segment is retired
whose rows are in the log, and then every second. That number never goes down, so a day
that opens with fewer lacks the rest.
"""

import logging
import threading
from collections.abc import Iterable
from pathlib import Path

import duckdb
import msgspec

from logstream.core.durable import write_durably
from logstream.core.findings import Report
from logstream.storage.hub import Hub
from logstream.storage.keyed import as_keys, as_texts
from logstream.storage.partition import Key, Partition

_log = logging.getLogger(__name__)

LOADED = "SELECT coalesce(sum(entries), 0)::BIGINT FROM {name}.applied"
"""Entries that a day was ever given; those that were deleted since are among them."""


class Register(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `accounts.json`."""

    loaded: dict[str, int] = {}
    """Entries by partition, at least; of those with rows in their logs."""


class Accounts:
    """Thread-safe.

    Args:
        path: Of the file; None: nothing is noticed.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._unchecked = read_accounts(path)
        """As an earlier process left them."""
        self._known: dict[Key, tuple[Partition, int, int]] = {}
        """Of days with rows in their logs: writes at that time, entries."""
        self._saved = dict(self._unchecked)
        self._warned = False

    def unchecked(self) -> list[Key]:
        """Those that nobody has looked into since an earlier process ended."""
        with self._lock:
            return sorted(self._unchecked)

    def lacking(self, hub: Hub, partition: Partition) -> int:
        """How many entries a day lacks that an earlier process had in it. That has to
        be known until the day is `drop`ped here, and is not looked for after that.

        Raises:
            duckdb.Error: it cannot be read.
        """
        with self._lock:
            told = self._unchecked.get(partition.key)
        return 0 if told is None else max(0, told - _loaded(hub, partition))

    def drop(self, key: Key) -> None:
        """There is no such file any more, or it is checked."""
        with self._lock:
            self._unchecked.pop(key, None)
            self._known.pop(key, None)
            if key in self._saved:
                self._save()  # a new file of this name begins with nothing

    def keep(self, hub: Hub, partitions: Iterable[Partition], *, all_: bool) -> None:
        """Count, and write down what has changed. A failure is only logged: it costs no
        more than that a loss is not noticed.

        Args:
            all_: Else only if there is a day that is not written down at all.
        """
        if self._path is None:
            return
        with self._lock:
            dirty = [one for one in partitions if one.dirty_rows and one.path]
            if not all_ and all(one.key in self._saved for one in dirty):
                return
            before, self._known = self._known, {}
            for partition in dirty:
                known = before.get(partition.key)
                writes = partition.writes
                if known is None or known[:2] != (partition, writes):
                    try:
                        known = (partition, writes, _loaded(hub, partition))
                    except duckdb.Error:
                        continue  # let go of meanwhile, or to be opened anew
                self._known[partition.key] = known
            self._save()

    def _save(self) -> None:
        """The caller has the lock."""
        known = {key: loaded for key, (_, _, loaded) in self._known.items()}
        now = {**self._unchecked, **known}
        if self._path is None or now == self._saved:
            return
        try:
            write_durably(
                self._path, msgspec.json.encode(Register(loaded=as_texts(now)))
            )
        except OSError as failure:
            if not self._warned:
                _log.warning("What the days were given cannot be kept: %s", failure)
            self._warned = True
        else:
            self._saved = now
            self._warned = False


def _loaded(hub: Hub, partition: Partition) -> int:
    cursor = hub.cursor()
    try:
        text = LOADED.format(name=partition.name)
        return int(cursor.execute(text).fetchall()[0][0])
    finally:
        cursor.close()


def verify_accounts(path: Path, report: Report) -> dict[Key, int]:
    """Of a folder that no process uses: what is known of its days."""
    try:
        return _read(path)
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        report.problem(path.name, str(error))
        return {}


def read_accounts(path: Path | None) -> dict[Key, int]:
    """Nothing if they cannot be read."""
    if path is None or not path.exists():
        return {}
    try:
        return _read(path)
    except (OSError, msgspec.MsgspecError) as error:
        _log.warning("What the days were given cannot be read in %s: %s", path, error)
        return {}


def _read(path: Path) -> dict[Key, int]:
    return as_keys(msgspec.json.decode(path.read_bytes(), type=Register).loaded)
