"""The one DuckDB instance of the process: partitions are attached to it.

A cursor is for one thread. Reads are bounded in time by `storage.control`, in memory by
DuckDB: each by what its sorts and groups may hold before they spill, all together, and
loads with them, by `storage.memory_bytes`; loads come first (`storage.headroom`).
"""

import logging
import re
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import date
from pathlib import Path

import duckdb

from logstream.config.settings import StorageConfig
from logstream.core.errors import (
    BadRequest,
    LogStreamError,
    QueryMemory,
    StorageCorrupt,
    StorageError,
    StoreFailed,
    UnreadableDays,
)
from logstream.storage.control import QueryControl, current_control
from logstream.storage.cursors import Cursors
from logstream.storage.headroom import Headroom
from logstream.storage.holding import holding
from logstream.storage.shredding import Shredding
from logstream.storage.sql.confinement import confine

_log = logging.getLogger(__name__)

_SPILL_SHARE = 4
_UNCOUNTED = 1 << 30
"""Bytes that the process may hold while queries run, beyond what DuckDB counts."""
_CLOSE_S = 10.0
_CLOSE_AGAIN_S = 0.01
_NO_MEMORY = (
    "The query needs more memory than there is for it (query.memory_bytes, "
    "storage.memory_bytes) and room to spill (storage.max_spill_bytes): narrow its "
    "time range or its filter, or try again when fewer run."
)


_INVALID = re.compile(
    r'(?:Checkpoint failed for database|^(?:\w+ Error: )?Database) "(\w+)"'
)


class Hub:
    """Thread-safe: every thread takes cursors of its own.

    Args:
        tmp: What does not fit into memory goes there; None keeps it in memory.
        query_memory_bytes: What a sort or group of one read may hold before it spills;
            0 = no bound of its own.
    """

    def __init__(
        self,
        config: StorageConfig,
        *,
        tmp: Path | None,
        query_memory_bytes: int = 0,
    ) -> None:
        options: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{config.memory_bytes}B",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            # Checkpoints are ours: an automatic one stalls ingest.
            "checkpoint_threshold": "1GB",
            # Of pages up to this, only what sorts is read of every match, and the rest
            # of those that are shown: 3.6 ms instead of 59 ms a million (default 50).
            "late_materialization_max_rows": 1100,
            # What a body leaves beside whole row groups is shredded too (default 30 000
            # rows): a count by a field of 670 000 rows in 2.7 ms instead of 76 ms.
            "variant_minimum_shredding_size": 1_000,
            # A checkpoint merges no row groups, which holds all that was loaded since
            # the last one in memory: 670 000 rows in 0.02 s and nothing, instead of
            # 3.7 s and 390 MB. Compaction merges them.
            "max_vacuum_tasks": 0,
            # A row group that is full waits in memory for no others (default 5).
            "write_buffer_row_group_count": 1,
            # What was freed goes back to the system: 166 MB after a million entries
            # instead of 244 MB, and no slower.
            "allocator_background_threads": True,
            # Where nothing is said, DuckDB spills to where the process was started.
            "temp_directory": "",
        }
        if tmp is not None:
            spill = config.max_spill_bytes
            spill = spill or shutil.disk_usage(tmp).free // _SPILL_SHARE
            options["temp_directory"] = str(tmp)
            options["max_temp_directory_size"] = f"{spill}B"
        if config.threads:
            options["threads"] = config.threads
        self._failure = ""
        self._failure_lock = threading.Lock()
        self._on_failure: Callable[[], None] = lambda: None
        self._on_invalid: Callable[[str], bool] = lambda _: False
        self._on_corrupt: Callable[[Collection[date]], list[date]] = lambda _: []
        self._root = duckdb.connect(":memory:", config=options)
        self._cursors = Cursors(self._root, query_memory_bytes=query_memory_bytes)
        self.shredding = Shredding(self._root)
        self.headroom = Headroom(most_growth_bytes=config.memory_bytes + _UNCOUNTED)
        """Of queries that somebody waits for; what is done inside is not ended."""

    @property
    def failure(self) -> str:
        """Why DuckDB answers nothing any more until the process is started again; empty
        while it does.
        """
        return self._failure

    def on_failure(self, call: Callable[[], None]) -> None:
        """Call this, on any thread, once when `failure` is set; at once if it is."""
        with self._failure_lock:
            self._on_failure = call
            failed = bool(self._failure)
        if failed:
            call()

    def on_invalid(self, call: Callable[[str], bool]) -> None:
        """Call this, on any thread, with the name of an attached database that has to
        be attached anew (`invalid_database`); it says whether that will be done.
        """
        self._on_invalid = call

    def on_corrupt(self, call: Callable[[Collection[date]], list[date]]) -> None:
        """Call this, on the thread that met damage, with the days that its query looked
        into (none: nobody knows); it says which days it has set aside.
        """
        self._on_corrupt = call

    def confine(self, *, folders: Sequence[Path], files: Sequence[Path] = ()) -> None:
        """Open no file from now on but these and those in these folders, take no more
        settings, and load no extension; see `storage.sql.confinement`.
        """
        confine(self._root, folders=folders, files=files)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        return self._root.cursor()

    @contextmanager
    def writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor in a transaction: committed at the end, rolled back on an error."""
        cursor = self._root.cursor()
        try:
            with self.noticing(), transaction(cursor):
                yield cursor
        finally:
            cursor.close()

    @contextmanager
    def reading(
        self, timeout_s: float, *, leaves_nothing: bool = False
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor whose statements are bounded together: as the query is that this
        thread runs (`control.bounded_by`), outside of one by `timeout_s`. Days that
        are got meanwhile stay open to the end.

        Args:
            leaves_nothing: Every result is taken to its end, and no table or view is
                left in the cursor, which is used again then. Who finds that out only
                while it reads says so with `leaves_nothing`.

        Raises:
            QueryTimeout, QueryCancelled, QueryMemory: they went over a bound.
            BadRequest: DuckDB found the query, or a value in it, to be impossible.
            StorageError: DuckDB could not.
        """
        asked = current_control()
        control = asked or QueryControl(timeout_s)
        with (
            nullcontext() if asked is None else self.headroom.running(asked),
            self._bounded(control, again=leaves_nothing) as cursor,
        ):
            yield cursor

    @contextmanager
    def _bounded(
        self, control: QueryControl, *, again: bool
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        cursor = self._cursors.take()
        done = False
        try:
            with self.noticing(), control.stopping(cursor), holding():
                self._cursors.make_ready(cursor)
                yield cursor
            done = True
        except duckdb.Error as error:
            failure = _read_error(error, control)
            if isinstance(failure, StorageCorrupt):
                failure = self._look_for_damage(control.days) or failure
            raise failure from error
        finally:
            if done and (again or self._cursors.is_clean(cursor)):
                self._cursors.give_back(cursor)
            else:
                self._cursors.close(cursor)

    def leaves_nothing(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Say so of the cursor of a read, at its end."""
        self._cursors.note_clean(cursor)

    def _look_for_damage(self, days: Collection[date]) -> StorageError | None:
        aside = ", ".join(map(str, self._on_corrupt(days)))
        if not aside:
            return None
        return UnreadableDays(
            f"A partition is damaged, and was set aside ({aside}): ask again, and what "
            "is sound is found."
        )

    @contextmanager
    def noticing(self) -> Iterator[None]:
        """Notice when DuckDB fails for good: it invalidates the whole instance."""
        try:
            yield
        except duckdb.Error as error:
            name = invalid_database(error)
            healed = name is not None and self._on_invalid(name)
            if not healed and (name is not None or is_fatal(error)):
                self._fail(first_line(error))
            raise

    def note(self, error: duckdb.Error) -> None:
        """Notice it when this one is for good, whatever it is that failed."""
        if invalid_database(error) is None and is_fatal(error):
            self._fail(first_line(error))

    def _fail(self, reason: str) -> None:
        with self._failure_lock:
            if self._failure:
                return
            self._failure = reason
        _log.critical(
            "DuckDB failed for good: %s. Nothing that was acked is lost; it is stored "
            "when LogStream is started again.",
            reason,
        )
        self._on_failure()

    def close(self) -> None:
        """Waits a moment for reads that were cancelled just now: DuckDB closes nothing
        while one of them is on its way out.
        """
        deadline = time.monotonic() + _CLOSE_S
        while True:
            try:
                self._root.close()
            except duckdb.ResourceInUseException:
                if time.monotonic() > deadline:
                    _log.warning("DuckDB is left open: something still uses it.")
                    return
                time.sleep(_CLOSE_AGAIN_S)
            else:
                return


def is_fatal(error: duckdb.Error) -> bool:
    """Whether nothing works any more in this instance."""
    if isinstance(error, duckdb.FatalException):
        return True
    return "been invalidated" in str(error) and invalid_database(error) is None


def invalid_database(error: duckdb.Error) -> str | None:
    """The attached database that a failed checkpoint made useless, until it is attached
    anew: DuckDB does so when memory or the disk ran out. None: it was another error.
    """
    text = str(error)
    found = _INVALID.search(text)
    return found[1] if found and "been invalidated" in text else None


def first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0]


@contextmanager
def transaction(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Committed at the end, rolled back on an error."""
    cursor.execute("BEGIN")
    try:
        yield
        cursor.execute("COMMIT")
    except BaseException:
        # The transaction may be gone already: DuckDB ended it with the error.
        with suppress(duckdb.Error):
            cursor.execute("ROLLBACK")
        raise


def _read_error(error: duckdb.Error, control: QueryControl) -> LogStreamError:
    if isinstance(error, duckdb.InterruptException):
        return control.why() or control.timed_out()
    if isinstance(error, duckdb.OutOfMemoryException):
        return QueryMemory(_NO_MEMORY)
    if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException):
        return BadRequest(f"The query cannot be run: {first_line(error)}")
    if is_fatal(error):
        return StoreFailed(f"DuckDB failed for good: {first_line(error)}")
    kind = StorageCorrupt if "Corrupt " in str(error) else StorageError
    return kind(f"The query failed: {first_line(error)}")
