"""`stats count() as n by source | compare 1d`: this time against the time before.

The pipes in front are run a second time, over a range that lies so much earlier; for
each number `n`, there are `n`, `n_before` and `n_change`, in percent. Without a span,
the range right before is meant, or a little earlier, so that buckets of time meet. A
query without a range is about the last span, or the last day. Times in filters move
along, as do `from` and `to` beside the query. Columns that are neither numbers nor what
rows are grouped by are those of now. All groups are compared: what limits the rows in
front, as `top` does, limits what comes out, first the rows of now.
"""

from collections.abc import Sequence

import msgspec

from logstream.core.errors import BadRequest
from logstream.core.results import Kind
from logstream.core.sql import Sql
from logstream.query.expressions.cursor import Cursor
from logstream.query.expressions.nodes import span_text
from logstream.query.fragments import join, of
from logstream.query.orders import Order
from logstream.query.pipes import Pipe
from logstream.query.pipes.drop import Drop
from logstream.query.pipes.eval import Eval
from logstream.query.pipes.fields import Fields
from logstream.query.pipes.head import Head
from logstream.query.pipes.patterns import Patterns
from logstream.query.pipes.rename import Rename
from logstream.query.pipes.sort import Sort
from logstream.query.pipes.top import MAX_ROWS, Top
from logstream.query.tables import Table
from logstream.query.values import Typed, Value, typed

_NUMBERS = ("number", "integer", "duration")
MAX_SPAN_S = 520 * 604_800.0
_DAY_NS = 86_400 * 10**9


class Compare(msgspec.Struct, frozen=True):
    span_s: float | None = None

    def __str__(self) -> str:
        return "compare" if self.span_s is None else f"compare {span_text(self.span_s)}"

    def apply(self, table: Table) -> Table:
        group = {*(table.group or ())}
        keys: dict[Sql, str] = {}
        for name, value in table.columns.items():
            if isinstance(value, Typed) and value.sql in group:
                keys.setdefault(value.sql, name)
        if table.group is None:
            raise BadRequest(
                "compare looks at the numbers of groups, such as `stats count() by "
                "source | compare 1d`."
            )
        if len(keys) < len(group):
            raise BadRequest(
                "compare needs the columns that the rows were grouped by: keep them."
            )
        shift_ns = self._bound(table)
        before = table.builder.again(table.builder.front, shift_ns)
        return _Joined(table, before, shift_ns).table([*keys.values()])

    def _bound(self, table: Table) -> int:
        """How far back to look; sees to it that the query has a range."""
        builder = table.builder
        span_ns = None if self.span_s is None else round(self.span_s * 1e9)
        if span_ns is not None and span_ns % table.step_ns:
            raise BadRequest(
                f"compare {span_text(self.span_s or 0)}: the rows are of "
                f"{span_text(table.step_ns / 1e9)} each, so name a multiple of that."
            )
        own_from, own_to = builder.own_span
        ends = [one for one in (builder.to_ns, own_to) if one is not None]
        end = min(ends, default=builder.at_ns)
        begins = [one for one in (builder.from_ns, own_from) if one is not None]
        begin = max(begins, default=end - (span_ns or _DAY_NS))
        builder.bound(begin, end)
        length_ns = max(1, end - begin)
        return span_ns or length_ns + -length_ns % table.step_ns


def limited_behind(pipes: Sequence[Pipe]) -> tuple[Pipe, ...]:
    """The same with limits behind each `compare` instead of right in front of it: who
    leads now may not have led before.
    """
    found: list[Pipe] = []
    for pipe in pipes:
        rows = _unlimit(found) if isinstance(pipe, Compare) else None
        found.append(pipe)
        if rows is not None:
            found.append(Head(rows))
    return tuple(found)


def _unlimit(pipes: list[Pipe]) -> int | None:
    """Take the limits at their end away: how many rows those leave; None: all."""
    rows: list[int] = []
    for at in range(len(pipes) - 1, -1, -1):
        match pipes[at]:
            case Fields() | Drop() | Rename() | Eval():
                continue
            case Head(limit):
                rows.append(limit)
                del pipes[at]
                continue
            case Top() | Patterns() as pipe:
                rows.append(pipe.rows)
                pipes[at] = msgspec.structs.replace(pipe, rows=MAX_ROWS)
            case Sort(keys, int(limit)):
                rows.append(limit)
                pipes[at] = Sort(keys)
            case _:
                pass
        break
    return min(rows, default=None)


class _Joined:
    """Two tables with the same columns side by side, by what is no number."""

    def __init__(self, now: Table, before: Table, shift_ns: int) -> None:
        self._now, self._before, self._shift_ns = now, before, shift_ns
        self._left: list[Sql] = [Sql("TRUE AS is_there")]
        self._right: list[Sql] = [Sql("TRUE AS was_there")]
        self._tests: list[Sql] = []
        self._shown: list[str] = []
        self._columns: dict[str, Value] = {}
        self._keys: dict[Sql, Sql] = {}

    def table(self, keys: Sequence[str]) -> Table:
        for name, value in self._now.columns.items():
            one, other = typed(value), typed(self._before.columns[name])
            if name in keys:
                self._key(name, one, other)
            elif one.kind in _NUMBERS and not one.is_id:
                self._number(name, one, other)
            else:
                self._other(name, one)
        order = self._order()
        relation = of(
            f"(SELECT {', '.join(self._shown)} FROM (SELECT {{}} FROM {{}}) l "
            "FULL JOIN (SELECT {} FROM {}) r ON {})",
            *(_listed(self._left), self._now.relation),
            *(_listed(self._right), self._before.relation),
            join(" AND ", self._tests) if self._tests else Sql("TRUE"),
        )
        return Table(
            builder=self._now.builder,
            relation=relation,
            scan=None,
            columns=self._columns,
            is_open=False,
            order=order,
            group=tuple(self._keys.values()),
            step_ns=self._now.step_ns,
        )

    def _order(self) -> tuple[Order, ...]:
        """That of the rows now; what was there only before comes last, in its own."""
        order: list[Order] = []
        for one, other in zip(self._now.order, self._before.order, strict=True):
            if one.column in self._keys:
                columns = [self._keys[one.column]]
            else:
                here, there = self._sides(one.column, other.column, is_time=False)
                there = f"CASE WHEN is_there IS NULL THEN {there} END"
                columns = [self._held(here), self._held(there)]
            order += [Order(column, one.descending) for column in columns]
        order += [Order(one, descending=False) for one in self._keys.values()]
        return tuple(dict.fromkeys(order))

    def _held(self, text: str) -> Sql:
        alias = self._now.builder.alias()
        self._shown.append(f"{text} AS {alias}")
        return Sql(alias)

    def _key(self, name: str, one: Typed, other: Typed) -> None:
        here, there = self._sides(one.sql, other.sql, is_time=one.kind == "time")
        self._tests.append(Sql(f"{here} IS NOT DISTINCT FROM {there}"))
        text = f"CASE WHEN is_there THEN {here} ELSE {there} END"
        self._keys[one.sql] = self._add(name, text, one.kind, is_id=one.is_id)

    def _other(self, name: str, one: Typed) -> None:
        here = self._now.builder.alias()
        self._left.append(of(f"{{}} AS {here}", one.sql))
        self._add(name, here, one.kind, is_id=one.is_id)

    def _number(self, name: str, one: Typed, other: Typed) -> None:
        here, there = self._sides(one.sql, other.sql, is_time=False)
        if one.kind == "integer":
            # Nothing there at all counts as 0.
            here = f"CASE WHEN is_there THEN {here} ELSE 0 END"
            there = f"CASE WHEN was_there THEN {there} ELSE 0 END"
        change = f"round(100.0 * ({here} - {there}) / nullif(abs({there}), 0), 3)"
        self._add(name, here, one.kind)
        self._add(f"{name}_before", there, one.kind)
        self._add(f"{name}_change", f"({change})::DOUBLE", "number")

    def _sides(self, one: Sql, other: Sql, *, is_time: bool) -> tuple[str, str]:
        here, there = self._now.builder.alias(), self._now.builder.alias()
        if is_time:
            other = of(f"make_timestamp_ns(epoch_ns({{}}) + {self._shift_ns})", other)
        self._left.append(of(f"{{}} AS {here}", one))
        self._right.append(of(f"{{}} AS {there}", other))
        return here, there

    def _add(self, name: str, text: str, kind: Kind, *, is_id: bool = False) -> Sql:
        if name in self._columns:
            raise BadRequest(f"There are two columns {name!r}: rename one.")
        held = self._held(text)
        self._columns[name] = Typed(held, kind, is_id)
        return held


def _listed(parts: list[Sql]) -> Sql:
    return of(", ".join("{}" for _ in parts), *parts)


def parse(cursor: Cursor) -> Pipe:
    if cursor.at_end():
        return Compare()
    return Compare(cursor.span("a span", most=MAX_SPAN_S))
