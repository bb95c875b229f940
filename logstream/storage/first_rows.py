"""First rows in the order of time: day after day, until there are enough.

The newest 100 touch one day. Its parts are of the same time, so their rows are merged;
a part that is older than what others gave is not read.
"""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import duckdb
from msgspec.structs import replace

from logstream.core.sql import Sql
from logstream.storage.choosing import chosen
from logstream.storage.holding import holding
from logstream.storage.looking import Bound
from logstream.storage.paging import Cursor
from logstream.storage.partition import Key, Partition
from logstream.storage.partitions import Partitions
from logstream.storage.planning import Look, look_into
from logstream.storage.rows import ROW
from logstream.storage.selection import Selection, Where, where_of

_SHORT_PAGE = 1100
"""Rows, up to which it is found out first which they are, and then read what is in
them; as `late_materialization_max_rows` has it."""

_Row = tuple[Any, ...]
"""A `ROW`: what it begins with is the id and the time."""


class FirstRows:
    """Of one cursor, for one read.

    Args:
        start: Behind this one; None: from the beginning.
        fast: In the form that some values make fail.
    """

    def __init__(
        self,
        db: duckdb.DuckDBPyConnection,
        partitions: Partitions,
        selection: Selection,
        *,
        start: Cursor | None,
        descending: bool,
        fast: bool,
    ) -> None:
        self._db = db
        self._partitions = partitions
        self._descending = descending
        self._where = where_of(selection, fast=fast)
        if start is not None:
            self._where = _after(self._where, start, descending=descending)
            selection = _within(selection, start, descending=descending)
        self._selection = selection

    def take(self, wanted: int) -> list[_Row]:
        """So many rows, or all.

        Raises:
            duckdb.Error: it cannot be read in this form.
            StorageError: it may not go on.
        """
        found: list[_Row] = []
        keys = chosen(self._partitions, self._selection, descending=self._descending)
        for _, parts in groupby(keys, lambda key: key.day):
            found += self._of_day(parts, wanted - len(found))
            if len(found) >= wanted:
                break
        return found

    def _of_day(self, keys: Iterable[Key], wanted: int) -> list[_Row]:
        found: list[_Row] = []
        bound = Bound(wanted, descending=self._descending)
        for key in keys:
            if not bound.admits(self._partitions, key):
                continue
            with holding():
                for partition in self._partitions.readable([key]):
                    if rows := self._of_part(partition, wanted):
                        found = self._merged(found, rows)[:wanted]
                        bound = Bound(wanted, descending=self._descending)
                        bound.add(len(found), found[-1][1])
        return found

    def _of_part(self, partition: Partition, wanted: int) -> list[_Row]:
        selection = self._selection
        look = look_into(
            self._db,
            partition,
            selection.needs,
            asks=selection.asks,
            by_row=wanted <= _SHORT_PAGE,
        )
        if look.nowhere:
            return []
        page = _page_of(look, self._where, descending=self._descending)
        return self._db.execute(page.text, (*page.params, wanted)).fetchall()

    def _merged(self, found: list[_Row], rows: list[_Row]) -> list[_Row]:
        if not found:
            return rows
        both = found + rows
        both.sort(key=lambda row: (row[1], row[0]), reverse=self._descending)
        return both


def _page_of(look: Look, where: Where, *, descending: bool) -> Sql:
    way = "DESC" if descending else "ASC"
    order = f"ORDER BY timestamp {way}, id {way}"
    among = look.among(where)
    first = f"FROM {among.text} {order} LIMIT ?"
    if look.by_row:
        # Nothing but the numbers of rows is sorted: see `planning`.
        first = f"FROM {look.table} WHERE rowid IN (SELECT rowid {first}) {order}"
    return Sql(f"SELECT {ROW} {first}", among.params)


def _within(selection: Selection, start: Cursor, *, descending: bool) -> Selection:
    """The same with the days that may hold what comes behind."""
    if descending:
        return replace(selection, to_ns=start.timestamp_ns + 1)
    return replace(selection, from_ns=start.timestamp_ns)


def _after(where: Where, start: Cursor, *, descending: bool) -> Where:
    sign = "<" if descending else ">"
    at = "make_timestamp_ns(?)"
    later = f"timestamp {sign} {at} OR (timestamp = {at} AND id {sign} ?)"
    values = (start.timestamp_ns, start.timestamp_ns, start.id)

    def and_later(sql: Sql) -> Sql:
        return Sql(f"{sql.text} AND ({later})", (*sql.params, *values))

    return Where(and_later(where.usual), and_later(where.together))
