"""The one DuckDB instance of the process: partitions are attached to it.

A cursor is for one thread. Reads are bounded in time by an interrupt from a timer,
since DuckDB has no time limit of its own.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from logstream.config.settings import StorageConfig
from logstream.core.errors import (
    BadRequest,
    QueryTimeout,
    StorageCorrupt,
    StorageError,
)

_AGAIN_S = 0.05


class Hub:
    """Thread-safe: every thread takes cursors of its own."""

    def __init__(self, config: StorageConfig, *, tmp: Path | None) -> None:
        options: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{config.memory_bytes}B",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            # Our own checkpoints, in quiet moments: an automatic one stalls ingest.
            "checkpoint_threshold": "1GB",
        }
        if tmp is not None:
            options["temp_directory"] = str(tmp)
        if config.threads:
            options["threads"] = config.threads
        self._root = duckdb.connect(":memory:", config=options)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        return self._root.cursor()

    @contextmanager
    def writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor in a transaction: committed at the end, rolled back on an error."""
        cursor = self._root.cursor()
        try:
            with transaction(cursor):
                yield cursor
        finally:
            cursor.close()

    @contextmanager
    def reading(self, timeout_s: float) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor whose statements are stopped together after `timeout_s`.

        Raises:
            QueryTimeout: they took longer.
            BadRequest: DuckDB found the query, or a value in it, to be impossible.
            StorageError: DuckDB could not.
        """
        cursor = self._root.cursor()
        watch = _Watch(cursor, timeout_s)
        try:
            yield cursor
        except duckdb.InterruptException:
            raise QueryTimeout(
                f"The query took longer than {timeout_s:g} s: narrow its time range or "
                "its filter, or raise query.timeout_s."
            ) from None
        except (duckdb.ConversionException, duckdb.OutOfRangeException) as error:
            raise BadRequest(f"The query cannot be run: {first_line(error)}") from None
        except duckdb.Error as error:
            kind = StorageCorrupt if "Corrupt " in str(error) else StorageError
            raise kind(f"The query failed: {first_line(error)}") from error
        finally:
            watch.end()
            cursor.close()

    def close(self) -> None:
        self._root.close()


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


class _Watch:
    """Interrupts a cursor when its time is over, and goes on to: an interrupt between
    two statements is forgotten by the second one.
    """

    def __init__(self, cursor: duckdb.DuckDBPyConnection, timeout_s: float) -> None:
        self._cursor = cursor
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._over = False
        self._timer = self._start(timeout_s)

    def end(self) -> None:
        """No interrupt comes after this."""
        with self._lock:
            self._over = True
            self._timer.cancel()

    def _start(self, pause_s: float) -> threading.Timer:
        timer = threading.Timer(pause_s, self._interrupt)
        timer.daemon = True
        timer.start()
        return timer

    def _interrupt(self) -> None:
        with self._lock:
            if not self._over:
                self._cursor.interrupt()
                self._timer = self._start(_AGAIN_S)
