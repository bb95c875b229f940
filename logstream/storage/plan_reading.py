"""Plan reading: makes one statement of a plan, over as few days as can answer.

What can be read for some days at a time is, when there are many: the first rows of each
day, and groupings that are made of those of some days each. Temporary tables of the
cursor take what the days give, and the days are let go of.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import duckdb

from logstream.core.plan import Parts, Plan, Scan
from logstream.core.sql import Sql
from logstream.storage.choosing import CHUNK, chosen, in_chunks
from logstream.storage.holding import holding
from logstream.storage.looking import looks_by_time
from logstream.storage.partition import Key, Partition
from logstream.storage.partitions import Partitions
from logstream.storage.planning import Look, look_into
from logstream.storage.scanning import over_days, selection_of
from logstream.storage.selection import Selection, where_of


class PlanReading:
    """Of one cursor, for one read.

    Args:
        from_ns, to_ns: Only entries of [from_ns, to_ns).
        fast: In the form that some values make fail.

    Raises (each method):
        duckdb.Error: it cannot be read in this form.
        StorageError: it may not go on.
    """

    def __init__(
        self,
        db: duckdb.DuckDBPyConnection,
        partitions: Partitions,
        plan: Plan,
        from_ns: int | None,
        to_ns: int | None,
        *,
        fast: bool,
    ) -> None:
        self._db = db
        self._partitions = partitions
        self._plan = plan
        self._from_ns = from_ns
        self._to_ns = to_ns
        self._fast = fast
        self.has_tables = False
        """Whether some are left in the cursor."""

    def statement(self) -> Sql:
        """What gives the rows of the plan."""
        parts = {one.scan: one.parts for one in self._plan.groupings}
        scans: dict[str, Sql | None] = {}
        for scan in self._plan.scans:
            if (own := parts.get(scan.name)) is not None:
                scans[scan.name] = self._grouped(scan, own)
            else:
                scans[scan.name] = self._first_or_all(scan)
        return self._together(scans)

    def at_once(self) -> Sql:
        """The same with all of its days in it, for EXPLAIN; nothing is read."""
        return self._together(
            {
                scan.name: self._over(
                    scan, [look for _, look in self.days(scan)], are_all=True
                )
                for scan in self._plan.scans
            }
        )

    def days(self, scan: Scan) -> Iterator[tuple[Partition, Look]]:
        """The days that it has to read, and where in each; opened one by one."""
        selection = selection_of(scan, self._from_ns, self._to_ns)
        return looks_by_time(
            self._db,
            self._partitions,
            selection,
            where_of(selection, fast=self._fast),
            rows=scan.newest if scan.oldest is None else scan.oldest,
            descending=scan.oldest is None,
        )

    def _together(self, scans: Mapping[str, Sql | None]) -> Sql:
        """One statement of it all. What has no scan is merged from its parts."""
        named = [(name, sql) for name, sql in scans.items() if sql is not None]
        for one in self._plan.groupings:
            made = one.whole
            if one.parts is not None and scans[one.scan] is None:
                made = one.parts.merged
            named.append((one.name, made))
        rest = self._plan.sql
        text = ", ".join(f"{name} AS ({sql.text})" for name, sql in named)
        params = [value for _, sql in named for value in sql.params]
        return Sql(f"WITH {text} {rest.text}", (*params, *rest.params))

    def _over(self, scan: Scan, looks: Sequence[Look], *, are_all: bool = False) -> Sql:
        selection = selection_of(scan, self._from_ns, self._to_ns)
        where = where_of(selection, fast=self._fast)
        return over_days(scan, looks, where, fast=self._fast, are_all=are_all)

    def _first_or_all(self, scan: Scan) -> Sql:
        """Of many first rows of days, what a temporary table has."""
        days = (look for _, look in self.days(scan))
        looks = list(islice(days, CHUNK if scan.first else None))
        if scan.first is None or len(looks) < CHUNK:
            return self._over(scan, looks, are_all=True)
        # The first rows of many days: so many sorts at once need too much memory.
        self.has_tables = True
        table = _Table(self._db, f"first_{scan.name}")
        table.add(self._over(scan, looks))
        while True:
            with holding():
                looks = list(islice(days, CHUNK))
                if not looks:
                    return Sql(f"SELECT * FROM {table.name}")
                table.add(self._over(scan, looks))

    def _grouped(self, scan: Scan, parts: Parts) -> Sql | None:
        """The scan; None: of many days, the parts of its grouping are there instead."""
        selection = selection_of(scan, self._from_ns, self._to_ns)
        chunks = list(in_chunks(chosen(self._partitions, selection)))
        if len(chunks) <= 1:
            keys = chunks[0] if chunks else []
            return self._over(scan, self._looks(keys, selection))
        self.has_tables = True
        table = _Table(self._db, parts.name)
        for keys in chunks:
            with holding():
                each = self._over(scan, self._looks(keys, selection))
                text = f"WITH {scan.name} AS ({each.text}) {parts.each.text}"
                table.add(Sql(text, (*each.params, *parts.each.params)))
        return None

    def _looks(self, keys: Sequence[Key], selection: Selection) -> list[Look]:
        """Where rows are read that are grouped."""
        looks = [
            look_into(
                self._db,
                partition,
                selection.needs,
                asks=selection.asks,
                by_row=True,
            )
            for partition in self._partitions.readable(keys)
        ]
        return [look for look in looks if not look.nowhere]


class _Table:
    """A temporary one that takes what several statements give; there is none before."""

    def __init__(self, db: duckdb.DuckDBPyConnection, name: str) -> None:
        self.name = name
        self._db = db
        self._is_made = False

    def add(self, rows: Sql) -> None:
        begin = f"INSERT INTO {self.name}"
        if not self._is_made:
            # Another form of the same read may have left one.
            begin = f"CREATE OR REPLACE TEMP TABLE {self.name} AS"
        self._db.execute(f"{begin} {rows.text}", rows.params)
        self._is_made = True
