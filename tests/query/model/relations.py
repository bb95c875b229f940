"""The pipes that put rows together: `join`, `transaction`."""

from collections.abc import Iterator
from itertools import pairwise

from logstream.core.timestamps import parse_ns
from logstream.query.pipes.context import Context
from logstream.query.pipes.join import Join
from logstream.query.pipes.stats import Stats
from logstream.query.pipes.transaction import Transaction
from logstream.query.query import Query
from tests.query.model.grouping import groups_of
from tests.query.model.ordering import in_order
from tests.query.model.rows import Row, Rows, newest_first
from tests.query.model.values import V, text, typed

MOST_MESSAGES = 100
DAY_NS = 86_400 * 10**9


def joined(pipe: Join, rows: Rows) -> Rows:
    other = rows.asked(pipe.query)

    def key(row: Row) -> tuple[str | None, ...]:
        return tuple(text(row[name]) for name in pipe.names)

    def found() -> Iterator[Row]:
        for row in rows:
            own = key(row)
            same = [one for one in other if None not in own and key(one) == own]
            for one in same:
                yield row.with_columns(one.without(pipe.names).columns)
            if not same and pipe.kind == "left":
                yield row.with_columns(dict.fromkeys(names, ("text", None)))

    names = _names(pipe)
    return rows.of(found(), gone=rows.gone - {*names})


def _names(pipe: Join) -> list[str]:
    """Of the columns of the other query, which ends in `stats` in all that we try."""
    assert isinstance(pipe.query, Query)
    last = pipe.query.pipes[-1]
    assert isinstance(last, Stats)
    shown = [one.shown for one in last.keys] + [one.shown for one in last.aggregates]
    return [name for name in shown if name not in pipe.names]


def transactions(pipe: Transaction, rows: Rows) -> Rows:
    def keys(row: Row) -> tuple[V, ...]:
        return tuple(typed(row[name]) for name in pipe.names)

    made = [
        dict(zip(pipe.names, key, strict=True)) | _shown(part)
        for values, (key, inside) in groups_of(rows, keys).items()
        if None not in values
        for part in _parts(sorted(inside, key=Row.place), pipe.pause_s)
    ]
    made.sort(
        key=lambda one: in_order(
            [(one["first"][1], True), *((one[name][1], False) for name in pipe.names)]
        )
    )
    return rows.made(made)


def _parts(rows: list[Row], pause_s: float | None) -> list[list[Row]]:
    parts = [rows[:1]]
    for before, row in pairwise(rows):
        gap_s = (row.place()[0] - before.place()[0]) / 1e9
        if pause_s is not None and gap_s > pause_s:
            parts.append([])
        parts[-1].append(row)
    return parts


def _shown(part: list[Row]) -> dict[str, V]:
    first, last = part[0].place()[0], part[-1].place()[0]
    messages = [said for row in part if (said := text(row["message"])) is not None]
    return {
        "first": ("time", first),
        "last": ("time", last),
        "duration": ("duration", (last - first) / 1e9),
        "count": ("integer", len(part)),
        "messages": ("json", messages[:MOST_MESSAGES]),
    }


def surroundings(pipe: Context, rows: Rows) -> Rows:
    """Whole entries: those that match, and those around them with the same value."""
    begin, end = rows.span if rows.world.bound is None else rows.world.bound
    none = Rows(
        [], world=rows.world, asked=rows.asked, span=rows.world.span, is_open=True
    )
    entries = [
        Row(none, one, {})
        for one in newest_first(rows.world.entries)
        if begin - DAY_NS <= parse_ns(one.timestamp) < end + DAY_NS
    ]
    matches = {row.entry.id for row in rows if row.entry}
    kept = set(matches)
    for group in groups_of(
        none.of(entries), lambda row: (typed(row[pipe.name]),)
    ).items():
        (value,), (_, inside) = group
        for at, row in enumerate(inside):
            around = inside[max(0, at - pipe.after) : at + pipe.before + 1]
            if value is not None and any(
                one.entry and one.entry.id in matches for one in (row,)
            ):
                kept |= {one.entry.id for one in around if one.entry}
    return none.of(row for row in entries if row.entry and row.entry.id in kept)
