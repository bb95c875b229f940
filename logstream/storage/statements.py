"""Statements: runs the plan of a query over as few days as can answer."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

import duckdb
import msgspec

from logstream.core.errors import BadRequest
from logstream.core.plan import First, Plan, Scan
from logstream.core.sql import Sql
from logstream.storage.choosing import CHUNK_DAYS
from logstream.storage.forms import Begun, read_again
from logstream.storage.holding import holding
from logstream.storage.hub import Hub, first_line
from logstream.storage.looking import looks_by_time
from logstream.storage.partition import Partition
from logstream.storage.partitions import Partitions
from logstream.storage.planning import Look
from logstream.storage.results import Result
from logstream.storage.selection import Selection, condition, union

T = TypeVar("T")

_FEW_ROWS = 1100
"""As `late_materialization_max_rows` has it."""
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
            statement = self._statement(db, plan, from_ns, to_ns, fast=fast)
            result = Result(
                db, statement, plan.columns, limit=limit, whole=whole, tmp=self._tmp
            )
            try:
                return consume(result)
            except duckdb.Error as error:
                if result.begun:
                    raise Begun(error) from error
                raise

        return self._read(read)

    def explain(
        self, plan: Plan, *, from_ns: int | None = None, to_ns: int | None = None
    ) -> Explained:
        """What `run` would do, without doing it."""

        def read(db: duckdb.DuckDBPyConnection, fast: bool) -> Explained:
            statement = self._statement(
                db, plan, from_ns, to_ns, fast=fast, only_plan=True
            )
            rows = db.execute(f"EXPLAIN {statement.text}", statement.params).fetchall()
            return Explained(
                sql=statement.text,
                days={
                    scan.name: [
                        DayRead(day=one.day.isoformat(), place=look.told)
                        for one, look in self._days(db, scan, from_ns, to_ns, fast)
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
                text = f"The query cannot be run: {first_line(error)}"
                raise BadRequest(text) from error

    def _statement(
        self,
        db: duckdb.DuckDBPyConnection,
        plan: Plan,
        from_ns: int | None,
        to_ns: int | None,
        *,
        fast: bool,
        only_plan: bool = False,
    ) -> Sql:
        scans = [
            self._scan(db, scan, from_ns, to_ns, fast=fast, only_plan=only_plan)
            for scan in plan.scans
        ]
        text = ", ".join(
            f"{scan.name} AS ({sql.text})"
            for scan, sql in zip(plan.scans, scans, strict=True)
        )
        params = [value for sql in scans for value in sql.params]
        return Sql(f"WITH {text} {plan.sql.text}", (*params, *plan.sql.params))

    def _scan(
        self,
        db: duckdb.DuckDBPyConnection,
        scan: Scan,
        from_ns: int | None,
        to_ns: int | None,
        *,
        fast: bool,
        only_plan: bool,
    ) -> Sql:
        days = self._days(db, scan, from_ns, to_ns, fast)
        where = condition(_selection(scan, from_ns, to_ns), fast=fast)
        looks = [look for _, look in islice(days, CHUNK_DAYS)]
        if scan.first is None or only_plan:
            looks += [look for _, look in days]
        each = _each_day(scan, looks or [Look(relation=union([]))], where, fast=fast)
        if scan.first is None or only_plan or len(looks) < CHUNK_DAYS:
            return each
        # The first rows of many days: so many sorts at once need too much memory.
        table = f"first_{scan.name}"
        text = f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT * FROM ({each.text})"
        db.execute(text, each.params)
        while True:
            with holding():
                looks = [look for _, look in islice(days, CHUNK_DAYS)]
                if not looks:
                    return Sql(f"SELECT * FROM {table}")
                each = _each_day(scan, looks, where, fast=fast)
                text = f"INSERT INTO {table} SELECT * FROM ({each.text})"
                db.execute(text, each.params)

    def _days(
        self,
        db: duckdb.DuckDBPyConnection,
        scan: Scan,
        from_ns: int | None,
        to_ns: int | None,
        fast: bool,
    ) -> Iterator[tuple[Partition, Look]]:
        """The days that the scan has to read, and where in each; opened one by one."""
        selection = _selection(scan, from_ns, to_ns)
        return looks_by_time(
            db,
            self._partitions,
            selection,
            condition(selection, fast=fast),
            rows=scan.newest if scan.oldest is None else scan.oldest,
            descending=scan.oldest is None,
        )


def _is_of_database(error: duckdb.Error) -> bool:
    """Not of what the query says."""
    binds = isinstance(error, duckdb.CatalogException | duckdb.BinderException)
    return binds and _NO_PATTERN not in str(error)


def _each_day(scan: Scan, looks: Sequence[Look], where: Sql, *, fast: bool) -> Sql:
    columns = [one.hopeful if fast else one.safe for one in scan.columns]
    select = ", ".join(
        f"{sql.text} AS {one.alias}"
        for sql, one in zip(columns, scan.columns, strict=True)
    )
    values = tuple(value for sql in columns for value in sql.params)
    parts = [_of_day(Sql(select, values), look, where, scan.first) for look in looks]
    text = " UNION ALL ".join(f"({one.text})" for one in parts)
    return Sql(text, tuple(value for one in parts for value in one.params))


def _of_day(select: Sql, look: Look, where: Sql, first: First | None) -> Sql:
    """Of few first rows what sorts is found out first, and the rest of those alone: to
    make JSON of the fields of 38 000 errors for ten of them took ten times as long.
    """
    among = look.among(where.text)
    every = (*select.params, *where.params)
    if first is None:
        return Sql(f"SELECT {select.text} FROM {among}", every)
    order = f"ORDER BY {first.order.text} LIMIT {first.rows:d}"
    every = (*every, *first.order.params)
    if not look.table or first.rows > _FEW_ROWS:
        inner = f"SELECT {select.text} FROM {among}"
        return Sql(f"SELECT * FROM ({inner}) {order}", every)
    found = f"SELECT rowid FROM (SELECT {select.text}, rowid FROM {among}) {order}"
    text = f"SELECT {select.text} FROM {look.table} WHERE rowid IN ({found})"
    return Sql(text, (*select.params, *every))


def _selection(scan: Scan, from_ns: int | None, to_ns: int | None) -> Selection:
    """What the scan selects: the whole query's span, moved, within its own."""
    if from_ns is not None:
        from_ns -= scan.shift_ns + scan.wider_ns
    if to_ns is not None:
        to_ns += scan.wider_ns - scan.shift_ns
    begins, ends = [scan.from_ns, from_ns], [scan.to_ns, to_ns]
    return Selection(
        where=scan.where,
        fast=scan.fast,
        needs=scan.needs,
        from_ns=max((one for one in begins if one is not None), default=None),
        to_ns=min((one for one in ends if one is not None), default=None),
    )
