"""Cursors that are used again: to make one and set its bound takes 0.3 ms, as long as
all the rest of a small read.
"""

import threading

import duckdb

_MOST_IDLE = 8


class Cursors:
    """Of reads. Thread-safe; a cursor is for one thread at a time.

    Args:
        query_memory_bytes: What a sort or group of one read may hold before it spills;
            0 = no bound of its own.
    """

    def __init__(
        self, root: duckdb.DuckDBPyConnection, *, query_memory_bytes: int
    ) -> None:
        self._root = root
        self._bound = query_memory_bytes
        self._lock = threading.Lock()
        self._idle: list[duckdb.DuckDBPyConnection] = []
        self._ready: set[int] = set()
        """Of those that are in use or idle: the ones whose bound is set, by id."""
        self._clean: set[int] = set()
        """Of those that are in use: the ones that may be used again, by id."""

    def take(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._root.cursor()

    def make_ready(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Raises duckdb.Error: the instance failed."""
        if self._bound and id(cursor) not in self._ready:
            # A setting of each connection: there is none for all of them.
            cursor.execute(f"SET operator_memory_limit='{self._bound}B'")
            with self._lock:
                self._ready.add(id(cursor))

    def note_clean(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Nothing of the read is left in it: no open result, table or setting."""
        with self._lock:
            self._clean.add(id(cursor))

    def is_clean(self, cursor: duckdb.DuckDBPyConnection) -> bool:
        return id(cursor) in self._clean

    def give_back(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """It is clean."""
        with self._lock:
            self._clean.discard(id(cursor))
            if len(self._idle) < _MOST_IDLE:
                self._idle.append(cursor)
                return
        self.close(cursor)

    def close(self, cursor: duckdb.DuckDBPyConnection) -> None:
        with self._lock:
            self._ready.discard(id(cursor))
            self._clean.discard(id(cursor))
        cursor.close()
