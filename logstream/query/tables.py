"""Tables: what flows from pipe to pipe while a query is compiled.

A table is a relation in SQL and the columns that its rows have for the user. Names that
a user chose stay here: inside, columns are called `s0_1` and `c7`. Each step is a
SELECT around the last; DuckDB takes them apart again.

A table is open while its rows are entries: then any name means something, the entry's
own column or a field. Behind `stats`, `fields` and their like it is closed: it has the
columns that it has.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import msgspec

from logstream.config.nearest import nearest
from logstream.core.errors import BadRequest
from logstream.core.results import Kind
from logstream.core.sql import Sql
from logstream.query.entry_fields import fields_json, moment
from logstream.query.fragments import of
from logstream.query.grouping import grouped
from logstream.query.names import COLUMN_NAMES, FIELDS_PREFIX, Column, Path, subject_of
from logstream.query.orders import (
    Order,
    newest_first_of,
    order_by,
    sql_of_order,
    turned,
)
from logstream.query.patching import text_over
from logstream.query.scans import ScanBuilder
from logstream.query.values import Field, Loose, Typed, Value, as_text, member, typed

if TYPE_CHECKING:
    from logstream.query.builder import PlanBuilder
    from logstream.query.query import Query

_KINDS: dict[str, Kind] = {"timestamp": "time", "id": "integer"}
FIELDS = "fields"
"""The column of an open table that has all fields; the one field is `fields.fields`."""
_COLUMN = re.compile(r"(?:c|s[0-9]+_)[0-9]+")
"""Inside; what it is called there."""
_MOST_TIES = 32
"""Keys of sorts before that a sort takes over."""
_MISSING = Typed(Sql("NULL::VARCHAR"), "text")


class Table(msgspec.Struct, frozen=True, kw_only=True):
    builder: "PlanBuilder"
    relation: Sql
    """What may stand behind FROM."""
    scan: ScanBuilder | None
    """Of the entries that the rows are; None behind an aggregation."""
    columns: dict[str, Value] = {}
    """By the user's name, in order. Of an open table, those that were added."""
    is_open: bool = True
    is_whole: bool = False
    """Each match of the scan is a row still."""
    by_row: Sql | None = None
    """The relation, as long as each of its rows is made of one entry alone."""
    gone: frozenset[str] = frozenset()
    """Names that an open table has no more."""
    merged: Sql | None = None
    """A column with the JSON of all fields, where some were added; None: the own."""
    patch: Sql | None = None
    """A column with the JSON object that was added to the own ones; None: not just one.
    """
    order: tuple[Order, ...] = ()
    """Of an open table, none means the newest first."""
    keys: tuple[Order, ...] = ()
    """The same order by columns of the scan itself, where it can be said so."""
    group: tuple[Sql, ...] | None = None
    """The columns that tell rows apart that were made by grouping; None: no such."""
    most: tuple[Sql, int] | None = None
    """A relation that has at most so many rows; it may be this table's no more."""
    sorted_as: tuple[Sql, tuple[Order, ...]] | None = None
    """A relation whose rows come in this order; both may be this table's no more."""
    step_ns: int = 1
    """What the buckets of time among them are multiples of."""

    def value(self, name: str) -> Value:
        """What a name means.

        Raises:
            BadRequest: nothing, in a closed table.
        """
        own = self._own_name(name)
        if name == FIELDS and self.has_fields:
            return Typed(fields_json(self), "json")
        if own in self.columns:
            return self.columns[own]
        if not self.is_open and (called := f"{name}()") in self.columns:
            return self.columns[called]  # `count` for what `stats count()` made
        if not self.is_open or self.scan is None:
            near = nearest(name, self.columns)
            hint = f": did you mean {near}?" if near else "."
            known = ", ".join(list(self.columns)[:20])
            raise BadRequest(
                f"There is no column {name!r} here{hint} There are {known}."
            )
        subject = subject_of(name)
        is_field = not isinstance(subject, Column)
        if own in self.gone or (is_field and FIELDS in self.gone):
            return _MISSING
        if isinstance(subject, Column):
            kind = _KINDS.get(subject.name, "text")
            own_sql, is_id = self.scan.own(subject.name), subject.name == "id"
            return Typed(own_sql, kind, is_id, is_stored=True)
        self.builder.fields[subject.name] = None
        return self._field(self.scan, subject)

    def _field(self, scan: ScanBuilder, path: Path) -> Value:
        """Of `a.b`, where `a` is gone or another one now, only what is left of it."""
        first, flat = path.ways[0], path.ways[-1]
        for cut in range(1, len(first)):
            name = ".".join(first[:cut])
            value = self.columns.get(name)
            if isinstance(value, Field) and value.scan is scan:
                return Field(scan, Path(((*value.path.ways[0], *first[cut:]), flat)))
            if value is not None or name in self.gone:
                path = Path((flat,))
                break
        if self.merged is None:
            return Field(scan, path)
        found = member(self.merged, path)
        if self.patch is None:
            return found
        return Loose(text_over(scan, self.patch, path), found.json)

    @property
    def has_fields(self) -> bool:
        """Whether its rows have the object with all fields."""
        added = self.columns.keys() - {*COLUMN_NAMES}
        return self.is_open and (FIELDS not in self.gone or bool(added))

    def typed(self, name: str) -> Typed:
        """The same, as it is grouped and compared by: a field is text."""
        return typed(self.value(name))

    def newest_first(self) -> tuple[Order, ...]:
        """The order that the rows have."""
        if self.order or self.scan is None:
            return self.order
        return newest_first_of(self.scan)

    def inner(self, query: object) -> Sql:
        """The values of a sub-query's first column, for IN."""
        table = cast("Query", query).table(self.builder)
        if table.is_open or not table.columns:
            raise BadRequest(
                "A sub-query has to end in the column to look into, such as `| fields "
                "user`."
            )
        first = next(iter(table.columns.values()))
        relation = table.relation
        return of("(SELECT {} FROM {})", as_text(first), relation)

    # ---- steps ----

    def with_columns(self, added: Sequence[tuple[str, Value]]) -> "Table":
        """Columns more, or other ones under names that are there."""
        columns = dict(self.columns)
        parts: list[Sql] = []
        for name, value in added:
            found = value
            if isinstance(value, Typed):
                sql = self._held(value.sql, parts)
                found = Typed(sql, value.kind, value.is_id)
            elif isinstance(value, Loose):
                json = None if value.json is None else self._held(value.json, parts)
                found = Loose(self._held(value.text, parts), json)
                self.builder.note_dear(found.text)
            columns[self._own_name(name)] = found
        names = {self._own_name(name) for name, _ in added}
        return msgspec.structs.replace(
            self._row_by_row(self._with(parts)),
            columns=columns,
            gone=self.gone - names,
        )

    def _held(self, sql: Sql, parts: list[Sql]) -> Sql:
        """A column with this; it goes to `parts` if there is none."""
        if sql.text.isidentifier():
            return sql
        alias = self.builder.alias_of(sql)
        parts.append(of(f"{{}} AS {alias}", sql))
        return Sql(alias)

    def merged_with(self, added: Sql) -> "Table":
        """With the keys of JSON objects, NULL for none, among the fields of entries.
        What is null there is no field.
        """
        assert self.scan is not None
        alias, patch = self.builder.alias(), self.builder.alias()
        own = of("{}::JSON", self.scan.fields_json())
        fields = own if self.merged is None else self.merged
        merged = of(
            "CASE WHEN {} IS NULL THEN {} "
            "ELSE json_merge_patch({}, json_merge_patch('{{}}'::JSON, {})) END",
            *(added, fields, fields, added),
        )
        parts = [of(f"{{}} AS {alias}", merged), of(f"{{}} AS {patch}", added)]
        for name in (alias, patch):
            self.builder.note_dear(Sql(name))
        return msgspec.structs.replace(
            self._row_by_row(self._with(parts)),
            merged=Sql(alias),
            patch=Sql(patch) if self.merged is None else None,
        )

    def only(self, columns: Sequence[tuple[str, Value]]) -> "Table":
        """These columns and no others; the rows may be entries still."""
        fixed = self.with_order()
        table = fixed.with_columns(
            [(f"\0{at}", one) for at, (_, one) in enumerate(columns)]
        )
        found = {name: table.columns[f"\0{at}"] for at, (name, _) in enumerate(columns)}
        return msgspec.structs.replace(table, columns=found, is_open=False)

    def without(self, names: Sequence[str]) -> "Table":
        own = {self._own_name(name) for name in names}
        columns = {key: one for key, one in self.columns.items() if key not in own}
        if not self.is_open:
            for name in names:
                self.value(name)
            if not columns:
                raise BadRequest("At least one column has to stay.")
            return msgspec.structs.replace(self, columns=columns)
        if FIELDS in own:
            columns = {key: one for key, one in columns.items() if key in COLUMN_NAMES}
        fixed = self.with_order()
        return msgspec.structs.replace(fixed, columns=columns, gone=self.gone | own)

    def filtered(self, test: Sql) -> "Table":
        """The rows for which this holds.

        DuckDB puts a test below a projection, with what its columns are made of in
        their place, as often as the test names them: `where code > 500` behind an
        `extract` took the message apart eight times. What may be another each time it
        stays above, and then each is computed once.
        """
        relation = of("(SELECT * FROM {} WHERE {})", self.relation, test)
        if self.builder.is_dear(test):
            held = self.builder.alias()
            relation = of(
                f"(SELECT * FROM (SELECT *, ({{}}) AND random() < 2 AS {held} "
                f"FROM {{}}) WHERE {held})",
                *(test, self.relation),
            )
        table = self._row_by_row(relation)
        return msgspec.structs.replace(table, is_whole=False)

    def sorted(self, keys: Sequence[tuple[Sql, bool]]) -> "Table":
        """By these, largest first where TRUE; missing ones come last. What is the same
        stays in its order.
        """
        order, parts = [], []
        for sql, descending in keys:
            column = sql
            if not _COLUMN.fullmatch(sql.text):
                column = Sql(self.builder.alias())
                parts.append(of(f"{{}} AS {column.text}", sql))
            order.append(Order(column, descending))
        ties = [*self.order[:_MOST_TIES]]
        if self.scan is not None:
            ties += newest_first_of(self.scan)
        order += [one for one in ties if one not in order]
        own: list[Order] = []
        scan = self.scan
        if scan is not None and not self.order and self.relation == Sql(scan.name):
            # What is the same for all rows makes no order, and DuckDB refuses it.
            own = [
                Order(sql, descending)
                for sql, descending in keys
                if f"{scan.name}_" in sql.text
            ]
            own += self.newest_first()
        return msgspec.structs.replace(
            self._row_by_row(self._with(parts)), order=tuple(order), keys=tuple(own)
        )

    def limited(self, rows: int, offset: int = 0) -> "Table":
        """Rows by the order that they have."""
        if offset == 0 and self.most is not None:
            relation, most = self.most
            if relation == self.relation and most <= rows:
                return self
        if self.is_whole and self.scan is not None:
            by_time, keys = newest_first_of(self.scan), self._own_order(self.scan)
            if keys and self.scan.take_first(sql_of_order(keys), rows + offset):
                if keys == by_time:
                    self.scan.newest = rows + offset
                elif keys == turned(by_time):
                    self.scan.oldest = rows + offset
        order, skipped = self.newest_first(), f" OFFSET {offset:d}" if offset else ""
        relation = of(
            f"(SELECT * FROM {{}} {order_by(order)} LIMIT {rows:d}{skipped})",
            self.relation,
        )
        return msgspec.structs.replace(
            self,
            relation=relation,
            is_whole=False,
            most=(relation, rows),
            sorted_as=(relation, order),
        )

    def ordered(self) -> Sql:
        """ORDER BY what the rows are ordered by."""
        if self.scan is not None and self.order in ((), newest_first_of(self.scan)):
            return of("ORDER BY {} DESC", moment(self.scan))
        return Sql(order_by(self.order))

    def take_first(self, rows: int, by: Sequence[Sql]) -> None:
        """Say that so many rows of each of these values will do, by the order that they
        have. It is no more than that: which rows stay has to be asked for too.
        """
        scan = self.scan
        if not self.is_whole or scan is None or not all(map(scan.has, by)):
            return
        if order := self._own_order(scan):
            scan.take_first(sql_of_order(order), rows, by)

    def _own_order(self, scan: ScanBuilder) -> tuple[Order, ...]:
        """By columns of the scan itself; none: it cannot be said so."""
        by_time = newest_first_of(scan)
        return self.keys if self.order not in ((), by_time) else by_time

    def reversed(self) -> "Table":
        """The same rows, the last first."""
        keys = self.keys
        if not self.order and self.scan is not None:
            keys = self.newest_first()
        return msgspec.structs.replace(
            self, order=turned(self.newest_first()), keys=turned(keys)
        )

    def grouped(
        self,
        keys: Sequence[tuple[str, Typed]],
        results: Sequence[tuple[str, Typed]],
        having: Typed | None = None,
    ) -> "Table":
        """A closed table: the keys, then what was aggregated for each."""
        columns: dict[str, Value] = {}
        made: list[tuple[str, Typed]] = []
        for name, value in (*keys, *results):
            alias = self.builder.alias()
            made.append((alias, value))
            if name in columns:
                raise BadRequest(f"There are two columns {name!r}: name one with `as`.")
            columns[name] = Typed(Sql(alias), value.kind, value.is_id)
        by = [(alias, value.sql) for alias, value in made[: len(keys)]]
        relation = grouped(self, by, made[len(keys) :], having)
        return Table(
            builder=self.builder,
            relation=relation,
            most=None if keys else (relation, 1),
            scan=None,
            columns=columns,
            is_open=False,
            group=tuple(Sql(alias) for alias, _ in by),
        )

    def with_order(self) -> "Table":
        """The order it has, said outright."""
        return msgspec.structs.replace(self, order=self.newest_first())

    @property
    def is_by_row(self) -> bool:
        """Whether each row is made of one entry alone, and each entry at most one."""
        return self.relation == self.by_row

    def _row_by_row(self, relation: Sql) -> "Table":
        """The same rows or fewer, each by itself."""
        by_row = relation if self.is_by_row else None
        return msgspec.structs.replace(self, relation=relation, by_row=by_row)

    def _with(self, parts: Sequence[Sql]) -> Sql:
        if not parts:
            return self.relation
        marks = ", ".join("{}" for _ in parts)
        return of(f"(SELECT *, {marks} FROM {{}})", *parts, self.relation)

    def _own_name(self, name: str) -> str:
        """`fields.a` is `a`, unless that is a column of the entry."""
        short = name.removeprefix(FIELDS_PREFIX)
        return name if not self.is_open or short in COLUMN_NAMES else short
