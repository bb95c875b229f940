"""Gathering: counts, groups and first rows over many days, some days at a time.

Days are read in chunks, which bounds how many are open. What each chunk gives goes into
a temporary table of the cursor, from which the answer comes; what is known of a day
without opening it (`day_statistics`) is not read at all.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import duckdb

from logstream.core.sql import TRUE, Sql
from logstream.storage.choosing import chosen, covers, in_chunks
from logstream.storage.holding import holding
from logstream.storage.partition import Key
from logstream.storage.partitions import Partitions
from logstream.storage.planning import Look, look_into
from logstream.storage.rows import ROW, ROW_COLUMNS
from logstream.storage.selection import Selection, union, value_of, where_of

_NOTHING = Sql("")
_KNOWN_VALUES: dict[str, int | None] = {"": None, "source": 0, "level": 1}


class Gathering:
    """One read of a selection, with a cursor of its own and in one of its forms.

    Args:
        fast: The form of the condition; see `Selection.fast`.
        fast_values: That of what is grouped or sorted by. The texts of a few odd values
            differ between the two, so what a condition stumbles on must not decide it.

    Raises (each method):
        duckdb.Error: it cannot be read in this form.
        StorageError: it may not go on.
    """

    def __init__(
        self,
        db: duckdb.DuckDBPyConnection,
        partitions: Partitions,
        selection: Selection,
        *,
        fast: bool,
        fast_values: bool,
    ) -> None:
        self._db = db
        self._partitions = partitions
        self._selection = selection
        self._fast_values = fast_values
        self._where = where_of(selection, fast=fast)
        self._made = False
        self._takes_all = selection.where == TRUE and selection.fast in (None, TRUE)

    def close(self) -> None:
        """Leave nothing in the cursor."""
        if self._made:
            with suppress(duckdb.Error):  # a cursor that failed is not used again
                self._db.execute("DROP TABLE IF EXISTS gathered")

    def count(self) -> int:
        known, unknown = self._known("")
        total = known.total()
        for keys in in_chunks(unknown):
            with holding():
                if parts := self._parts(keys, Sql("SELECT count(*)"), by_row=True):
                    each = _union(parts)
                    rows = self._db.execute(each.text, each.params).fetchall()
                    total += sum(row[0] for row in rows)
        return total

    def frequency(self, group_by: str, limit: int) -> dict[str, int]:
        """Entries by value, the `limit` most frequent first."""
        known, keys = self._known(group_by)
        if not keys:
            ranked = sorted(known.items(), key=lambda pair: (-pair[1], pair[0]))
            return dict(ranked[:limit])
        value = value_of(group_by, fast=self._fast_values)
        text = f"SELECT CAST({value.text} AS VARCHAR) AS value, count(*) AS n"
        select = Sql(text, value.params)
        counts = self._together(keys, select, Sql("GROUP BY value"), by_row=True)
        if known:
            pairs = ([*known], [*known.values()])
            values = Sql("SELECT unnest(?), unnest(?)", pairs)
            counts = _union([counts, values])
        text = (
            "SELECT value, sum(n)::BIGINT AS entries "
            f"FROM ({counts.text}) AS r(value, n) GROUP BY value "
            "HAVING value IS NOT NULL ORDER BY entries DESC, value LIMIT ?"
        )
        return dict(self._db.execute(text, (*counts.params, limit)).fetchall())

    def first(
        self, sort_by: str, *, descending: bool, limit: int, offset: int
    ) -> list[tuple[Any, ...]]:
        """Rows in the order of a value: the first of each day, and of all those."""
        order = "DESC" if descending else "ASC"
        keys = _sort_keys(value_of(sort_by, fast=self._fast_values))
        names = [f"k{at}" for at in range(len(keys))]
        selected = ", ".join(
            f"{key.text} AS {name}" for key, name in zip(keys, names, strict=True)
        )
        by = ", ".join(f"{name} {order} NULLS LAST" for name in names)
        rows = self._together(
            chosen(self._partitions, self._selection),
            Sql(
                f"(SELECT {ROW}, {selected}",
                tuple(param for key in keys for param in key.params),
            ),
            Sql(
                f"ORDER BY {by}, timestamp {order}, id {order} LIMIT ?)",
                (offset + limit,),
            ),
        )
        columns = [f"c{at}" for at in range(ROW_COLUMNS)]
        text = (
            f"SELECT {', '.join(columns)} FROM ({rows.text}) "
            f"AS r({', '.join((*columns, *names))}) "
            f"ORDER BY {by}, c1 {order}, c0 {order} LIMIT ? OFFSET ?"
        )
        return self._db.execute(text, (*rows.params, limit, offset)).fetchall()

    def _known(self, group_by: str) -> tuple[Counter[str], list[Key]]:
        """Counts that are known, by value (of no name: all together), and those of
        which they are not.
        """
        known: Counter[str] = Counter()
        keys: list[Key] = []
        at = _KNOWN_VALUES.get(group_by)
        knowable = self._takes_all and group_by in _KNOWN_VALUES
        for key in chosen(self._partitions, self._selection):
            found = self._partitions.known(key) if knowable else None
            if found is None or not covers(self._selection, found):
                keys.append(key)
                continue
            for group in found.groups:
                known["" if at is None else str(group[at])] += group[2]
        return known, keys

    def _together(
        self, keys: Iterable[Key], select: Sql, tail: Sql, *, by_row: bool = False
    ) -> Sql:
        """A SELECT over each of these days, as one.

        Of a few days it reads the days themselves, which are open until the end of the
        read; of more, a temporary table.
        """
        chunks = list(in_chunks(keys))
        if len(chunks) <= 1:
            keys = chunks[0] if chunks else []
            parts = self._parts(keys, select, tail, by_row=by_row)
            return _union(parts) if parts else self._nothing(select, tail)
        begin = "CREATE OR REPLACE TEMP TABLE gathered AS"
        for chunk in chunks:
            with holding():
                if parts := self._parts(chunk, select, tail, by_row=by_row):
                    each = _union(parts)
                    text = f"{begin} SELECT * FROM ({each.text})"
                    self._db.execute(text, each.params)
                    begin = "INSERT INTO gathered"
                    self._made = True
        if not self._made:
            return self._nothing(select, tail)
        return Sql("SELECT * FROM gathered")

    def _parts(
        self,
        keys: Sequence[Key],
        select: Sql,
        tail: Sql = _NOTHING,
        *,
        by_row: bool = False,
    ) -> list[Sql]:
        """A SELECT over the own table of each of these days.

        Over a union of the days DuckDB makes all of the fields first:
        1 400 ms to group a million entries by a field, and 40 ms like this.
        """
        parts = []
        for partition in self._partitions.readable(keys):
            look = look_into(
                self._db,
                partition,
                self._selection.needs,
                asks=self._selection.asks,
                by_row=by_row,
            )
            if not look.nowhere:
                parts.append(self._select(select, look, tail))
        return parts

    def _nothing(self, select: Sql, tail: Sql) -> Sql:
        return self._select(select, Look(relation=union([])), tail)

    def _select(self, select: Sql, look: Look, tail: Sql) -> Sql:
        among = look.among(self._where)
        text = f"{select.text} FROM {among.text} {tail.text}"
        return Sql(text, (*select.params, *among.params, *tail.params))


def _union(parts: Sequence[Sql]) -> Sql:
    text = " UNION ALL ".join(part.text for part in parts)
    return Sql(text, tuple(param for part in parts for param in part.params))


def _sort_keys(value: Sql) -> tuple[Sql, ...]:
    """A field may hold numbers here and text there: numbers by size, then the text."""
    if not value.params:
        return (value,)
    return Sql(f"TRY_CAST({value.text} AS DOUBLE)", value.params), value
