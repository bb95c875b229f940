"""`stats count() as n, avg(took) by source, bucket(timestamp, 5m)`.

`_time(5m)` is `bucket(timestamp, 5m)`, and `range(status, 100)` `bucket(status, 100)`.
`stats by (source) count()` says the same as `stats count() by source`.
"""

import math
from collections.abc import Sequence

import msgspec

from logstream.core.sql import Sql
from logstream.query.expressions.aggregate_parser import parse_aggregates
from logstream.query.expressions.aggregates import Aggregate
from logstream.query.expressions.cursor import Cursor
from logstream.query.expressions.nodes import Call, Expression, Name, Span, name_text
from logstream.query.expressions.parser import parse_expression
from logstream.query.expressions.sql import value_of
from logstream.query.orders import Order
from logstream.query.pipes import Pipe
from logstream.query.tables import Table
from logstream.query.values import Typed, typed

_SIGNS = (*"+-*/%=<>~,", "==", "!=", "<>", "<=", ">=", "!~")
_WORDS = ("and", "or", "not", "in", "is", "as")
"""What goes on behind a bracket that closes a part of an expression."""


class GroupKey(msgspec.Struct, frozen=True):
    value: Expression
    name: str | None = None

    def __str__(self) -> str:
        named = "" if self.name is None else f" as {name_text(self.name)}"
        return f"{self.value}{named}"

    @property
    def shown(self) -> str:
        """What the column is called; a bucket of a column is called like that."""
        if self.name is not None:
            return self.name
        match self.value:
            case Name(name) | Call("bucket", (Name(name), _)):
                return name
            case _:
                return str(self.value)

    @property
    def span_s(self) -> float | None:
        """Of a bucket of time."""
        match self.value:
            case Call("bucket", (_, Span(seconds))):
                return seconds
            case _:
                return None


class Stats(msgspec.Struct, frozen=True):
    """The rows are sorted by the keys."""

    aggregates: tuple[Aggregate, ...]
    keys: tuple[GroupKey, ...] = ()

    def __str__(self) -> str:
        text = f"stats {', '.join(map(str, self.aggregates))}"
        return f"{text} by {', '.join(map(str, self.keys))}" if self.keys else text

    def apply(self, table: Table) -> Table:
        keys = [(key.shown, typed(value_of(key.value, table))) for key in self.keys]
        seconds = seconds_of(table, self.keys)
        results = [(one.shown, one.apply(table, seconds)) for one in self.aggregates]
        found = table.grouped(keys, results)
        spans = [key.span_s for key in self.keys if key.span_s is not None]
        step_ns = math.lcm(*(max(1, round(span_s * 1e9)) for span_s in spans))
        order = order_of(found, keys)
        return msgspec.structs.replace(found, order=order, step_ns=step_ns)


def order_of(table: Table, keys: Sequence[tuple[str, Typed]]) -> tuple[Order, ...]:
    return tuple(
        Order(value.sql, descending=False)
        for name, _ in keys
        if isinstance(value := table.columns[name], Typed)
    )


def seconds_of(table: Table, keys: Sequence[GroupKey]) -> Sql | None:
    """How long each group lasts: its bucket of time, or else the whole query."""
    for key in keys:
        if key.span_s is not None:
            return Sql(repr(key.span_s))
    begin, end = table.builder.range_of(table)
    if begin is None or end is None or end <= begin:
        return None
    return Sql(repr((end - begin) / 1e9))


def parse(cursor: Cursor) -> Pipe:
    keys = parse_keys(cursor) if cursor.accept_word("by") else ()
    aggregates = parse_aggregates(cursor)
    if not keys and cursor.accept_word("by"):
        keys = parse_keys(cursor)
    shown = [*(key.shown for key in keys), *(one.shown for one in aggregates)]
    if len(set(shown)) < len(shown):
        cursor.fail("two columns would have the same name: name one with `as`")
    return Stats(aggregates, keys)


def parse_keys(cursor: Cursor) -> tuple[GroupKey, ...]:
    """With or without brackets around: `by (a, b)`, but `by (a + b) * 2, c` too."""
    start = cursor.mark()
    if cursor.accept("("):
        keys = _keys(cursor)
        cursor.expect(")")
        if not (cursor.sees(*_SIGNS) or cursor.sees_word(*_WORDS)):
            return keys
        cursor.back(start)
    return _keys(cursor)


def _keys(cursor: Cursor) -> tuple[GroupKey, ...]:
    keys = [_key(cursor)]
    while cursor.accept(","):
        keys.append(_key(cursor))
    return tuple(keys)


def _key(cursor: Cursor) -> GroupKey:
    start = cursor.here
    value = _short_bucket(cursor) or parse_expression(cursor)
    if isinstance(value, Span):
        cursor.fail(f"for spans of time, write by _time({value})", start)
    name = cursor.name("its name") if cursor.accept_word("as") else None
    return GroupKey(value, name)


def _short_bucket(cursor: Cursor) -> Expression | None:
    """`_time(5m)`, and `_time:5m` as LogsQL has it."""
    if not cursor.sees_word("_time"):
        return None
    cursor.next()
    bracket = not cursor.accept(":")
    if bracket:
        cursor.expect("(")
    span = Span(cursor.span("a span"))
    if bracket:
        cursor.expect(")")
    return Call("bucket", (Name("timestamp"), span))
