"""`stats count() as n by source | compare 1d`: this time against the time before.

The pipes in front are run a second time, over a range that lies so much earlier; for
each number `n`, there are `n`, `n_before` and `n_change`, in percent. Without a span,
the range right before is meant. A query without a range is about the last span, or the
last day. Times in filters move along, as do `from` and `to` beside the query.
"""

from collections.abc import Sequence

import msgspec

from logstream.core.errors import BadRequest
from logstream.core.results import Kind
from logstream.core.sql import Sql
from logstream.query.expressions.cursor import Cursor
from logstream.query.expressions.nodes import span_text
from logstream.query.fragments import join, of
from logstream.query.pipes import Pipe
from logstream.query.pipes.stats import Stats
from logstream.query.pipes.timechart import Timechart
from logstream.query.pipes.top import Top
from logstream.query.tables import Order, Table
from logstream.query.values import Typed, Value, typed

_NUMBERS = ("number", "integer", "duration")
MAX_SPAN_S = 520 * 604_800.0
_DAY_NS = 86_400 * 10**9


class Compare(msgspec.Struct, frozen=True):
    span_s: float | None = None

    def __str__(self) -> str:
        return "compare" if self.span_s is None else f"compare {span_text(self.span_s)}"

    def apply(self, table: Table) -> Table:
        if table.is_open:
            raise BadRequest(
                "compare looks at numbers, such as `stats count() by source | compare "
                "1d`."
            )
        shift_ns = self._bound(table)
        builder = table.builder
        keys = _keys(builder.pipes)
        before = builder.again(shift_ns)
        return _Joined(table, before, shift_ns).table(keys)

    def _bound(self, table: Table) -> int:
        """How far back to look; sees to it that the query has a range."""
        builder = table.builder
        span_ns = None if self.span_s is None else round(self.span_s * 1e9)
        own_from, own_to = builder.own_span
        ends = [one for one in (builder.to_ns, own_to) if one is not None]
        end = min(ends, default=builder.at_ns)
        begins = [one for one in (builder.from_ns, own_from) if one is not None]
        begin = max(begins, default=end - (span_ns or _DAY_NS))
        builder.bound(begin, end)
        return span_ns or max(1, end - begin)


class _Joined:
    """Two tables with the same columns side by side, by what is no number."""

    def __init__(self, now: Table, before: Table, shift_ns: int) -> None:
        self._now, self._before, self._shift_ns = now, before, shift_ns
        self._left: list[Sql] = [Sql("TRUE AS is_there")]
        self._right: list[Sql] = [Sql("TRUE AS was_there")]
        self._tests: list[Sql] = []
        self._shown: list[str] = []
        self._columns: dict[str, Value] = {}
        self._keys: set[str] = set()

    def table(self, keys: frozenset[str]) -> Table:
        for name, value in self._now.columns.items():
            one, other = typed(value), typed(self._before.columns[name])
            if name in keys or one.is_id or one.kind not in _NUMBERS:
                self._key(name, one, other)
            else:
                self._number(name, one, other)
        order = [
            Order(one.sql, descending=False)
            for name, one in self._columns.items()
            if isinstance(one, Typed) and name in self._keys
        ]
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
            order=tuple(order),
        )

    def _key(self, name: str, one: Typed, other: Typed) -> None:
        here, there = self._sides(one.sql, other.sql, is_time=one.kind == "time")
        self._tests.append(Sql(f"{here} IS NOT DISTINCT FROM {there}"))
        text = f"CASE WHEN is_there THEN {here} ELSE {there} END"
        self._add(name, text, one.kind, is_id=one.is_id)
        self._keys.add(name)

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

    def _add(self, name: str, text: str, kind: Kind, *, is_id: bool = False) -> None:
        if name in self._columns:
            raise BadRequest(f"There are two columns {name!r}: rename one.")
        alias = self._now.builder.alias()
        self._shown.append(f"{text} AS {alias}")
        self._columns[name] = Typed(Sql(alias), kind, is_id)


def _listed(parts: list[Sql]) -> Sql:
    return of(", ".join("{}" for _ in parts), *parts)


def _keys(pipes: Sequence[object]) -> frozenset[str]:
    """What the rows were grouped by last."""
    for pipe in reversed(pipes):
        if isinstance(pipe, Timechart):
            return frozenset(pipe.keys)
        if isinstance(pipe, (Stats, Top)):
            return frozenset(key.shown for key in pipe.keys)
    return frozenset()


def parse(cursor: Cursor) -> Pipe:
    if cursor.at_end():
        return Compare()
    return Compare(cursor.span("a span", most=MAX_SPAN_S))
