"""What of a query's rows can be drawn: values over time, a series for each group."""

from collections.abc import Sequence
from typing import Any

import msgspec

from logstream.core.errors import QuerySyntaxError
from logstream.core.results import Kind, ResultColumn, Table
from logstream.query.expressions.nodes import Call
from logstream.query.pipes.stats import Stats
from logstream.query.pipes.timechart import Timechart
from logstream.query.query import parse_query

_NUMBERS: tuple[Kind, ...] = ("integer", "number", "duration")
_BESIDE = frozenset({"expected", "score", "is_anomaly", "explanation"})
"""Columns that `anomalies` adds."""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One row of columns to draw."""

    group: str
    """Which; empty: there is only one."""
    measure: str
    """What was computed."""
    kind: Kind
    values: tuple[float | None, ...]
    """One for each time; None: there is none."""


class TimeChart(msgspec.Struct, frozen=True, kw_only=True):
    times: tuple[str, ...]
    series: tuple[Series, ...]


class Bars(msgspec.Struct, frozen=True, kw_only=True):
    """Rows as they are, with a bar beside each."""

    column: str
    """Of what."""


Chart = TimeChart | Bars


def is_bucketed(text: str) -> bool:
    """Whether a query's rows are for each bucket, of time or of numbers."""
    try:
        pipes = parse_query(text).pipes
    except QuerySyntaxError:
        return False
    return any(
        isinstance(pipe, Timechart)
        or (isinstance(pipe, Stats) and any(map(_is_bucket, pipe.keys)))
        for pipe in pipes
    )


def chart_of(table: Table) -> Chart | None:
    """What the rows of a bucketed query look like; None: like nothing."""
    columns = [column for column in table.columns if column.name not in _BESIDE]
    times = [column for column in columns if column.kind == "time"]
    groups = [column for column in columns if column.kind in ("text", "json")]
    numbers = [column for column in columns if column.kind in _NUMBERS]
    if not table.rows or not numbers:
        return None
    if times:
        return _over_time(table, times[0], groups, numbers)
    # A bucket of numbers comes first, and what was computed behind it.
    return Bars(column=numbers[-1].name) if len(numbers) > 1 else None


def bars_of(table: Table) -> Bars | None:
    """A bar for each row, of its count or the last number that it has."""
    numbers = [column.name for column in table.columns if column.kind in _NUMBERS]
    if not table.rows or not numbers:
        return None
    return Bars(column="count" if "count" in numbers else numbers[-1])


def anomalies_of(table: Table) -> Table | None:
    """Of rows that `anomalies` judged, those that stand out; None: it did not."""
    names = [column.name for column in table.columns]
    if "is_anomaly" not in names:
        return None
    place = names.index("is_anomaly")
    rows = [row for row in table.rows if row[place]]
    return msgspec.structs.replace(table, rows=rows)


def _over_time(
    table: Table,
    time: ResultColumn,
    groups: Sequence[ResultColumn],
    numbers: Sequence[ResultColumn],
) -> TimeChart:
    place = {column.name: at for at, column in enumerate(table.columns)}
    at_time = place[time.name]
    times = tuple(sorted({str(row[at_time]) for row in table.rows}))
    where = {one: at for at, one in enumerate(times)}
    found: dict[tuple[str, str], list[float | None]] = {}
    for row in table.rows:
        group = ", ".join(_shown(row[place[column.name]]) for column in groups)
        for column in numbers:
            values = found.setdefault((group, column.name), [None] * len(times))
            values[where[str(row[at_time])]] = _number(row[place[column.name]])
    kinds = {column.name: column.kind for column in numbers}
    return TimeChart(
        times=times,
        series=tuple(
            Series(group=group, measure=name, kind=kinds[name], values=tuple(values))
            for (group, name), values in found.items()
        ),
    )


def _is_bucket(key: Any) -> bool:
    match key.value:
        case Call("bucket", _):
            return True
        case _:
            return False


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
