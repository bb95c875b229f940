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
from logstream.query.orders import Order
from logstream.query.pipes import Pipe
from logstream.query.pipes.stats import GroupKey, parse_keys
from logstream.query.tables import Table
from logstream.query.values import Merged, Typed, Value, as_text

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
    """One chart in the making: grouped, ranked, and filled where there is nothing."""

    def __init__(self, chart: Timechart, table: Table, span_ns: int) -> None:
        self._chart = chart
        self._table = table
        self._span_ns = span_ns
        alias = table.builder.alias
        self._groups, self._ranks, self._ns, self._name = (alias() for _ in range(4))
        self._rows, self._rank, self._time, self._is_other = (alias() for _ in range(4))
        seconds = Sql(repr(span_ns / 1e9))
        self._values = [
            (alias(), one.apply(table, seconds)) for one in chart.aggregates
        ]

    def table(self) -> Table:
        key = self._chart.key
        relation = self._of_one_series() if key is None else self._of_series()
        columns: dict[str, Value] = {TIME: Typed(Sql(self._time), "time")}
        order = [Order(Sql(self._time), descending=False)]
        group: tuple[Sql, ...] = (Sql(self._time),)
        if key is not None:
            columns[key.shown] = Typed(Sql(self._name), "text")
            order += [Order(Sql(one), False) for one in (self._is_other, self._name)]
            group = (*group, Sql(self._name))
        for one, (alias, value) in zip(
            self._chart.aggregates, self._values, strict=True
        ):
            columns[one.shown] = Typed(Sql(alias), value.kind)
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

    def _of_one_series(self) -> Sql:
        shown = ", ".join(
            f"{_filled(one, f'p.{alias}')} AS {alias}"
            for one, (alias, _) in zip(
                self._chart.aggregates, self._values, strict=True
            )
        )
        return of(
            f"(WITH {self._groups} AS MATERIALIZED ({{}}) "
            f"SELECT make_timestamp_ns(t.ns) AS {self._time}, {shown} "
            f"FROM (SELECT {self._times()} AS ns FROM {self._ends()}) t "
            f"LEFT JOIN {self._groups} p ON p.{self._ns} = t.ns)",
            self._grouped(),
        )

    def _of_series(self) -> Sql:
        """Each series has a rank, by its rows; those behind the last that stays have
        one together. At each time of each there is a row of nothing as well, and rows
        of the same are put together: quicker than to join all times to all series.
        """
        most, rank = self._chart.series, self._rank
        aliases = [alias for alias, _ in self._values]
        last = most
        if any(one.is_additive for one in self._chart.aggregates):
            last += 1
        name = f"CASE WHEN r.{rank} > {most:d} THEN '{OTHER}' ELSE r.{self._name} END"
        own = [
            f"least(r.{rank}, {most + 1:d}) AS {rank}",
            f"{name} AS {self._name}",
        ]
        there = ", ".join([f"g.{self._ns} AS {self._ns}", *own, *aliases])
        nothing = [f"NULL AS {alias}" for alias in aliases]
        filled = ", ".join([f"{self._times()} AS {self._ns}", *own, *nothing])
        is_other = f"{rank} > {most:d}"
        shown = ", ".join(
            f"{_filled(one, _of_group(one, alias, is_other))} AS {alias}"
            for one, alias in zip(self._chart.aggregates, aliases, strict=True)
        )
        only = "" if last > most else f" WHERE r.{rank} <= {most:d}"
        return of(
            f"(WITH {self._groups} AS MATERIALIZED ({{}}), "
            f"{self._ranks} AS MATERIALIZED (SELECT {self._name}, row_number() OVER "
            f"(ORDER BY sum({self._rows}) DESC, {self._name}) AS {rank} "
            f"FROM {self._groups} GROUP BY 1) "
            f"SELECT make_timestamp_ns({self._ns}) AS {self._time}, "
            f"any_value({self._name}) AS {self._name}, {is_other} AS {self._is_other}, "
            f"{shown} FROM (SELECT {there} FROM {self._groups} g "
            f"JOIN {self._ranks} r "
            f"ON g.{self._name} IS NOT DISTINCT FROM r.{self._name}{only} "
            f"UNION ALL SELECT {filled} FROM {self._ranks} r, {self._ends()} "
            f"WHERE r.{rank} <= {last:d}) GROUP BY {self._ns}, {rank})",
            self._grouped(),
        )

    def _grouped(self) -> Sql:
        """Rows of a time and a series, with how many rows there were."""
        key = self._chart.key
        keys = [(self._ns, bucket_number(self._table.value(TIME), self._span_ns))]
        results = self._values
        if key is not None:
            keys.append((self._name, as_text(value_of(key.value, self._table))))
            count = Sql("count(*)")
            rows = Typed(count, "integer", merged=Merged((count,), MERGED_COUNT))
            results = [(self._rows, rows), *results]
        begin = bucket_begin_ns(self._ns, self._span_ns)
        return of(
            f"SELECT * REPLACE ({begin} AS {self._ns}) FROM {{}} "
            f"WHERE {begin} IS NOT NULL",
            grouped(self._table, keys, results),
        )

    def _ends(self) -> str:
        """A relation of one row with the begins `a` and `b` of the first and last."""
        begin, end = self._table.builder.range_of(self._table)
        if begin is None or end is None:
            ends = f"min({self._ns}) AS a, max({self._ns}) AS b"
            return f"(SELECT {ends} FROM {self._groups})"
        first = _floor(begin, self._span_ns)
        last = _floor(max(begin, end - 1), self._span_ns)
        return f"(SELECT ({first})::BIGINT AS a, ({last})::BIGINT AS b)"

    def _times(self) -> str:
        """The begin of every bucket, each in a row."""
        span = self._span_ns
        return (
            f"unnest(CASE WHEN (b::HUGEINT - a) // {span} > {MAX_BUCKETS} "
            f"THEN error('{SAID}{TOO_MANY}') ELSE range(a, b + 1, {span}) END)"
        )


def _of_group(aggregate: Aggregate, alias: str, is_other: str) -> str:
    """What is put together is one value and nothings; but of other series there may be
    several, which only some aggregates can be made of.
    """
    if aggregate.is_additive:
        return f"sum({alias})"
    return f"CASE WHEN {is_other} THEN NULL ELSE any_value({alias}) END"


def _filled(aggregate: Aggregate, value: str) -> str:
    return f"coalesce({value}, 0)" if aggregate.function in _FILLED else value


def _floor(ns: int, span_ns: int) -> int:
    """The begin of its bucket, as `time_bucket` has it."""
    offset = 345_600 * 10**9 if span_ns % (604_800 * 10**9) == 0 else 0
    return ns - (ns - offset) % span_ns


def parse(cursor: Cursor) -> Pipe:
    span = None
    if cursor.accept_option("span") or cursor.here.mark is Mark.SPAN:
        span = cursor.span("a span")
    elif cursor.here.mark is Mark.NUMBER:
        cursor.expected("a span, such as 5m or 1h")
    aggregates = parse_aggregates(cursor)
    key, series = None, SERIES
    if cursor.accept_word("by"):
        start = cursor.here
        keys = parse_keys(cursor)
        if len(keys) > 1:
            cursor.fail("timechart goes by one field", start)
        key = keys[0]
        for _ in cursor.options("limit"):
            series = cursor.whole("a number of series", least=1, most=MAX_SERIES)
    shown = [TIME, *(one.shown for one in aggregates)]
    if key is not None:
        shown.append(key.shown)
    if len(set(shown)) < len(shown):
        cursor.fail("two columns would have the same name: name one with `as`")
    return Timechart(aggregates, span, key, series)
