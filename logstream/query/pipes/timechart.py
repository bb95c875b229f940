"""`timechart 5m count() as n, avg(took) by level limit 5`: values over time.

Rows of a time, a series and values, without gaps: a count, sum or rate is 0 where there
is nothing, all else null. Of the series, those with the most rows stay; the others are
one, `other`, of what can be added up.
"""

import msgspec

from logstream.core.errors import BadRequest
from logstream.core.sql import SAID, Sql
from logstream.query.expressions.aggregate_parser import parse_aggregates
from logstream.query.expressions.aggregates import Aggregate
from logstream.query.expressions.cursor import Cursor
from logstream.query.expressions.nodes import span_text
from logstream.query.expressions.sql import value_of
from logstream.query.expressions.time_functions import (
    bucket_begin_ns,
    bucket_number,
)
from logstream.query.expressions.tokens import Mark
from logstream.query.fragments import of
from logstream.query.grouping import MERGED_COUNT, grouped
from logstream.query.pipes import Pipe
from logstream.query.pipes.stats import GroupKey, parse_keys
from logstream.query.tables import Order, Table
from logstream.query.values import Merged, Typed, Value, as_text, as_time

MAX_BUCKETS = 10_000
MAX_SERIES = 100
SERIES = 10
TIME = "timestamp"
OTHER = "other"

TOO_MANY = (
    f"timechart makes at most {MAX_BUCKETS} rows of time: ask for a longer span or a "
    "shorter range"
)
_FILLED = frozenset({"count", "count_if", "uniq", "uniq_approx", "sum", "rate"})
_SPANS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800)
_WEEK = 604_800
_LONG_SPANS = (
    *(21_600, 43_200, 86_400, _WEEK, 2 * _WEEK, 4 * _WEEK),
    *(13 * _WEEK, 26 * _WEEK, 52 * _WEEK, 260 * _WEEK, 520 * _WEEK),
)
_WANTED_BUCKETS = 100


class Timechart(msgspec.Struct, frozen=True):
    aggregates: tuple[Aggregate, ...]
    span_s: float | None = None
    """None: what makes up to 100 buckets of the query's range; without one, an hour."""
    key: GroupKey | None = None
    series: int = SERIES

    def __str__(self) -> str:
        span = "" if self.span_s is None else f"{span_text(self.span_s)} "
        text = f"timechart {span}{', '.join(map(str, self.aggregates))}"
        if self.key is None:
            return text
        limit = "" if self.series == SERIES else f" limit {self.series}"
        return f"{text} by {self.key}{limit}"

    def apply(self, table: Table) -> Table:
        return _Chart(self, table, self._span_ns(table)).table()

    def _span_ns(self, table: Table) -> int:
        begin, end = table.builder.range_of(table)
        known = begin is not None and end is not None and end > begin
        if self.span_s is None:
            length = (end - begin) / 1e9 if known else 0  # type: ignore[operator]
            wanted = length / _WANTED_BUCKETS if known else 3600
            spans = (*_SPANS, *_LONG_SPANS)
            span = next((one for one in spans if one >= wanted), spans[-1])
            return span * 10**9
        span_ns = max(1, round(self.span_s * 1e9))
        if known and (end - begin) // span_ns > MAX_BUCKETS:  # type: ignore[operator]
            raise BadRequest(f"{TOO_MANY}.")
        return span_ns


class _Chart:
    """One chart in the making: grouped, ranked, and joined to all times."""

    def __init__(self, chart: Timechart, table: Table, span_ns: int) -> None:
        self._chart = chart
        self._table = table
        self._span_ns = span_ns
        alias = table.builder.alias
        self._groups, self._points, self._times, self._series = (
            alias() for _ in range(4)
        )
        self._ns, self._is_other, self._name, self._rows = (alias() for _ in range(4))
        self._rank = alias()

    def table(self) -> Table:
        seconds = Sql(repr(self._span_ns / 1e9))
        values = [
            (one.shown, one, one.apply(self._table, seconds))
            for one in self._chart.aggregates
        ]
        aliases = [self._table.builder.alias() for _ in values]
        groups = self._grouped([value for *_, value in values], aliases)
        body = self._body([one for _, one, _ in values], aliases)
        time = self._table.builder.alias()
        shown = [
            f"coalesce(p.{alias}, 0) AS {alias}"
            if one.function in _FILLED
            else f"p.{alias} AS {alias}"
            for (_, one, _), alias in zip(values, aliases, strict=True)
        ]
        select = ", ".join(
            [
                f"make_timestamp_ns(t.ns) AS {time}",
                f"s.{self._name} AS {self._name}, s.{self._is_other} AS {self._rank}",
                *shown,
            ]
        )
        relation = of(
            f"(WITH {self._groups} AS MATERIALIZED ({{}}), {body} "
            f"SELECT {select} FROM {self._times} t CROSS JOIN {self._series} s "
            f"LEFT JOIN {self._points} p ON p.{self._ns} = t.ns "
            f"AND p.{self._is_other} = s.{self._is_other} "
            f"AND p.{self._name} IS NOT DISTINCT FROM s.{self._name})",
            groups,
        )
        columns: dict[str, Value] = {TIME: Typed(Sql(time), "time")}
        order = [Order(Sql(time), descending=False)]
        group: tuple[Sql, ...] = (Sql(time),)
        if self._chart.key is not None:
            columns[self._chart.key.shown] = Typed(Sql(self._name), "text")
            order += [Order(Sql(one), False) for one in (self._rank, self._name)]
            group = (*group, Sql(self._name))
        for (name, _, value), alias in zip(values, aliases, strict=True):
            columns[name] = Typed(Sql(alias), value.kind)
        return Table(
            builder=self._table.builder,
            relation=relation,
            scan=None,
            columns=columns,
            is_open=False,
            order=tuple(order),
            group=group,
            step_ns=self._span_ns,
        )

    def _grouped(self, values: list[Typed], aliases: list[str]) -> Sql:
        """Rows of a time and a series, with how many rows there were."""
        key = self._chart.key
        keys = [
            (self._ns, bucket_number(as_time(self._table.value(TIME)), self._span_ns))
        ]
        name = f", NULL::VARCHAR AS {self._name}"
        if key is not None:
            keys.append((self._name, as_text(value_of(key.value, self._table))))
            name = ""
        count = Sql("count(*)")
        rows = Typed(count, "integer", merged=Merged((count,), MERGED_COUNT))
        results = ((self._rows, rows), *zip(aliases, values, strict=True))
        begin = bucket_begin_ns(self._ns, self._span_ns)
        return of(
            f"SELECT * REPLACE ({begin} AS {self._ns}){name} FROM {{}} "
            f"WHERE {begin} IS NOT NULL",
            grouped(self._table, keys, results),
        )

    def _body(self, aggregates: list[Aggregate], aliases: list[str]) -> str:
        """The points, the times and the series, as named parts of one SELECT."""
        ranked = (
            f"SELECT {self._name}, row_number() OVER (ORDER BY sum({self._rows}) DESC, "
            f"{self._name}) > {self._chart.series:d} AS {self._is_other} "
            f"FROM {self._groups} GROUP BY 1"
        )
        sums = ", ".join(
            f"sum({alias}) AS {alias}"
            if one.is_additive
            else f"CASE WHEN r.{self._is_other} THEN NULL ELSE any_value({alias}) END "
            f"AS {alias}"
            for one, alias in zip(aggregates, aliases, strict=True)
        )
        where = "" if any(one.is_additive for one in aggregates) else " WHERE NOT r.{0}"
        points = (
            f"SELECT g.{self._ns}, r.{self._is_other}, CASE WHEN r.{self._is_other} "
            f"THEN '{OTHER}' ELSE g.{self._name} END AS {self._name}, {sums} "
            f"FROM {self._groups} g JOIN ({ranked}) r "
            f"ON g.{self._name} IS NOT DISTINCT FROM r.{self._name}"
            f"{where.format(self._is_other)} GROUP BY 1, 2, 3"
        )
        series = f"SELECT DISTINCT {self._is_other}, {self._name} FROM {self._points}"
        if self._chart.key is None:
            series = f"SELECT FALSE AS {self._is_other}, NULL AS {self._name}"
        return (
            f"{self._points} AS MATERIALIZED ({points}), "
            f"{self._times} AS ({self._every_time()}), "
            f"{self._series} AS ({series})"
        )

    def _every_time(self) -> str:
        span = self._span_ns
        begin, end = self._table.builder.range_of(self._table)
        first, last, source = f"min({self._ns})", f"max({self._ns})", self._groups
        if begin is not None and end is not None:
            first = f"({_floor(begin, span)})::BIGINT"
            last = f"({_floor(max(begin, end - 1), span)})::BIGINT"
            source = "(SELECT 1)"
        ends = f"SELECT {first} AS a, {last} AS b FROM {source}"
        return (
            f"SELECT unnest(CASE WHEN (b::HUGEINT - a) // {span} > {MAX_BUCKETS} "
            f"THEN error('{SAID}{TOO_MANY}') ELSE range(a, b + 1, {span}) END) AS ns "
            f"FROM ({ends})"
        )


def _floor(ns: int, span_ns: int) -> int:
    """The begin of its bucket, as `time_bucket` has it."""
    offset = 345_600 * 10**9 if span_ns % (604_800 * 10**9) == 0 else 0
    return ns - (ns - offset) % span_ns


def parse(cursor: Cursor) -> Pipe:
    span = None
    if cursor.accept_option("span") or cursor.here.mark is Mark.SPAN:
        span = cursor.span("a span")
    aggregates = parse_aggregates(cursor)
    key, series = None, SERIES
    if cursor.accept_word("by"):
        start = cursor.here
        keys = parse_keys(cursor)
        if len(keys) > 1:
            cursor.fail("timechart goes by one field", start)
        key = keys[0]
        if cursor.accept_option("limit") or cursor.accept_word("limit"):
            series = cursor.whole("a number of series", least=1, most=MAX_SERIES)
    shown = [TIME, *(one.shown for one in aggregates)]
    if key is not None:
        shown.append(key.shown)
    if len(set(shown)) < len(shown):
        cursor.fail("two columns would have the same name: name one with `as`")
    return Timechart(aggregates, span, key, series)
