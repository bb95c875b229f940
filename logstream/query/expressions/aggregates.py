"""Aggregates: what `stats` computes over the rows of a group, such as `avg(took)`."""

import re
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from logstream.core.errors import BadRequest
from logstream.core.results import Kind
from logstream.core.sql import Sql
from logstream.query.entry_fields import moment
from logstream.query.expressions.nodes import Expression, Number, name_text
from logstream.query.expressions.sql import value_of
from logstream.query.fragments import of
from logstream.query.grouping import MERGED_COUNT, MERGED_DEVIATION
from logstream.query.nodes import Expr
from logstream.query.tables import Table
from logstream.query.values import (
    Merged,
    Typed,
    Value,
    as_boolean,
    as_held,
    as_number,
    as_text,
    is_missing,
)

MOST_VALUES = 1_000
"""In the list that `values` makes."""
_PLACE = re.compile(r"\{([0-9])\}")


class Context(msgspec.Struct, frozen=True):
    table: Table
    seconds: Sql | None
    """How long a group lasts, where that is known; for `rate`."""
    where: Sql | None
    """Which rows count."""


Make = Callable[[Sequence[Value], Sequence[Expression], Context], Typed]


class Kinds(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of aggregate."""

    least: int
    most: int
    make: Make
    shown: str
    is_additive: bool = False
    """Whether those of two groups, added, are that of both."""


class Aggregate(msgspec.Struct, frozen=True):
    """A call, with the condition and the name that it was given."""

    function: str
    arguments: tuple[Expression, ...]
    condition: Expr | None = None
    name: str | None = None

    def __str__(self) -> str:
        text = self.call
        if self.condition is not None:
            text += f" if ({self.condition})"
        return text if self.name is None else f"{text} as {name_text(self.name)}"

    @property
    def call(self) -> str:
        return f"{self.function}({', '.join(map(str, self.arguments))})"

    @property
    def shown(self) -> str:
        """What the column is called."""
        if self.name is not None:
            return self.name
        return str(self)

    @property
    def is_additive(self) -> bool:
        return AGGREGATES[self.function].is_additive

    def apply(self, table: Table, seconds: Sql | None = None) -> Typed:
        where = None
        if self.condition is not None:
            if table.scan is None:
                raise BadRequest(
                    "`if (filter)` looks at entries, and there are none here any "
                    "more: use count_if(expression)."
                )
            where = table.scan.test(self.condition)
        values = [value_of(argument, table) for argument in self.arguments]
        kind = AGGREGATES[self.function]
        return kind.make(values, self.arguments, Context(table, seconds, where))


def _over(sql: Sql, context: Context) -> Sql:
    if context.where is None:
        return sql
    return of("{} FILTER (WHERE {})", sql, context.where)


def _finite(sql: Sql) -> Sql:
    """A sum may overflow, and `nan` may stand in a log: that is no number."""
    return of("CASE WHEN isfinite({}) THEN {} END", sql, sql)


def _merged(template: str, *parts: Sql, finite: bool = False) -> Merged:
    if finite:
        template = f"CASE WHEN isfinite({template}) THEN {template} END"
    return Merged(parts, template)


def _counted(sql: Sql) -> Typed:
    return Typed(sql, "integer", merged=_merged(MERGED_COUNT, sql))


def _span_or_number(value: Value) -> Kind:
    is_span = isinstance(value, Typed) and value.kind == "duration"
    return "duration" if is_span else "number"


def _count(values: Sequence[Value], _: Sequence[Expression], at: Context) -> Typed:
    if not values:
        return _counted(_over(Sql("count(*)"), at))
    there = of("count(CASE WHEN {} THEN NULL ELSE 1 END)", is_missing(values[0]))
    return _counted(_over(there, at))


def _count_if(values: Sequence[Value], _: Sequence[Expression], at: Context) -> Typed:
    test = of("count(CASE WHEN {} THEN 1 END)", as_boolean(values[0]))
    return _counted(_over(test, at))


def _uniq(values: Sequence[Value], _: Sequence[Expression], at: Context) -> Typed:
    text = "count(DISTINCT {0})"
    if len(values) > 1:
        marks = [f"{{{place}}}" for place in range(len(values))]
        there = " OR ".join(f"{mark} IS NOT NULL" for mark in marks)
        text = f"count(DISTINCT CASE WHEN {there} THEN ({', '.join(marks)}) END)"
    return _of_distinct(text, values, at)


def _distinct(value: Value) -> Sql:
    return value.sql if isinstance(value, Typed) else as_text(value)


def _uniq_approx(
    values: Sequence[Value], _: Sequence[Expression], at: Context
) -> Typed:
    return _of_distinct("approx_count_distinct({0})", values, at)


def _of_distinct(template: str, values: Sequence[Value], at: Context) -> Typed:
    """What takes each value once; of parts, those that each has."""
    found = [_distinct(value) for value in values]
    places = [int(place) for place in _PLACE.findall(template)]
    each = (found[place] for place in places)  # parameters have the order of the text
    whole = _over(of(_PLACE.sub("{}", template), *each), at)
    if at.where is not None:
        found = [of("CASE WHEN {} THEN {} END", at.where, one) for one in found]
    return Typed(whole, "integer", merged=Merged((), template, by=tuple(found)))


def _sum(values: Sequence[Value], _: Sequence[Expression], at: Context) -> Typed:
    total = _over(of("sum({})", as_number(values[0])), at)
    merged = _merged("sum({0})", total, finite=True)
    return Typed(_finite(total), _span_or_number(values[0]), merged=merged)


def _avg(values: Sequence[Value], _: Sequence[Expression], at: Context) -> Typed:
    number = as_number(values[0])
    average, total, count = (
        _over(of(f"{function}({{}})", number), at)
        for function in ("avg", "sum", "count")
    )
    merged = _merged("(sum({0}) / sum({1}))", total, count, finite=True)
    return Typed(_finite(average), _span_or_number(values[0]), merged=merged)


def _stddev(values: Sequence[Value], _: Sequence[Expression], at: Context) -> Typed:
    number = as_number(values[0])
    whole, count, mean, spread = (
        _over(of(f"{function}({{}})", number), at)
        for function in ("stddev_samp", "count", "favg", "var_pop")
    )
    template = f"CASE WHEN isfinite({MERGED_DEVIATION}) THEN {MERGED_DEVIATION} END"
    merged = Merged((count, mean, spread), template, is_listed=True)
    return Typed(_finite(whole), _span_or_number(values[0]), merged=merged)


def _extreme(function: str) -> Make:
    """`min`, `max`: of a field, the numbers; of times and texts, what they are."""

    def make(values: Sequence[Value], _: Sequence[Expression], at: Context) -> Typed:
        value = values[0]
        if isinstance(value, Typed) and value.kind in ("text", "time", "json"):
            kind: Kind = "time" if value.kind == "time" else "text"
            sql = value.sql
        else:
            sql, kind = as_number(value), _span_or_number(value)
        extreme = _over(of(f"{function}({{}})", sql), at)
        return Typed(extreme, kind, merged=_merged(f"{function}({{0}})", extreme))

    return make


def _quantile_of(share: float) -> Make:
    def make(values: Sequence[Value], _: Sequence[Expression], at: Context) -> Typed:
        sql = of(f"quantile_cont({{}}, {share!r})", as_number(values[0]))
        return Typed(_finite(_over(sql, at)), _span_or_number(values[0]))

    return make


def _quantile(
    values: Sequence[Value], nodes: Sequence[Expression], at: Context
) -> Typed:
    """`quantile(took, 0.95)`, and LogsQL's `quantile(0.95, took)`."""
    share = share_of(nodes)
    assert share is not None
    value = 1 if isinstance(nodes[0], Number) else 0
    return _quantile_of(share)([values[value]], [nodes[value]], at)


def share_of(nodes: Sequence[Expression]) -> float | None:
    share = nodes[0] if isinstance(nodes[0], Number) else nodes[1]
    if isinstance(share, Number) and 0 <= share.value <= 1:
        return share.value
    return None


def _by_time(function: str) -> Make:
    """`first`, `last`: the value of the earliest or latest entry that has one."""

    def make(values: Sequence[Value], _: Sequence[Expression], at: Context) -> Typed:
        scan = at.table.scan
        if scan is None:
            raise BadRequest(
                "first() and last() go by the time of entries, and there are none "
                "here any more."
            )
        value = values[0]
        kind, sql = as_held(value)
        when = moment(scan)
        found = _over(of(f"{function}({{}}, {{}})", sql, when), at)
        there = of("CASE WHEN {} IS NOT NULL THEN {} END", sql, when)
        ends = _over(of(f"{function.removeprefix('arg_')}({{}})", there), at)
        merged = _merged(f"{function}({{0}}, {{1}})", found, ends)
        return Typed(found, kind, merged=merged)

    return make


def _values(values: Sequence[Value], _: Sequence[Expression], at: Context) -> Typed:
    """Every value once, in order."""
    value = _distinct(values[0])
    there = of("{} IS NOT NULL", value)
    where = there if at.where is None else of("{} AND {}", there, at.where)
    listed = of("list(DISTINCT {}) FILTER (WHERE {})", value, where)
    first = of(f"list_sort({{}})[:{MOST_VALUES}]", listed)
    lists = "flatten(list({0}) FILTER (WHERE {0} IS NOT NULL))"
    merged = f"list_sort(list_distinct({lists}))[:{MOST_VALUES}]"
    text = "coalesce(to_json({})::VARCHAR, '[]')"
    return Typed(of(text, first), "json", merged=_merged(text.format(merged), first))


def _rate(values: Sequence[Value], nodes: Sequence[Expression], at: Context) -> Typed:
    """Rows a second, or the sum of something a second."""
    if values:
        total = _over(of("sum({})", as_number(values[0])), at)
        merged = "sum({0})"
    else:
        total = _over(Sql("count(*)"), at)
        merged = MERGED_COUNT
    share = "{} / nullif({}, 0)"
    if at.seconds is None:
        if at.table.scan is None:
            raise BadRequest("rate() needs a time range, or `by bucket(time, 1m)`.")
        when = at.table.scan.own("timestamp").text
        length = "((epoch_ns(max({}))::HUGEINT - epoch_ns(min({}))) / 1e9)"
        sql = of(share, total, Sql(length.format(when, when)))
        ends = (Sql(f"max({when})"), Sql(f"min({when})"))
        whole = share.format(merged, length.format("{1}", "{2}"))
        return Typed(sql, "number", merged=_merged(whole, total, *ends))
    whole = share.format(merged, at.seconds.text)
    sql = of(share, total, at.seconds)
    return Typed(sql, "number", merged=_merged(whole, total))


def _kind(make: Make, shown: str, least: int = 1, most: int = 1) -> Kinds:
    return Kinds(least=least, most=most, make=make, shown=shown)


AGGREGATES: Final[dict[str, Kinds]] = {
    "count": Kinds(
        least=0, most=1, make=_count, shown="count() or count(field)", is_additive=True
    ),
    "count_if": Kinds(
        least=1, most=1, make=_count_if, shown="count_if(took > 1)", is_additive=True
    ),
    "uniq": _kind(_uniq, "uniq(field)", 1, 8),
    "uniq_approx": _kind(_uniq_approx, "uniq_approx(field)"),
    "sum": Kinds(least=1, most=1, make=_sum, shown="sum(took)", is_additive=True),
    "avg": _kind(_avg, "avg(took)"),
    "min": _kind(_extreme("min"), "min(took)"),
    "max": _kind(_extreme("max"), "max(took)"),
    "median": _kind(_quantile_of(0.5), "median(took)"),
    "quantile": _kind(_quantile, "quantile(took, 0.95)", 2, 2),
    "p50": _kind(_quantile_of(0.5), "p50(took)"),
    "p90": _kind(_quantile_of(0.9), "p90(took)"),
    "p95": _kind(_quantile_of(0.95), "p95(took)"),
    "p99": _kind(_quantile_of(0.99), "p99(took)"),
    "stddev": _kind(_stddev, "stddev(took)"),
    "first": _kind(_by_time("arg_min"), "first(user)"),
    "last": _kind(_by_time("arg_max"), "last(user)"),
    "values": _kind(_values, "values(user)"),
    "rate": Kinds(
        least=0, most=1, make=_rate, shown="rate() or rate(bytes)", is_additive=True
    ),
}
"""By name. What a group has no value for is null; `count` is 0 then."""
