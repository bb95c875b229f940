"""The pipes that make groups: `stats`, `top`, `rare`, `timechart`."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from logstream.query.expressions.aggregates import Aggregate
from logstream.query.pipes.stats import GroupKey, Stats
from logstream.query.pipes.timechart import Timechart
from logstream.query.pipes.top import Top
from tests.query.model.aggregates import aggregated
from tests.query.model.expressions import value_of
from tests.query.model.functions import bucket
from tests.query.model.ordering import in_order
from tests.query.model.rows import Row, Rows
from tests.query.model.values import V, text, typed

Group = tuple[tuple[V, ...], list[Row]]
_FILLED = ("count", "count_if", "sum", "uniq", "rate")


def groups_of(
    rows: Rows, keys: Callable[[Row], tuple[V, ...]]
) -> dict[tuple[Any, ...], Group]:
    found: dict[tuple[Any, ...], Group] = {}
    for row in rows:
        key = keys(row)
        found.setdefault(tuple(one for _, one in key), (key, []))[1].append(row)
    return found


def _keys(keys: Sequence[GroupKey], row: Row) -> tuple[V, ...]:
    return tuple(typed(value_of(key.value, row)) for key in keys)


def _named(keys: Sequence[GroupKey], values: tuple[V, ...]) -> dict[str, V]:
    return {key.shown: one for key, one in zip(keys, values, strict=True)}


def grouped(pipe: Stats, rows: Rows) -> Rows:
    groups = list(groups_of(rows, lambda row: _keys(pipe.keys, row)).values())
    if not pipe.keys and not groups:
        groups = [((), [])]
    groups.sort(key=lambda group: in_order([(one, False) for _, one in group[0]]))
    begin, end = rows.span
    spans = [key.span_s for key in pipe.keys if key.span_s is not None]
    seconds = spans[0] if spans else (end - begin) / 1e9
    return rows.made(
        (
            _named(pipe.keys, values)
            | {one.shown: aggregated(one, inside, seconds) for one in pipe.aggregates}
            for values, inside in groups
        ),
        keys=[key.shown for key in pipe.keys],
        step_ns=_step_ns(spans),
    )


def _step_ns(spans: list[float]) -> int:
    return math.lcm(*(round(one * 1e9) for one in spans))


def top(pipe: Top, rows: Rows) -> Rows:
    groups = [
        group
        for key, group in groups_of(rows, lambda row: _keys(pipe.keys, row)).items()
        if None not in key
    ]
    total = sum(len(inside) for _, inside in groups)
    groups.sort(
        key=lambda group: in_order(
            [(len(group[1]), not pipe.is_rare), *((one, False) for _, one in group[0])]
        )
    )
    return rows.made(
        (
            _named(pipe.keys, values)
            | {
                "count": ("integer", len(inside)),
                "percent": ("number", round(100.0 * len(inside) / total, 3)),
            }
            for values, inside in groups[: pipe.rows]
        ),
        keys=[key.shown for key in pipe.keys],
    )


class Chart:
    def __init__(self, pipe: Timechart, rows: Rows) -> None:
        assert pipe.span_s is not None
        self._pipe = pipe
        self._rows = rows
        self._span = round(pipe.span_s * 1e9)
        self._groups = groups_of(rows, self._key)
        self._others: set[Any] = set()

    def _key(self, row: Row) -> tuple[V, ...]:
        name = None
        if self._pipe.key is not None:
            name = text(value_of(self._pipe.key.value, row))
        return (("time", bucket(row.place()[0], self._span)), ("text", name))

    def made(self) -> Rows:
        begin, end = self._rows.span
        first, last = bucket(begin, self._span), bucket(end - 1, self._span)
        series = self._series()
        key = self._pipe.key
        return self._rows.made(
            (
                self._point(time, name, is_other=is_other)
                for time in range(first, last + 1, self._span)
                for is_other, name in series
            ),
            keys=("timestamp",) if key is None else ("timestamp", key.shown),
            step_ns=self._span,
        )

    def _series(self) -> list[tuple[bool, str | None]]:
        if self._pipe.key is None:
            return [(False, None)]
        sizes: Counter[Any] = Counter()
        for (_, name), (_, inside) in self._groups.items():
            sizes[name] += len(inside)
        ranked = sorted(
            sizes, key=lambda one: in_order([(sizes[one], True), (one, False)])
        )
        kept = ranked[: self._pipe.series]
        self._others = set(ranked[self._pipe.series :])
        if not any(one.is_additive for one in self._pipe.aggregates):
            self._others = set()
        kept.sort(key=lambda one: in_order([(one, False)]))
        others: list[tuple[bool, str | None]] = [(True, "other")]
        return [(False, name) for name in kept] + others * bool(self._others)

    def _point(self, time: int, name: str | None, *, is_other: bool) -> dict[str, V]:
        names = self._others if is_other else {name}
        groups = [self._groups.get((time, one)) for one in names]
        inside = [row for group in groups if group is not None for row in group[1]]
        row: dict[str, V] = {"timestamp": ("time", time)}
        if self._pipe.key is not None:
            row[self._pipe.key.shown] = ("text", name)
        for one in self._pipe.aggregates:
            row[one.shown] = self._value(one, inside, is_other=is_other)
        return row

    def _value(self, one: Aggregate, inside: list[Row], *, is_other: bool) -> V:
        found: V = ("json" if one.function == "values" else "number", None)
        if inside and (one.is_additive or not is_other):
            found = aggregated(one, inside, self._span / 1e9)
        if found[1] is None and one.function in _FILLED:
            return ("number" if one.function in ("sum", "rate") else "integer", 0)
        return found
