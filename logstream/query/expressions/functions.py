"""The functions of expressions: what they are called with, and their SQL.

Every function answers null for what it cannot do, and none fails a statement.
"""

import difflib
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from logstream.core.errors import BadRequest
from logstream.core.results import Kind
from logstream.core.sql import Sql
from logstream.query.expressions.nodes import Expression, Null, Span, Text
from logstream.query.fragments import of
from logstream.query.regexps import Captured, captured
from logstream.query.values import (
    Typed,
    Value,
    as_boolean,
    as_number,
    as_text,
    as_time,
    converted,
    finite,
    is_missing,
    typed,
)

Make = Callable[[Sequence[Value], Sequence[Expression]], Typed]
"""Given the arguments as values, and as they are written."""

MAX_SPAN_NS = 2**62
"""Of a bucket: it has to fit into 63 bits, with a time."""


class Function(msgspec.Struct, frozen=True, kw_only=True):
    least: int
    most: int
    make: Make
    shown: str
    """How it is called, for people."""
    constant: tuple[int, ...] = ()
    """Arguments that have to be texts in quotes."""
    pattern: int | None = None
    """The argument that is a regular expression."""

    def check(self, arguments: Sequence[Expression]) -> str | None:
        """What is wrong with a call; None: nothing."""
        if not self.least <= len(arguments) <= self.most:
            return f"write {self.shown}"
        for at in self.constant:
            if at < len(arguments) and not isinstance(arguments[at], Text):
                return f"write {self.shown}, with a text in quotes"
        if self.pattern is not None and self.pattern < len(arguments):
            return wrong_pattern(arguments[self.pattern])
        return None


def wrong_pattern(argument: Expression) -> str | None:
    """Why a text is no regular expression that can be used here; None: it is one."""
    if not isinstance(argument, Text):
        return "write a regular expression in quotes"
    try:
        captured(argument.value)
    except BadRequest as error:
        text = str(error).removesuffix(".")
        return text[:1].lower() + text[1:]
    return None


def function_called(name: str) -> str:
    """What to say about a name that is none."""
    near = difflib.get_close_matches(name, FUNCTIONS, n=1)
    hint = f": did you mean {near[0]}()?" if near else ""
    return f"there is no function {name}(){hint}"


def _of(kind: Kind, template: str, *takes: Kind) -> Make:
    """Each argument in the kind that it is taken in, once, in order."""

    def make(values: Sequence[Value], _: Sequence[Expression]) -> Typed:
        parts = [
            converted(value, takes[min(at, len(takes) - 1)])
            for at, value in enumerate(values)
        ]
        return Typed(of(template, *parts), kind)

    return make


def _joined(kind: Kind, name: str, takes: Kind) -> Make:
    """An SQL function of any number of arguments."""

    def make(values: Sequence[Value], _: Sequence[Expression]) -> Typed:
        return Typed(call(name, [converted(value, takes) for value in values]), kind)

    return make


def call(name: str, parts: Sequence[Sql]) -> Sql:
    return of(f"{name}({', '.join('{}' for _ in parts)})", *parts)


def common_kind(values: Sequence[Value], nodes: Sequence[Expression]) -> Kind:
    """What several values can all be. A field goes along with what the others are."""
    kinds: set[Kind] = {
        value.kind
        for value, node in zip(values, nodes, strict=True)
        if isinstance(value, Typed) and not isinstance(node, Null)
    }
    if not kinds:
        return "text"
    if len(kinds) == 1:
        found = kinds.pop()
        return "number" if found == "integer" else found
    return "number" if kinds <= {"number", "integer", "duration"} else "text"


def _coalesce(values: Sequence[Value], nodes: Sequence[Expression]) -> Typed:
    kind = common_kind(values, nodes)
    return Typed(call("coalesce", [converted(one, kind) for one in values]), kind)


def _if(values: Sequence[Value], nodes: Sequence[Expression]) -> Typed:
    """`if(test, then, else)`, `case(test, then, test, then, …, else)`."""
    has_else = len(values) % 2 == 1
    results = [*range(1, len(values), 2), *([len(values) - 1] if has_else else [])]
    kind = common_kind([values[at] for at in results], [nodes[at] for at in results])
    parts: list[Sql] = []
    text = "CASE"
    for at in range(0, len(values) - 1, 2):
        text += " WHEN {} THEN {}"
        parts += [as_boolean(values[at]), converted(values[at + 1], kind)]
    if has_else:
        text += " ELSE {}"
        parts.append(converted(values[-1], kind))
    return Typed(of(text + " END", *parts), kind)


def _null_if(values: Sequence[Value], _: Sequence[Expression]) -> Typed:
    value = typed(values[0])
    other = converted(values[1], value.kind)
    text = "CASE WHEN {} = {} THEN NULL ELSE {} END"
    return Typed(of(text, value.sql, other, value.sql), value.kind)


def _exists(values: Sequence[Value], _: Sequence[Expression]) -> Typed:
    return Typed(of("(NOT {})", is_missing(values[0])), "boolean")


def _is_null(values: Sequence[Value], _: Sequence[Expression]) -> Typed:
    return Typed(is_missing(values[0]), "boolean")


def _length(values: Sequence[Value], _: Sequence[Expression]) -> Typed:
    return Typed(of("length({})", as_text(values[0])), "integer")


def _span_ns(node: Expression) -> int:
    return round(node.seconds * 1e9) if isinstance(node, Span) else 0


def time_bucket(time: Sql, span_ns: int) -> Sql:
    """The begin of the span that a time is in; weeks begin on Monday."""
    span_ns = min(span_ns, MAX_SPAN_NS)
    week = 604_800 * 10**9
    offset = 345_600 * 10**9 if span_ns % week == 0 else 0  # 1970 began on a Thursday
    # Rounded down below 1970 too; 2262 needs no more room than 63 bits.
    ns = of("epoch_ns({})", time)
    if not offset:
        text = f"CASE WHEN {{}} >= 0 THEN {{}} - {{}} % {span_ns} ELSE {{}} - {{}} END"
        below = of(f"(({{}} % {span_ns} + {span_ns}) % {span_ns})", ns)
        return of(f"make_timestamp_ns({text})", ns, ns, ns, ns, below)
    below = of(f"(({{}} - {offset}) % {span_ns} + {span_ns}) % {span_ns}", ns)
    return of("make_timestamp_ns({} - {})", ns, below)


def _bucket(values: Sequence[Value], nodes: Sequence[Expression]) -> Typed:
    """By time, or by numbers."""
    if isinstance(nodes[1], Span):
        span_ns = max(1, _span_ns(nodes[1]))
        return Typed(time_bucket(as_time(values[0]), span_ns), "time")
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
        "CASE WHEN regexp_full_match({}, {}) THEN {} ELSE TRY_CAST({} AS DOUBLE) END",
        *(text, whole, total, text),
    )
    return Typed(sql, "duration")


def _split(values: Sequence[Value], _: Sequence[Expression]) -> Typed:
    sql = of(
        "nullif(split_part({}, {}, TRY_CAST({} AS INTEGER)), '')",
        as_text(values[0]),
        as_text(values[1]),
        as_number(values[2]),
    )
    return Typed(sql, "text")


def _substr(values: Sequence[Value], _: Sequence[Expression]) -> Typed:
    start = of("TRY_CAST({} AS BIGINT)", as_number(values[1]))
    if len(values) == 2:
        return Typed(of("substring({}, {})", as_text(values[0]), start), "text")
    length = of("TRY_CAST({} AS BIGINT)", as_number(values[2]))
    text = "substring({}, {}, {})"
    return Typed(of(text, as_text(values[0]), start, length), "text")


def _matches(values: Sequence[Value], nodes: Sequence[Expression]) -> Typed:
    made = _captured(nodes[1]).re2
    sql = of("regexp_matches({}, ?)", as_text(values[0]), made)
    return Typed(sql, "boolean")


def _found(values: Sequence[Value], nodes: Sequence[Expression]) -> Typed:
    """The first group, or all of it where there is none."""
    made = _captured(nodes[1])
    text = f"nullif(regexp_extract({{}}, ?, {min(1, len(made.names))}), '')"
    return Typed(of(text, as_text(values[0]), made.re2), "text")


def _captured(node: Expression) -> Captured:
    assert isinstance(node, Text)
    return captured(node.value)


def _round(values: Sequence[Value], _: Sequence[Expression]) -> Typed:
    number = as_number(values[0])
    if len(values) == 1:
        return Typed(of("round({})", number), "number")
    digits = of(
        "TRY_CAST(least(greatest({}, -15), 15) AS INTEGER)", as_number(values[1])
    )
    return Typed(of("round({}, {})", number, digits), "number")


def _part(part: str) -> Function:
    make = _of("number", f"date_part('{part}', {{}})::DOUBLE", "time")
    return Function(least=1, most=1, make=make, shown=f"{part}(time)")


def _number(template: str, shown: str) -> Function:
    make = _of("number", template, "number")
    count = template.count("{}")
    return Function(least=count, most=count, make=make, shown=shown)


def _growing(template: str, shown: str) -> Function:
    """Of numbers; the result may be too large, or none."""
    count = template.count("{}")

    def make(values: Sequence[Value], _: Sequence[Expression]) -> Typed:
        made = of(template, *map(as_number, values))
        return Typed(finite(made), "number")

    return Function(least=count, most=count, make=make, shown=shown)


def _root(template: str, test: str, shown: str) -> Function:
    """Of the numbers that have one."""

    def make(values: Sequence[Value], _: Sequence[Expression]) -> Typed:
        number = as_number(values[0])
        text = template.format(f"CASE WHEN {{}} {test} THEN {{}} END")
        return Typed(of(text, number, number), "number")

    return Function(least=1, most=1, make=make, shown=shown)


def _text(template: str, shown: str) -> Function:
    make = _of("text", template, "text")
    count = template.count("{}")
    return Function(least=count, most=count, make=make, shown=shown)


def _test(template: str, shown: str) -> Function:
    make = _of("boolean", template, "text")
    return Function(least=2, most=2, make=make, shown=shown)


_MANY = 100

FUNCTIONS: Final[dict[str, Function]] = {
    "abs": _number("abs({})", "abs(x)"),
    "ceil": _number("ceil({})", "ceil(x)"),
    "floor": _number("floor({})", "floor(x)"),
    "round": Function(least=1, most=2, make=_round, shown="round(x) or round(x, 2)"),
    "sqrt": _root("sqrt({})", ">= 0", "sqrt(x)"),
    "exp": _growing("exp({})", "exp(x)"),
    "ln": _root("ln({})", "> 0", "ln(x)"),
    "log10": _root("log10({})", "> 0", "log10(x)"),
    "log2": _root("log2({})", "> 0", "log2(x)"),
    "pow": _growing("pow({}, {})", "pow(x, y)"),
    "least": Function(
        least=1,
        most=_MANY,
        make=_joined("number", "least", "number"),
        shown="least(a, b, …)",
    ),
    "greatest": Function(
        least=1,
        most=_MANY,
        make=_joined("number", "greatest", "number"),
        shown="greatest(a, b, …)",
    ),
    "lower": _text("lower({})", "lower(text)"),
    "upper": _text("upper({})", "upper(text)"),
    "trim": _text("trim({})", "trim(text)"),
    "replace": _text("replace({}, {}, {})", "replace(text, from, to)"),
    "md5": _text("md5({})", "md5(text)"),
    "substr": Function(
        least=2, most=3, make=_substr, shown="substr(text, from 1) or with a length"
    ),
    "split": Function(
        least=3, most=3, make=_split, shown='split(text, "separator", part from 1)'
    ),
    "concat": Function(
        least=1,
        most=_MANY,
        make=_joined("text", "concat", "text"),
        shown="concat(a, b, …)",
    ),
    "length": Function(least=1, most=1, make=_length, shown="length(text)"),
    "contains": _test("contains({}, {})", "contains(text, part)"),
    "starts_with": _test("starts_with({}, {})", "starts_with(text, part)"),
    "ends_with": _test("ends_with({}, {})", "ends_with(text, part)"),
    "matches": Function(
        least=2,
        most=2,
        make=_matches,
        shown='matches(text, "pattern")',
        constant=(1,),
        pattern=1,
    ),
    "find": Function(
        least=2,
        most=2,
        make=_found,
        shown='find(text, "pattern (group)")',
        constant=(1,),
        pattern=1,
    ),
    "text": Function(least=1, most=1, make=_of("text", "{}", "text"), shown="text(x)"),
    "number": Function(
        least=1, most=1, make=_of("number", "{}", "number"), shown="number(x)"
    ),
    "duration": Function(least=1, most=1, make=_duration, shown="duration(x)"),
    "time": Function(least=1, most=1, make=_of("time", "{}", "time"), shown="time(x)"),
    "epoch": Function(
        least=1,
        most=1,
        make=_of("number", "(epoch_ns({}) / 1e9)", "time"),
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
    "weekday": Function(
        least=1,
        most=1,
        make=_of("number", "date_part('isodow', {})::DOUBLE", "time"),
        shown="weekday(time), Monday is 1",
    ),
    "hour": _part("hour"),
    "minute": _part("minute"),
    "format_time": Function(
        least=2,
        most=2,
        make=_of("text", "strftime({}, {})", "time", "text"),
        shown='format_time(time, "%H:%M")',
        constant=(1,),
    ),
    "if": Function(least=2, most=3, make=_if, shown="if(test, then, else)"),
    "case": Function(
        least=2, most=_MANY, make=_if, shown="case(test, then, test, then, …, else)"
    ),
    "coalesce": Function(
        least=1, most=_MANY, make=_coalesce, shown="coalesce(a, b, …)"
    ),
    "null_if": Function(least=2, most=2, make=_null_if, shown="null_if(a, b)"),
    "exists": Function(least=1, most=1, make=_exists, shown="exists(name)"),
    "is_null": Function(least=1, most=1, make=_is_null, shown="is_null(name)"),
}
