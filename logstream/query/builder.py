"""What all tables of one query share in the making: names, scans and the range."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

import msgspec

from logstream.core.errors import BadRequest
from logstream.core.plan import Grouping, Parts, Plan
from logstream.core.results import ResultColumn
from logstream.core.sql import Sql
from logstream.core.timestamps import now_ns
from logstream.query.fragments import of
from logstream.query.grouping import names_read
from logstream.query.nodes import Expr
from logstream.query.scans import ScanBuilder
from logstream.query.tables import Table

if TYPE_CHECKING:
    from logstream.query.query import Query

MAX_WEIGHT = 256
"""Steps to compute a column, with those of the columns that it is computed from."""

MAX_SCANS = 64
"""Of a query: for sub-queries, `context` and `compare`, which doubles them."""

_ALIAS = re.compile(r"\bc[0-9]+\b")


class _United(msgspec.Struct):
    """What is made of the rows of several relations."""

    name: str
    made: Callable[[Sql], Sql]
    parts: list[str] = []

    @property
    def sql(self) -> Sql:
        rows = " UNION ALL ".join(f"SELECT * FROM {part}" for part in self.parts)
        return self.made(Sql(rows))


class PlanBuilder:
    """What all tables of one query share.

    Args:
        from_ns, to_ns: The span of the whole query, as far as it is given from outside.
    """

    def __init__(self, *, from_ns: int | None = None, to_ns: int | None = None) -> None:
        self.from_ns = from_ns
        self.to_ns = to_ns
        self.at_ns = now_ns()
        """What "now" is, to all of it."""
        self._scans: list[ScanBuilder] = []
        self._groupings: list[Grouping] = []
        self._common: dict[str, Sql] = {}
        self._united: dict[tuple[Query, str], _United] = {}
        self.fields: dict[str, None] = {}
        """Those of entries that pipes have asked for, in order."""
        self._weights: dict[str, int] = {}
        self._dear: set[str] = set()
        self._aliases = 0
        self._shift_ns = 0
        self._query: Query | None = None
        self._first_scan = 0

    @property
    def front(self) -> "Query":
        """What stands in front of the pipe that is applied."""
        assert self._query is not None
        return self._query

    def alias_of(self, sql: Sql) -> str:
        """A name for what is computed from columns that may be computed themselves.

        DuckDB puts each of them in its place: `n + n`, ten times over, is a thousand
        terms, and neither its time limit nor its memory limit holds while it does so.

        Raises:
            BadRequest: it would grow beyond what a query may compute.
        """
        weight = 1
        if self._weights:
            names = _ALIAS.findall(sql.text)
            weight += sum(self._weights.get(name, 0) for name in names)
        if weight > MAX_WEIGHT:
            raise BadRequest(
                "The query uses computed columns in other computed columns so often "
                f"that it would have more than {MAX_WEIGHT} steps: use each of them "
                "fewer times."
            )
        alias = self.alias()
        self._weights[alias] = weight
        return alias

    def note_dear(self, column: Sql) -> None:
        """It is taken out of a text, or made of JSON: to be computed once a row."""
        self._dear.add(column.text)

    def is_dear(self, sql: Sql) -> bool:
        """Whether something is made of such a column."""
        return not self._dear.isdisjoint(_ALIAS.findall(sql.text))

    def enter(self, query: "Query", first_scan: int) -> None:
        """What follows is behind this query, whose scans begin there."""
        self._query, self._first_scan = query, first_scan

    @property
    def scans(self) -> int:
        return len(self._scans)

    def range_of(self, table: Table) -> tuple[int | None, int | None]:
        """Where the rows of a table lie in time, as query and filter have it."""
        if table.scan is None:
            return self.from_ns, self.to_ns
        from_ns, to_ns = table.scan.span
        begins = [one for one in (self.from_ns, from_ns) if one is not None]
        ends = [one for one in (self.to_ns, to_ns) if one is not None]
        return max(begins, default=None), min(ends, default=None)

    @property
    def own_span(self) -> tuple[int | None, int | None]:
        """[from, to) that the filter of the query in front asks for."""
        return self._scans[self._first_scan].span

    def bound(self, from_ns: int, to_ns: int) -> None:
        """Let the query in front be about no more than [from_ns, to_ns); but parts of
        it that ask for times of their own about those.
        """
        for scan in self._scans[self._first_scan :]:
            if scan.span == (None, None):
                scan.from_ns = from_ns - scan.shift_ns - scan.wider_ns
                scan.to_ns = to_ns - scan.shift_ns + scan.wider_ns

    def again(self, query: "Query", shift_ns: int) -> Table:
        """The query in front once more, about a time that is so much earlier."""
        scans = self._scans[self._first_scan :]
        span, first = (self.from_ns, self.to_ns, self._shift_ns), self.scans
        self.from_ns = None if self.from_ns is None else self.from_ns - shift_ns
        self.to_ns = None if self.to_ns is None else self.to_ns - shift_ns
        self._shift_ns += shift_ns
        table = query.table(self)
        self.from_ns, self.to_ns, self._shift_ns = span
        for scan, now in zip(self._scans[first:], scans, strict=False):
            if now.from_ns is not None and now.to_ns is not None:
                scan.from_ns, scan.to_ns = now.from_ns - shift_ns, now.to_ns - shift_ns
        return table

    def entries(self, expr: Expr) -> Table:
        """A table of the entries that a filter holds for."""
        if self.scans >= MAX_SCANS:
            raise BadRequest(f"A query reads the entries at most {MAX_SCANS} times.")
        name = f"s{self.scans}"
        scan = ScanBuilder(name, expr, at_ns=self.at_ns, shift_ns=self._shift_ns)
        self._scans.append(scan)
        relation = Sql(name)
        return Table(
            builder=self, relation=relation, scan=scan, is_whole=True, by_row=relation
        )

    def group(self, scan: str, whole: Sql, parts: Parts) -> str:
        """A name for the groups of a scan's rows."""
        name = self._new_name()
        found = Grouping(name=name, scan=scan, whole=whole, parts=parts)
        self._groupings.append(found)
        return name

    def common(self, whole: Sql) -> str:
        """A name for the rows of a SELECT, which is run once however often they are
        read.
        """
        name = self._new_name()
        self._common[name] = whole
        return name

    def united(self, what: str, part: str, made: Callable[[Sql], Sql]) -> str:
        """A common name for what is made of the rows of all parts together, where the
        query in front is run more than once.

        Args:
            what: The same for each run.
            part: A name for the rows of this one.
            made: A SELECT from one that gives all rows.
        """
        key = self.front, what
        if key not in self._united:
            self._united[key] = _United(self._new_name(), made)
        self._united[key].parts.append(part)
        return self._united[key].name

    def with_common(self, relation: Sql) -> Sql:
        """One that may read what has a common name."""
        named = {**self._common, **{one.name: one.sql for one in self._united.values()}}
        if not named:
            return relation
        read = {name: named.keys() & {*names_read(sql)} for name, sql in named.items()}
        order = [*TopologicalSorter(read).static_order()]
        listed = ", ".join(f"{name} AS MATERIALIZED ({{}})" for name in order)
        parts = [named[name] for name in order]
        return of(f"(WITH {listed} SELECT * FROM {{}})", *parts, relation)

    def _new_name(self) -> str:
        """Such as `names_read` finds."""
        return f"g{len(self._groupings) + len(self._common) + len(self._united)}"

    def alias(self) -> str:
        self._aliases += 1
        return f"c{self._aliases}"

    def build(
        self, sql: Sql, columns: Sequence[ResultColumn], *, is_entries: bool
    ) -> Plan:
        groupings = self._groupings
        reads = Counter(
            name
            for read in (sql, *(one.whole for one in groupings))
            for name in names_read(read)
        )
        return Plan(
            scans=tuple(
                scan.build(is_read_once=reads[scan.name] == 1) for scan in self._scans
            ),
            groupings=tuple(
                one
                if reads[one.scan] == 1
                else msgspec.structs.replace(one, parts=None)
                for one in groupings
            ),
            sql=sql,
            columns=tuple(columns),
            is_entries=is_entries,
        )
