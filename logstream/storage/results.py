"""A result: rows that a statement gives as they are taken, with what its columns are.

The statement's own column names are never used: columns are told by their place, and
what users call them goes beside. Only Arrow and Parquet have names inside; there they
are quoted identifiers, made by `_quoted` alone.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import duckdb
import msgspec

from logstream.core.errors import TooLarge
from logstream.core.results import Kind, ResultColumn
from logstream.core.sql import Sql

BATCH_ROWS = 2048

_PLAIN: dict[Kind, str] = {
    "text": "CAST({} AS VARCHAR)",
    "integer": "CAST({} AS BIGINT)",
    "number": "CAST({} AS DOUBLE)",
    "boolean": "CAST({} AS BOOLEAN)",
    "time": "CASE WHEN isfinite(CAST({0} AS TIMESTAMP_NS)) "
    "THEN rtrim(rtrim(strftime(CAST({0} AS TIMESTAMP_NS), "
    "'%Y-%m-%dT%H:%M:%S.%n'), '0'), '.') || 'Z' ELSE CAST({0} AS VARCHAR) END",
    "duration": "CAST({} AS DOUBLE)",
    "json": "CAST(CAST({} AS JSON) AS VARCHAR)",
}
_TYPED: dict[Kind, str] = {
    **_PLAIN,
    "time": "CAST(CAST({} AS TIMESTAMP_NS) AS TIMESTAMPTZ_NS)",
}
_INFINITE = re.compile(r'("(?:[^"\\]|\\.)*")|-?Infinity|NaN')
"""A text, which stays as it is, or a number that JSON has no way to say."""


class Result:
    """Valid on the thread, and inside the block, of the read that it is part of.

    Args:
        db: Has nothing else to do meanwhile.
        statement: A SELECT of as many columns as `columns` has, in that order.
        limit: Rows at most; None: as many as there are.
        whole: More rows than `limit` are an error, and not left out.
        tmp: Where a file may be written for a moment; None: nowhere.
    """

    def __init__(
        self,
        db: duckdb.DuckDBPyConnection,
        statement: Sql,
        columns: Sequence[ResultColumn],
        *,
        limit: int | None = None,
        whole: bool = False,
        tmp: Path | None = None,
    ) -> None:
        self.columns = tuple(columns)
        self.tmp = tmp
        self.begun = False
        """Whether rows were handed out: then another form of the same statement can
        not be tried any more without giving them twice."""
        self.truncated = False
        """Whether there are more rows than `limit`; known behind `batches`."""
        self.is_over = False
        """Whether `batches` came to the end of the statement."""
        self.given = 0
        """Rows that Arrow or Parquet got."""
        self._db = db
        self._statement = statement
        self._limit = limit
        self._whole = whole

    @property
    def names(self) -> list[str]:
        """Of the columns, each once: a name that is there already gets a number."""
        return unique_names([column.name for column in self.columns])

    def batches(self, size: int = BATCH_ROWS) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of what JSON has: times as RFC 3339 text, `json` as JSON text.

        Raises:
            TooLarge: there are more than `limit`, and all are wanted.
            duckdb.Error: the statement cannot be run, or to its end.
        """
        self.truncated = False
        left = self._limit
        # One row more than wanted tells whether there are more.
        self._db.execute(*self._select(_PLAIN, more=1))
        while rows := self._db.fetchmany(size):
            self.begun = True
            if left is not None:
                self.truncated = len(rows) > left
                if self.truncated and self._whole:
                    self._refuse()
                rows = rows[:left]
                left -= len(rows)
            if rows:
                yield rows
        self.is_over = True

    def arrow(self) -> duckdb.DuckDBPyRelation:
        """Anything that takes `__arrow_c_stream__` may read it, once, and tells
        `expect_whole` how many rows there were.

        Raises:
            duckdb.Error: the statement cannot be run.
        """
        text, params = self._select_typed()
        return self._db.sql(text, params=list(params))

    def write_parquet(self, path: Path) -> None:
        """Write all of it to a new file.

        Raises:
            TooLarge: there are more than `limit`, and all are wanted.
            duckdb.Error: the statement cannot be run, or to its end.
        """
        text, params = self._select_typed()
        copy = f"COPY ({text}) TO ? (FORMAT parquet, COMPRESSION zstd)"
        done = self._db.execute(copy, (*params, str(path))).fetchall()
        self.expect_whole(done[0][0])

    def expect_whole(self, count: int) -> None:
        """Raises TooLarge: so many rows came, more than `limit`, and all are wanted."""
        self.given = count
        if self._whole and self._limit is not None and count > self._limit:
            self._refuse()

    def _refuse(self) -> NoReturn:
        raise TooLarge(
            f"There are more than {self._limit} rows (query.max_stream_rows): narrow "
            "the time range or the filter, or set a limit."
        )

    def _select_typed(self) -> tuple[str, tuple[Any, ...]]:
        zone = self._db.execute("SELECT current_setting('TimeZone')").fetchall()
        if zone != [("UTC",)]:  # what instants say; a confined store is set so for good
            self._db.execute("SET TimeZone = 'UTC'")
        return self._select(_TYPED, more=1 if self._whole else 0)

    def _select(
        self, forms: dict[Kind, str], *, more: int = 0
    ) -> tuple[str, tuple[Any, ...]]:
        inner = [f"c{at}" for at in range(len(self.columns))]
        outer = ", ".join(
            f"{forms[column.kind].format(name)} AS {_quoted(shown)}"
            for name, column, shown in zip(inner, self.columns, self.names, strict=True)
        )
        body, params = self._statement.text, self._statement.params
        text = f"SELECT {outer} FROM ({body}) AS r({', '.join(inner)})"
        if self._limit is not None:
            return f"{text} LIMIT ?", (*params, self._limit + more)
        return text, params


def unique_names(names: Sequence[str]) -> list[str]:
    """Apart from each other by more than the case of letters; none is empty, holds NUL,
    or is no UTF-8.
    """
    taken: set[str] = set()
    found = []
    for wanted in names:
        text = wanted.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
        name, number = text or "_", 1
        shown = name
        while shown.casefold() in taken:
            number += 1
            shown = f"{name}_{number}"
        taken.add(shown.casefold())
        found.append(shown)
    return found


def json_value(text: str | None) -> msgspec.Raw | None:
    """JSON text as a value that is encoded as it is; infinite numbers as null."""
    if text is None:
        return None
    if "Infinity" in text or "NaN" in text:
        text = _INFINITE.sub(lambda found: found[1] or "null", text)
    return msgspec.Raw(text.encode())


def _quoted(name: str) -> str:
    """An identifier. The only place where a name that users gave is part of SQL."""
    return '"' + name.replace('"', '""') + '"'
