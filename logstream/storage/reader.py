"""The reader: entries and summaries, over as few partitions as can answer.

Reads never wait for loads, nor loads for reads: DuckDB gives each its own snapshot.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from logstream.core.entry import ID_LINE_BITS
from logstream.core.results import ResultColumn
from logstream.core.sql import Sql
from logstream.storage.first_rows import FirstRows
from logstream.storage.forms import Begun, either_way, read_again
from logstream.storage.gathering import Gathering
from logstream.storage.holding import holding
from logstream.storage.hub import Hub
from logstream.storage.looking import looks_by_time
from logstream.storage.overview import MAX_GROUPS, Stats, stats_of
from logstream.storage.paging import (
    Cursor,
    decode_cursor,
    query_checksum,
)
from logstream.storage.partition import Partition, PartitionState
from logstream.storage.partitions import Partitions
from logstream.storage.results import Result
from logstream.storage.rows import (
    ROW,
    Page,
    Row,
    page_by_offset,
    page_by_time,
    row_of,
)
from logstream.storage.selection import Selection, union, where_of

T = TypeVar("T")

ENTRY_COLUMNS = (
    ResultColumn("timestamp", "time"),
    ResultColumn("source", "text"),
    ResultColumn("level", "text"),
    ResultColumn("message", "text"),
    ResultColumn("fields", "json"),
)
_ID_COLUMN = ResultColumn("id", "text")

_FEW_ROWS = 20_000
"""Worth a count of each day, so that no more days are read than have them."""


class Reader:
    """Thread-safe. Every call is bounded by `timeout_s`.

    Raises (each method):
        QueryTimeout, BadRequest, StorageError: see `Hub.reading`.
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
        self._tmp = tmp
        self._partitions = partitions
        self._timeout_s = timeout_s

    def entries(
        self,
        selection: Selection,
        *,
        limit: int,
        sort_by: str = "timestamp",
        descending: bool = True,
        cursor: str | None = None,
    ) -> Page:
        """One page of entries.

        Args:
            sort_by: A column, or a field; entries without the field come last.
            cursor: Of the page before, from the same selection and order.
        """
        query = query_checksum(selection, sort_by, descending=descending)
        start = decode_cursor(cursor, query=query) if cursor else None
        if sort_by == "timestamp":
            return self._by_time(
                selection, limit=limit, descending=descending, start=start, query=query
            )
        return self._by_value(
            selection,
            limit=limit,
            sort_by=sort_by,
            descending=descending,
            start=start,
            query=query,
        )

    def rows(
        self,
        selection: Selection,
        consume: Callable[[Result], T],
        *,
        limit: int,
        descending: bool = True,
        ids: bool = False,
    ) -> T:
        """Hand entries by time to `consume`, as rows that come as they are taken.

        A form of the query that fails is replaced by the other while no row was given.
        """
        columns = (_ID_COLUMN, *ENTRY_COLUMNS) if ids else ENTRY_COLUMNS

        def read(db: duckdb.DuckDBPyConnection, fast: bool) -> T:
            statement = self._by_day(
                db, selection, columns, limit=limit, descending=descending, fast=fast
            )
            result = Result(db, statement, columns, limit=limit, tmp=self._tmp)
            try:
                return consume(result)
            except duckdb.Error as error:
                if result.begun:
                    raise Begun(error) from error
                raise

        return self._read(read, leaves_nothing=False)

    def get(self, entry_id: int) -> Row | None:
        """The entry with an id. Looks into those that have its segment only."""
        segment = entry_id >> ID_LINE_BITS

        def find(db: duckdb.DuckDBPyConnection, _: bool) -> Row | None:
            for key in self._partitions.within():
                known = self._partitions.known(key)
                if known is not None and not known.may_have(segment):
                    continue
                with holding():
                    for partition in self._partitions.readable([key]):
                        if (row := _find(db, partition, entry_id)) is not None:
                            return row
            return None

        return self._read(find)

    def count(self, selection: Selection) -> int:
        return self._gather(selection, Gathering.count)

    def frequency(
        self, selection: Selection, *, group_by: str, limit: int = MAX_GROUPS
    ) -> dict[str, int]:
        """Entries by value, the `limit` most frequent first. Those without it do not
        count.
        """
        return self._gather(selection, lambda one: one.frequency(group_by, limit))

    def sources(self) -> list[str]:
        return sorted(self.frequency(Selection(), group_by="source"))

    def stats(self) -> Stats:
        return self._read(lambda db, _: stats_of(db, self._partitions))

    def partitions(self) -> list[PartitionState]:
        return self._partitions.states()

    def _read(
        self,
        read: Callable[[duckdb.DuckDBPyConnection, bool], T],
        *,
        leaves_nothing: bool = True,
    ) -> T:
        """Read the fast way, and the safe way if that fails; see `Selection.fast`."""
        with self._hub.reading(self._timeout_s, leaves_nothing=leaves_nothing) as db:
            return read_again(db, self._partitions, read)

    def _gather(self, selection: Selection, take: Callable[[Gathering], T]) -> T:
        def read(db: duckdb.DuckDBPyConnection, fast: bool) -> T:
            def gather(db: duckdb.DuckDBPyConnection, fast_values: bool) -> T:
                gathering = Gathering(
                    db, self._partitions, selection, fast=fast, fast_values=fast_values
                )
                with closing(gathering):
                    return take(gathering)

            return gather(db, True) if fast else either_way(db, gather)

        return self._read(read)

    def _by_day(
        self,
        db: duckdb.DuckDBPyConnection,
        selection: Selection,
        columns: Sequence[ResultColumn],
        *,
        limit: int,
        descending: bool,
        fast: bool,
    ) -> Sql:
        """Each day sorted by itself, one behind the other: the first row comes as soon
        as in one sort of all, and DuckDB keeps the order. With a small limit, only the
        days that have those rows.
        """
        way = "DESC" if descending else "ASC"
        names = ", ".join(column.name for column in columns)
        where = where_of(selection, fast=fast)
        looks = looks_by_time(
            db,
            self._partitions,
            selection,
            where,
            rows=limit + 1 if limit < _FEW_ROWS else None,
            descending=descending,
        )
        order = f"ORDER BY timestamp {way}, id {way} LIMIT {limit + 1:d}"
        days: list[str] = []
        params: list[object] = []
        for _, found in groupby(looks, lambda one: one[0].day):
            parts = [look.among(where) for _, look in found]
            params += (value for part in parts for value in part.params)
            among = parts[0].text
            if len(parts) > 1:  # of the same time
                among = _together(parts, order if limit < _FEW_ROWS else "")
            days.append(f"(SELECT {names} FROM {among} {order})")
        if not days:
            return Sql(f"SELECT {names} FROM {union([])}")
        return Sql(" UNION ALL ".join(days), tuple(params))

    def _by_time(
        self,
        selection: Selection,
        *,
        limit: int,
        descending: bool,
        start: Cursor | None,
        query: int,
    ) -> Page:
        def find(db: duckdb.DuckDBPyConnection, fast: bool) -> list[tuple[Any, ...]]:
            rows = FirstRows(
                db,
                self._partitions,
                selection,
                start=start,
                descending=descending,
                fast=fast,
            )
            return rows.take(limit + 1)

        return page_by_time(self._read(find), limit, query)

    def _by_value(
        self,
        selection: Selection,
        *,
        limit: int,
        sort_by: str,
        descending: bool,
        start: Cursor | None,
        query: int,
    ) -> Page:
        offset = start.offset if start else 0
        found = self._gather(
            selection,
            lambda one: one.first(
                sort_by, descending=descending, limit=limit + 1, offset=offset
            ),
        )
        return page_by_offset(found, limit, query, offset)


def _find(
    db: duckdb.DuckDBPyConnection, partition: Partition, entry_id: int
) -> Row | None:
    text = f"SELECT 1 FROM {partition.name}.applied WHERE segment = ?"
    if not db.execute(text, (entry_id >> ID_LINE_BITS,)).fetchall():
        return None
    text = f"SELECT {ROW} FROM {partition.name}.entries WHERE id = ?"
    found = db.execute(text, (entry_id,)).fetchall()
    return row_of(found[0]) if found else None


def _together(parts: Sequence[Sql], order: str) -> str:
    """Of several parts of a day; `order` sorts and limits each of them."""
    names = ", ".join(column.name for column in (_ID_COLUMN, *ENTRY_COLUMNS))
    each = [f"(SELECT {names} FROM {part.text} {order})" for part in parts]
    return f"({' UNION ALL '.join(each)})"
