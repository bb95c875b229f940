"""What pipes mean, said once more in plain Python, over lists of entries.

It shares the parser and the tree with what it checks, and nothing that makes SQL.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from logstream.core.timestamps import parse_ns
from logstream.query.filter import compile_expr
from logstream.query.pipes.anomalies import Anomalies
from logstream.query.pipes.compare import Compare
from logstream.query.pipes.context import Context
from logstream.query.pipes.dedup import Dedup
from logstream.query.pipes.drop import Drop
from logstream.query.pipes.eval import Eval
from logstream.query.pipes.extract import Extract, ExtractRegexp
from logstream.query.pipes.facets import Facets
from logstream.query.pipes.fields import Fields
from logstream.query.pipes.filter import Filtered
from logstream.query.pipes.head import Head
from logstream.query.pipes.join import Join
from logstream.query.pipes.offset import Offset
from logstream.query.pipes.patterns import Patterns
from logstream.query.pipes.rename import Rename
from logstream.query.pipes.replace import Replace
from logstream.query.pipes.sample import Sample
from logstream.query.pipes.sort import Sort
from logstream.query.pipes.stats import Stats
from logstream.query.pipes.tail import Tail
from logstream.query.pipes.timechart import Timechart
from logstream.query.pipes.top import Top
from logstream.query.pipes.transaction import Transaction
from logstream.query.pipes.unpack import Unpack
from logstream.query.pipes.where import Where
from logstream.query.query import Query
from logstream.query.spans import span_of
from logstream.query.times import earlier
from tests.query.model.comparing import compared, standing_out
from tests.query.model.expressions import truth_of, value_of
from tests.query.model.grouping import Chart, grouped, top
from tests.query.model.ordering import in_order
from tests.query.model.overviews import facets, patterns
from tests.query.model.relations import joined, surroundings, transactions
from tests.query.model.rows import Row, Rows, World, newest_first, within
from tests.query.model.texts import extracted, replaced, unpacked
from tests.query.model.values import number, text, typed


def rows_of(query: Query, world: World) -> Rows:
    """The rows that a query has."""
    expr = earlier(query.expr, world.shift_ns) if world.shift_ns else query.expr
    found = compile_expr(expr)
    own = span_of(expr)
    span = within(world.span, own)
    read = span if world.bound is None or own != (None, None) else world.bound

    def asked(inner: Query) -> Rows:
        return rows_of(inner, world)

    none = Rows([], world=world, asked=asked, span=span, is_open=True)
    rows = none.of(
        Row(none, one, {})
        for one in newest_first(world.entries)
        if read[0] <= parse_ns(one.timestamp) < read[1] and found.matches(one)
    )
    for at, pipe in enumerate(query.pipes):
        if isinstance(pipe, Compare):
            front = Query(query.expr, query.pipes[:at])
            rows = compared(pipe, front, span, world, rows_of)
        else:
            rows = _piped(pipe, rows)
    return rows


def _piped(pipe: object, rows: Rows) -> Rows:
    match pipe:
        case Sample(one_in):
            sampled = rows.world.sampled(one_in)
            return rows.of(row for row in rows if row.entry and row.entry.id in sampled)
        case Context():
            return surroundings(pipe, rows)
        case Head(count):
            return rows.of(rows.rows[:count])
        case Tail(count):
            return rows.of(rows.rows[max(0, len(rows) - count) :])
        case Offset(count):
            return rows.of(rows.rows[count:])
        case Where(test):
            return rows.of(row for row in rows if truth_of(test, row))
        case Filtered(expr):
            found = compile_expr(expr)
            return rows.of(
                row for row in rows if row.entry and found.matches(row.entry)
            )
        case Sort():
            return _sorted(pipe, rows)
        case Dedup(names, count):
            return _deduped(names, count, rows)
        case _:
            return _grouped(pipe, rows)


def _grouped(pipe: object, rows: Rows) -> Rows:
    match pipe:
        case Stats():
            return grouped(pipe, rows)
        case Top():
            return top(pipe, rows)
        case Timechart():
            return Chart(pipe, rows).made()
        case Join():
            return joined(pipe, rows)
        case Transaction():
            return transactions(pipe, rows)
        case Anomalies():
            return standing_out(pipe, rows)
        case Patterns():
            return patterns(pipe, rows)
        case Facets(values):
            return facets(values, rows)
        case _:
            return _columns(pipe, rows)


def _columns(pipe: object, rows: Rows) -> Rows:
    match pipe:
        case Eval(columns):
            for name, node in columns:
                made = [row.with_columns({name: value_of(node, row)}) for row in rows]
                rows = rows.of(made, gone=rows.gone - {name})
            return rows
        case Fields(names):
            return rows.only(names)
        case Drop(names):
            return _without(rows, [rows.own(name) for name in names])
        case Rename(names):
            return _renamed(names, rows)
        case Replace():
            return replaced(pipe, rows)
        case Extract() | ExtractRegexp():
            return extracted(pipe, rows)
        case Unpack():
            return unpacked(pipe, rows)
        case _:
            raise AssertionError(pipe)


def _renamed(names: Sequence[tuple[str, str]], rows: Rows) -> Rows:
    names = [(rows.own(old), rows.own(new)) for old, new in names]
    news = dict(names)
    if not rows.is_open:
        keys = rows.keys and tuple(news.get(key, key) for key in rows.keys)
        return rows.of(
            (
                Row(
                    rows,
                    row.entry,
                    {news.get(key, key): one for key, one in row.columns.items()},
                )
                for row in rows
            ),
            keys=keys,
        )
    gone = (rows.gone | {*news}) - {*news.values()}
    return rows.of(
        (
            row.without([*news]).with_columns({new: row[old] for old, new in names})
            for row in rows
        ),
        gone=gone,
    )


def _without(rows: Rows, names: Sequence[str]) -> Rows:
    gone = rows.gone | {*names} if rows.is_open else rows.gone
    return rows.of((row.without(names) for row in rows), gone=gone)


def _sorted(pipe: Sort, rows: Rows) -> Rows:
    def key(row: Row) -> tuple[Any, ...]:
        parts: list[tuple[Any, bool]] = []
        for one in pipe.keys:
            value = value_of(one.value, row)
            if value[0] == "field":
                size = number(value)
                parts.append((size, one.descending))
                parts.append((text(value) if size is None else None, one.descending))
            else:
                parts.append((value[1], one.descending))
        return in_order(parts)

    found = sorted(rows, key=key)
    return rows.of(found if pipe.limit is None else found[: pipe.limit])


def _deduped(names: tuple[str, ...], count: int, rows: Rows) -> Rows:
    if not names and rows.rows:
        open_names = ("source", "level", "message")
        names = open_names if rows.is_open else tuple(rows.rows[0].columns)
    seen: Counter[Any] = Counter()
    kept = []
    for row in rows:
        key = tuple(typed(row[name])[1] for name in names)
        seen[key] += 1
        if seen[key] <= count:
            kept.append(row)
    return rows.of(kept)
