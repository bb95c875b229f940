"""The pipes `compare`, with the time before, and `anomalies`, with what is usual."""

import statistics
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import msgspec

from logstream.query.numbers import text_of
from logstream.query.pipes.anomalies import Anomalies
from logstream.query.pipes.compare import Compare
from logstream.query.pipes.drop import Drop
from logstream.query.pipes.eval import Eval
from logstream.query.pipes.fields import Fields
from logstream.query.pipes.head import Head
from logstream.query.pipes.rename import Rename
from logstream.query.pipes.top import MAX_ROWS, Top
from logstream.query.query import Query
from tests.query.model.functions import rounded
from tests.query.model.ordering import in_order
from tests.query.model.rows import Row, Rows, Span, World
from tests.query.model.values import NUMBERS, V, finite, number


def compared(
    pipe: Compare,
    front: Query,
    span: Span,
    world: World,
    rows_of: Callable[[Query, World], Rows],
) -> Rows:
    """The rows of now, and those of before that have no like, in order, where counts or
    keys make one.

    Args:
        front: What stands before the pipe.
        span: That it is about.
    """
    front, limit = _unlimited(front)
    now = rows_of(front, msgspec.structs.replace(world, bound=span))
    length = max(1, span[1] - span[0])
    shift = length + -length % now.step_ns
    if pipe.span_s is not None:
        shift = round(pipe.span_s * 1e9)
    earlier = msgspec.structs.replace(
        world,
        span=(world.span[0] - shift, world.span[1] - shift),
        shift_ns=world.shift_ns + shift,
        bound=(span[0] - shift, span[1] - shift),
    )
    before = rows_of(front, earlier)
    assert now.keys is not None
    keys = now.keys
    there = {_key(row, keys, shift): row for row in before}
    made = [_pair(row, there.pop(_key(row, keys, 0), None), keys, shift) for row in now]
    made += [_pair(None, row, keys, shift) for row in there.values()]
    if not any(isinstance(one, Top) for one in front.pipes):
        made.sort(key=lambda row: in_order([(row[key][1], False) for key in keys]))
    return now.made(made[:limit], keys=keys, step_ns=now.step_ns)


def _unlimited(query: Query) -> tuple[Query, int | None]:
    """Without the limits at its end, and what those come to."""
    pipes: list[Any] = []
    limits: list[int] = []
    is_end = True
    for pipe in reversed(query.pipes):
        if is_end and isinstance(pipe, Head):
            limits.append(pipe.rows)
        elif is_end and isinstance(pipe, Top):
            limits.append(pipe.rows)
            pipes.append(msgspec.structs.replace(pipe, rows=MAX_ROWS))
        else:
            pipes.append(pipe)
        is_end = is_end and isinstance(pipe, Head | Fields | Drop | Rename | Eval)
    return Query(query.expr, tuple(reversed(pipes))), min(limits, default=None)


def _moved(value: V, shift: int) -> V:
    kind, one = value
    return (kind, one + shift) if kind == "time" and one is not None else value


def _key(row: Row, keys: tuple[str, ...], shift: int) -> tuple[Any, ...]:
    return tuple(_moved(row[name], shift)[1] for name in keys)


def _pair(
    now: Row | None, before: Row | None, keys: tuple[str, ...], shift: int
) -> dict[str, V]:
    row = now or before
    assert row is not None
    made: dict[str, V] = {}
    for name, (kind, _) in row.columns.items():
        if name in keys:
            made[name] = _moved(row[name], 0 if now else shift)
        elif kind not in NUMBERS:
            made[name] = now[name] if now else (kind, None)
        else:
            one, other = _number(now, name, kind), _number(before, name, kind)
            change = None
            if one is not None and other:
                change = rounded(100.0 * (one - other) / abs(other), 3)
            made[name], made[f"{name}_before"] = (kind, one), (kind, other)
            made[f"{name}_change"] = ("number", change)
    return made


def _number(row: Row | None, name: str, kind: str) -> Any:
    if row is None:
        return 0 if kind == "integer" else None
    return row[name][1]


def standing_out(pipe: Anomalies, rows: Rows) -> Rows:
    names = list(rows.rows[0].columns) if rows.rows else []
    kinds = {name: rows.rows[0][name][0] for name in names}
    name = pipe.name
    if name is None:
        name = next((one for one in names if kinds[one] in NUMBERS), "")
    series = [one for one in names if one != name and kinds[one] in ("text", "boolean")]

    def key(row: Row) -> tuple[Any, ...]:
        return tuple(row[one][1] for one in series)

    values: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    for row in rows:
        if (size := number(row[name])) is not None:
            values[key(row)].append(size)
    return rows.of(
        row.with_columns(_told(pipe, name, row[name], values[key(row)])) for row in rows
    )


def _told(pipe: Anomalies, name: str, value: V, series: list[float]) -> dict[str, V]:
    size = number(value)
    middle = statistics.median(series) if series else None
    score = None
    if size is not None and middle is not None:
        far = [abs(one - middle) for one in series]
        median, mean = statistics.median(far), statistics.fmean(far)
        score = 0.0
        if median > 0:
            score = 0.6745 * (size - middle) / median
        elif mean > 0:
            score = (size - middle) / (1.253314 * mean)
        score = rounded(score, 3)
    is_far = score is not None and abs(score) > pipe.threshold
    told = None
    if is_far and score is not None:
        side = "above" if score > 0 else "below"
        told = (
            f"{name} is {_shown(size)}, {side} the usual {_shown(middle)} "
            f"(score {_shown(score)})"
        )
    return {
        "expected": ("number", finite(middle)),
        "score": ("number", score),
        "is_anomaly": ("boolean", is_far),
        "explanation": ("text", told),
    }


def _shown(size: float | None) -> str:
    assert size is not None
    return (text_of(rounded(float(size), 3)) or "").removesuffix(".0")
