"""What aggregates make of the rows of a group."""

import math
import statistics
from collections.abc import Callable, Sequence

from logstream.query.expressions.aggregates import Aggregate
from logstream.query.expressions.nodes import Number
from logstream.query.filter import compile_expr
from tests.query.model.expressions import value_of
from tests.query.model.rows import Row
from tests.query.model.values import V, boolean, finite, number, typed

_SHARES = {"median": 0.5, "p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


def aggregated(one: Aggregate, rows: Sequence[Row], seconds: float) -> V:
    """Of a group.

    Args:
        seconds: How long it lasts.
    """
    if one.condition is not None:
        test = compile_expr(one.condition)
        rows = [row for row in rows if row.entry and test.matches(row.entry)]
    given = [[value_of(node, row) for node in one.arguments] for row in rows]
    if one.function in _COUNTS:
        return ("integer", _COUNTS[one.function](given))
    if one.function == "values":
        texts = {value for row in given if (value := typed(row[0])[1]) is not None}
        return ("json", sorted(texts))
    if one.function in ("first", "last"):
        return _edge(one.function, rows, [row[0] for row in given])
    if one.function == "rate":
        found = (
            [number(row[0]) for row in given] if one.arguments else [1.0] * len(given)
        )
        there = [one for one in found if one is not None]
        total = math.fsum(there) / seconds if there or not one.arguments else None
        return ("number", total)
    values = [row[0] for row in given]
    if one.function in ("min", "max") and values and values[0][0] in ("text", "time"):
        there = [value[1] for value in values if value[1] is not None]
        of = min if one.function == "min" else max
        return (values[0][0], of(there, default=None))
    return _of_numbers(one, values)


def _of_numbers(one: Aggregate, values: Sequence[V]) -> V:
    kind = "duration" if values and values[0][0] == "duration" else "number"
    numbers = sorted(found for value in values if (found := number(value)) is not None)
    if one.function == "quantile":
        share = one.arguments[1]
        assert isinstance(share, Number)
        return (kind, _quantile(numbers, share.value))
    if one.function in _SHARES:
        return (kind, _quantile(numbers, _SHARES[one.function]))
    return (kind, finite(_NUMBER_OF[one.function](numbers)) if numbers else None)


def _count(given: list[list[V]]) -> int:
    return sum(not row or row[0][1] is not None for row in given)


def _count_if(given: list[list[V]]) -> int:
    return sum(boolean(row[0]) is True for row in given)


def _uniq(given: list[list[V]]) -> int:
    """Rows that have none of the values do not count."""
    found = {tuple(typed(value)[1] for value in row) for row in given}
    return sum(any(one is not None for one in row) for row in found)


_COUNTS: dict[str, Callable[[list[list[V]]], int]] = {
    "count": _count,
    "count_if": _count_if,
    "uniq": _uniq,
}
_NUMBER_OF: dict[str, Callable[[list[float]], float]] = {
    "sum": math.fsum,
    "avg": statistics.fmean,
    "min": min,
    "max": max,
    "stddev": lambda numbers: statistics.stdev(numbers) if numbers[1:] else math.nan,
}


def _quantile(numbers: list[float], share: float) -> float | None:
    if not numbers:
        return None
    at = share * (len(numbers) - 1)
    low, high = math.floor(at), math.ceil(at)
    return numbers[low] + (numbers[high] - numbers[low]) * (at - low)


def _edge(function: str, rows: Sequence[Row], values: list[V]) -> V:
    there = [
        (row.place(), at)
        for at, (row, value) in enumerate(zip(rows, values, strict=True))
        if value[1] is not None
    ]
    if not there:
        return ("json", None)
    at = (min(there) if function == "first" else max(there))[1]
    kind, value = values[at]
    return ("json" if kind == "field" else kind, value)
