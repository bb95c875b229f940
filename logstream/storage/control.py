"""The bounds of one query: its time, and a way to stop it from another thread.

A query is one or more statements on cursors of one thread. Whoever runs it makes it
known with `bounded_by`, and `Hub.reading` keeps to it: no method of the reader has to
hand it on. DuckDB forgets an interrupt that comes between two statements, so it is sent
again and again until the query has ended.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import duckdb

from logstream.core.errors import QueryCancelled, QueryTimeout, StorageError

_AGAIN_S = 0.05


class QueryControl:
    """Thread-safe. Its time begins when it is made.

    Args:
        timeout_s: Of all its statements together.
    """

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._deadline = time.monotonic() + timeout_s
        self._lock = threading.Lock()
        self._cursors: list[duckdb.DuckDBPyConnection] = []
        self._timer: threading.Timer | None = None
        self._cancelled = False

    def cancel(self) -> None:
        """Stop what runs, soon, and whatever the query would run after it."""
        with self._lock:
            self._cancelled = True
            self._interrupt()

    def why(self) -> StorageError | None:
        """Why it may not go on; None when it may."""
        if self._cancelled:
            return QueryCancelled("Whoever asked has gone.")
        if time.monotonic() >= self._deadline:
            return self.timed_out()
        return None

    def timed_out(self) -> QueryTimeout:
        return QueryTimeout(
            f"The query took longer than {self.timeout_s:g} s: narrow its time range "
            "or its filter, ask for more with timeout_s, or raise query.timeout_s."
        )

    @contextmanager
    def stopping(self, cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Statements of this cursor are interrupted when the query may not go on.

        Raises:
            QueryTimeout, QueryCancelled: it may not even begin.
        """
        if (over := self.why()) is not None:
            raise over
        with self._lock:
            self._cursors.append(cursor)
            self._set_timer()
        try:
            yield
        finally:
            with self._lock:  # no interrupt comes after this
                self._cursors.remove(cursor)
                if not self._cursors and self._timer is not None:
                    self._timer.cancel()
                    self._timer = None

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        left = _AGAIN_S if self._cancelled else self._deadline - time.monotonic()
        self._timer = threading.Timer(max(left, _AGAIN_S), self._on_timer)
        self._timer.daemon = True
        self._timer.start()

    def _on_timer(self) -> None:
        with self._lock:
            self._interrupt()

    def _interrupt(self) -> None:
        for cursor in self._cursors:
            cursor.interrupt()
        if self._cursors:
            self._set_timer()


_current: ContextVar[QueryControl | None] = ContextVar("query_control", default=None)


def current_control() -> QueryControl | None:
    """Of the query that this thread runs; None outside of one."""
    return _current.get()


@contextmanager
def bounded_by(control: QueryControl) -> Iterator[None]:
    """What this thread reads from the store is one query, with these bounds."""
    token = _current.set(control)
    try:
        yield
    finally:
        _current.reset(token)
