"""The bounds of one query: its time, and a way to stop it from another thread.

A query is one or more statements on cursors of one thread. Whoever runs it makes it
known with `bounded_by`, and `Hub.reading` keeps to it: no method of the reader has to
hand it on. DuckDB forgets an interrupt that comes between two statements, so it is sent
again and again until the query has ended.

One thread watches the clock for all of them: to start one for each query takes 0.06 ms,
and 1 ms where others run.
"""

import atexit
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from math import inf
from typing import Protocol

import duckdb

from logstream.core.errors import QueryCancelled, QueryTimeout, StorageError

_AGAIN_S = 0.05


class QueryControl:
    """Thread-safe. Its time begins when it is made.

    Args:
        timeout_s: Of all its statements together.
        left_out: Takes the days that it should have looked into, and could not.
    """

    def __init__(self, timeout_s: float, left_out: set[date] | None = None) -> None:
        self.timeout_s = timeout_s
        self.began = time.monotonic()
        self._deadline = self.began + timeout_s
        self._lock = threading.Lock()
        self._cursors: list[duckdb.DuckDBPyConnection] = []
        self._ended: StorageError | None = None
        self.days: set[date] = set()
        """That it looked into."""
        self.left_out: set[date] = set() if left_out is None else left_out

    def cancel(self) -> None:
        """Stop what runs, soon, and whatever the query would run after it."""
        self.end(QueryCancelled("Whoever asked has gone."))

    def end(self, reason: StorageError) -> None:
        """Stop it as `cancel` does, for a reason; the first one counts."""
        with self._lock:
            self._ended = self._ended or reason
            self._interrupt()

    def why(self) -> StorageError | None:
        """Why it may not go on; None when it may."""
        if self._ended is not None:
            return self._ended
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
            self._set_alarm()
        try:
            yield
        finally:
            with self._lock:  # no interrupt comes after this
                self._cursors.remove(cursor)
                if not self._cursors:
                    alarms.clear(self)

    def ring(self) -> None:
        """Its time may be over."""
        with self._lock:
            self._interrupt()

    def _set_alarm(self) -> None:
        soon = time.monotonic() + _AGAIN_S
        alarms.set(self, soon if self._ended else max(self._deadline, soon))

    def _interrupt(self) -> None:
        for cursor in self._cursors:
            cursor.interrupt()
        if self._cursors:
            self._set_alarm()


class Rings(Protocol):
    """What has something to do at a given time, quickly."""

    def ring(self) -> None: ...


class Alarms:
    """Rings at given times, from one thread of its own. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: dict[Rings, float] = {}
        self._wakes = inf
        self._ended = False
        self._thread: threading.Thread | None = None

    def set(self, one: Rings, at: float) -> None:
        """Ring then, by `time.monotonic`, and not when it was set to before."""
        with self._changed:
            self._due[one] = at
            if self._thread is None or not self._thread.is_alive():
                self._ended = False
                # A thread that runs when Python ends has DuckDB's module complain.
                atexit.unregister(self._end)
                atexit.register(self._end)
                self._thread = threading.Thread(
                    target=self._run, name="query-alarms", daemon=True
                )
                self._thread.start()
            elif at < self._wakes:
                self._changed.notify()

    def clear(self, one: Rings) -> None:
        with self._changed:  # it may wake for nothing: that is cheaper than to tell it
            self._due.pop(one, None)

    def _end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._ended:
            for one in self._wait():
                one.ring()

    def _wait(self) -> list[Rings]:
        """Those whose time has come."""
        with self._changed:
            while not self._ended:
                now = time.monotonic()
                if over := [each for each, at in self._due.items() if at <= now]:
                    for one in over:
                        del self._due[one]
                    return over
                self._wakes = min(self._due.values(), default=inf)
                self._changed.wait(None if self._wakes == inf else self._wakes - now)
            return []


alarms = Alarms()
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
