"""Statements: runs the plan of a query over as few days as can answer."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import duckdb
import msgspec

from logstream.core.errors import BadRequest
from logstream.core.plan import Plan
from logstream.core.sql import SAID
from logstream.storage.forms import Begun, read_again
from logstream.storage.hub import Hub, first_line
from logstream.storage.partitions import Partitions
from logstream.storage.plan_reading import PlanReading
from logstream.storage.results import Result

T = TypeVar("T")

_NO_PATTERN = "Pattern failed to parse"
"""A regular expression that is none to RE2."""


class DayRead(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan reads of a day; for EXPLAIN."""

    day: str
    place: str
    """What the skip index leaves, as a condition or a number of blocks; empty: all."""


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    sql: str
    days: dict[str, list[DayRead]]
    """By scan."""
    plan: str
    """DuckDB's own."""


class Statements:
    """Thread-safe. Every call is bounded by `timeout_s`.

    Args:
        tmp: Where a file may be written for a moment; None: in memory.

    Raises (each method):
        QueryTimeout, QueryMemory, BadRequest, StorageError: see `Hub.reading`.
    """

    def __init__(
        self,
        hub: Hub,
        partitions: Partitions,
        *,
        timeout_s: float,
        tmp: Path | None = None,
    ) -> None:
        self._hub = hub
        self._partitions = partitions
        self._timeout_s = timeout_s
        self._tmp = tmp

    def run(
        self,
        plan: Plan,
        consume: Callable[[Result], T],
        *,
        from_ns: int | None = None,
        to_ns: int | None = None,
        limit: int | None = None,
        whole: bool = False,
    ) -> T:
        """Hand the rows to `consume`, and return what that makes of them.

        The quick form of the plan is run, and the safe one when some value makes that
        fail, while no row was given.

        Args:
            from_ns, to_ns: Only entries of [from_ns, to_ns).
            limit: Rows at most; None: all.
            whole: More rows than `limit` are TooLarge, and not left out.
        """

        def read(db: duckdb.DuckDBPyConnection, fast: bool) -> T:
            reading = PlanReading(db, self._partitions, plan, from_ns, to_ns, fast=fast)
            statement = reading.statement()
            result = Result(
                db, statement, plan.columns, limit=limit, whole=whole, tmp=self._tmp
            )
            try:
                found = consume(result)
            except duckdb.Error as error:
                if result.begun:
                    raise Begun(error) from error
                raise
            if result.is_over and not reading.has_tables:
                self._hub.leaves_nothing(db)
            return found

        return self._read(read)

    def explain(
        self, plan: Plan, *, from_ns: int | None = None, to_ns: int | None = None
    ) -> Explained:
        """What `run` would do, without doing it."""

        def read(db: duckdb.DuckDBPyConnection, fast: bool) -> Explained:
            reading = PlanReading(db, self._partitions, plan, from_ns, to_ns, fast=fast)
            statement = reading.at_once()
            rows = db.execute(f"EXPLAIN {statement.text}", statement.params).fetchall()
            return Explained(
                sql=statement.text,
                days={
                    scan.name: [
                        DayRead(day=str(one.key), place=look.told)
                        for one, look in reading.days(scan)
                    ]
                    for scan in plan.scans
                },
                plan=str(rows[0][1]) if rows else "",
            )

        return self._read(read)

    def _read(self, read: Callable[[duckdb.DuckDBPyConnection, bool], T]) -> T:
        with self._hub.reading(self._timeout_s) as db:
            try:
                return read_again(db, self._partitions, read)
            except (
                duckdb.InvalidInputException,
                duckdb.CatalogException,
                duckdb.BinderException,
            ) as error:
                if _is_of_database(error):
                    raise
                raise BadRequest(_reason(error)) from error


def _reason(error: duckdb.Error) -> str:
    """In words for who asked, and not DuckDB's, where these are known."""
    line = first_line(error)
    _, marked, said = line.partition(SAID)
    if marked:
        return f"{said}."
    if "too large" in line:
        return (
            "A regular expression of the query is too large: write it shorter, with "
            "fewer and smaller repeats."
        )
    return f"The query cannot be run: {line}"


def _is_of_database(error: duckdb.Error) -> bool:
    """Not of what the query says."""
    binds = isinstance(error, duckdb.CatalogException | duckdb.BinderException)
    return binds and _NO_PATTERN not in str(error)
