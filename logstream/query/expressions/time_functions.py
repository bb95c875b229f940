"""Functions of times and lengths of time."""

import re
from collections.abc import Sequence
from typing import Final

from logstream.core.sql import Sql
from logstream.query.expressions.function_kinds import Function, taking
from logstream.query.expressions.nodes import Expression, Span, Text
from logstream.query.field_forms import finite
from logstream.query.fragments import of
from logstream.query.values import (
    Typed,
    Value,
    as_number,
    as_text,
    as_time,
)

_SPECIFIER: Final = re.compile(
    r"%(?:-[djmyHIMS]|[abcdfghjmnpuwxyzABGHIMSTUVWXYZ%])|(%-?.?)", re.DOTALL
)
"""What `strftime` takes; the group is what it does not."""

MAX_SPAN_NS = 2**62
"""Of a bucket: it has to fit into 63 bits, with a time."""


def _span_ns(node: Expression) -> int:
    return round(node.seconds * 1e9) if isinstance(node, Span) else 0


def time_bucket(value: Value, span_ns: int) -> Sql:
    """The begin of the span that a time is in; weeks begin on Monday."""
    span_ns, offset = _span_and_offset(span_ns)
    ns = of("epoch_ns({})", as_time(value))
    since = of(f"({{}} - {offset})", ns) if offset else ns
    # A division and a product take half as long as a remainder.
    further = f" + {offset}" if offset else ""
    begin = of(f"{{}} // {span_ns} * {span_ns}{further}", since)
    if _is_ahead(value, offset):
        return of("make_timestamp_ns({})", begin)
    # Rounded down below 1970 too, where 63 bits may not have room for the begin.
    far = of("({}::HUGEINT - {})", ns, Sql(f"{offset}"))
    below = of(
        f"TRY_CAST({{}} - ({{}} % {span_ns} + {span_ns}) % {span_ns} AS BIGINT)",
        *(ns, far),
    )
    text = f"CASE WHEN {{}} >= {offset} THEN {{}} ELSE {{}} END"
    return of(f"make_timestamp_ns({text})", ns, begin, below)


def bucket_number(value: Value, span_ns: int) -> Sql:
    """Which span a time is in, counted from 1970: to group by it takes half as long as
    to group by the begin, since it is a small number.
    """
    span_ns, offset = _span_and_offset(span_ns)
    time = as_time(value)
    ahead = (
        of(f"(epoch_ns({{}}) - {offset})", time) if offset else of("epoch_ns({})", time)
    )
    number = of(f"{{}} // {span_ns}", ahead)
    if _is_ahead(value, offset):
        return number
    since = of(f"(epoch_ns({{}})::HUGEINT - {offset})", time)
    below = of(f"(({{}} - {span_ns - 1}) // {span_ns})::BIGINT", since)
    text = f"CASE WHEN epoch_ns({{}}) >= {offset} THEN {{}} ELSE {{}} END"
    return of(text, time, number, below)


def _is_ahead(value: Value, offset: int) -> bool:
    """Whether no such time is before the moment from which it is counted."""
    return isinstance(value, Typed) and value.is_stored and not offset


def bucket_begin_ns(number: str, span_ns: int) -> str:
    """Of the span with that number, a column; NULL where 63 bits cannot hold it."""
    span_ns, offset = _span_and_offset(span_ns)
    return f"TRY_CAST({number}::HUGEINT * {span_ns} + {offset} AS BIGINT)"


def _span_and_offset(span_ns: int) -> tuple[int, int]:
    """1970 began on a Thursday, and weeks begin on Monday."""
    span_ns = min(span_ns, MAX_SPAN_NS)
    return span_ns, 345_600 * 10**9 if span_ns % (604_800 * 10**9) == 0 else 0


def _bucket(values: Sequence[Value], nodes: Sequence[Expression]) -> Typed:
    """By time, or by numbers."""
    if isinstance(nodes[1], Span):
        span_ns = max(1, _span_ns(nodes[1]))
        return Typed(time_bucket(values[0], span_ns), "time")
    size = as_number(values[1])
    text = "CASE WHEN {} <> 0 THEN floor({} / {}) * {} END"
    made = of(text, size, as_number(values[0]), size, size)
    return Typed(finite(made), "number")


def _now(_: Sequence[Value], __: Sequence[Expression]) -> Typed:
    return Typed(Sql("now()::TIMESTAMP::TIMESTAMP_NS"), "time")


_SECONDS: Final = (
    ("ms", 0.001),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("ns", 1e-9),
    ("s", 1),
    ("m", 60),
    ("h", 3600),
    ("d", 86_400),
)


def _duration(values: Sequence[Value], _: Sequence[Expression]) -> Typed:
    """Seconds of `1h2m3.5s` or `250ms`; a number is in seconds already."""
    value = values[0]
    if isinstance(value, Typed) and value.kind not in ("text", "json"):
        return Typed(as_number(value), "duration")
    text = as_text(value)
    number = "([0-9]+(?:[.][0-9]+)?)"
    parts = [
        of(
            "coalesce(TRY_CAST(regexp_extract({}, ?, 1) AS DOUBLE), 0) * {}".replace(
                "?", "{}"
            ),
            text,
            Sql("?", (f"{number}{unit}(?:[^a-zµ]|$)",)),
            Sql(repr(float(seconds))),
        )
        for unit, seconds in _SECONDS
    ]
    total = of(" + ".join("{}" for _ in parts), *parts)
    whole = Sql("?", (f"(?:{number}(?:ms|us|µs|ns|s|m|h|d))+",))
    sql = of(
        "CASE WHEN regexp_full_match({}, {}) THEN {} ELSE {} END",
        *(text, whole, total, finite(of("TRY_CAST({} AS DOUBLE)", text))),
    )
    return Typed(sql, "duration")


def _part(part: str, called: str = "", shown: str = "") -> Function:
    make = taking("integer", f"date_part('{called or part}', {{}})", "time")
    return Function(least=1, most=1, make=make, shown=shown or f"{part}(time)")


def _wrong_format(arguments: Sequence[Expression]) -> str | None:
    """Of `strftime`; what is none would fail the statement."""
    text = arguments[1]
    assert isinstance(text, Text)
    wrong = next(filter(None, _SPECIFIER.findall(text.value)), None)
    if wrong is None:
        return None
    return f"there is no {wrong!r} in a format of time: write %Y-%m-%d %H:%M:%S, or %%"


TIME_FUNCTIONS: Final[dict[str, Function]] = {
    "duration": Function(least=1, most=1, make=_duration, shown="duration(x)"),
    "time": Function(
        least=1, most=1, make=taking("time", "{}", "time"), shown="time(x)"
    ),
    "epoch": Function(
        least=1,
        most=1,
        make=taking("number", "(epoch_ns({}) / 1e9)", "time"),
        shown="epoch(time)",
    ),
    "now": Function(least=0, most=0, make=_now, shown="now()"),
    "bucket": Function(
        least=2, most=2, make=_bucket, shown="bucket(time, 5m) or bucket(number, 100)"
    ),
    "range": Function(least=2, most=2, make=_bucket, shown="range(number, 100)"),
    "year": _part("year"),
    "month": _part("month"),
    "day": _part("day"),
    "weekday": _part("weekday", "isodow", "weekday(time), Monday is 1"),
    "hour": _part("hour"),
    "minute": _part("minute"),
    "format_time": Function(
        least=2,
        most=2,
        make=taking("text", "strftime({}, {})", "time", "text"),
        shown='format_time(time, "%H:%M")',
        constant=(1,),
        wrong=_wrong_format,
    ),
}
