"""Scanning: the SQL of one scan of a plan over the days that it reads."""

import re
from collections.abc import Sequence

from logstream.core.doubts import has_doubts
from logstream.core.plan import First, Scan
from logstream.core.sql import Sql
from logstream.storage.planning import Look
from logstream.storage.selection import Selection, Where, union

_NAME = re.compile(r"\w+")
_FEW_ROWS = 1100
"""As `late_materialization_max_rows` has it."""


def selection_of(scan: Scan, from_ns: int | None, to_ns: int | None) -> Selection:
    """What the scan selects: the whole query's span, moved, within its own."""
    if from_ns is not None:
        from_ns -= scan.shift_ns + scan.wider_ns
    if to_ns is not None:
        to_ns += scan.wider_ns - scan.shift_ns
    begins, ends = [scan.from_ns, from_ns], [scan.to_ns, to_ns]
    return Selection(
        where=scan.where,
        fast=scan.fast,
        more=any(has_doubts(one.hopeful) for one in scan.columns),
        needs=scan.needs,
        from_ns=max((one for one in begins if one is not None), default=None),
        to_ns=min((one for one in ends if one is not None), default=None),
    )


def over_days(scan: Scan, looks: Sequence[Look], where: Where, *, fast: bool) -> Sql:
    """A SELECT over the own table of each of these days, as one; of none, no rows."""
    columns = [one.hopeful if fast else one.safe for one in scan.columns]
    select = ", ".join(
        f"{sql.text} AS {one.alias}"
        for sql, one in zip(columns, scan.columns, strict=True)
    )
    values = tuple(value for sql in columns for value in sql.params)
    looks = looks or [Look(relation=union([]))]
    first = _worth_it(scan)
    parts = [_of_day(Sql(select, values), look, where, first) for look in looks]
    text = " UNION ALL ".join(f"({one.text})" for one in parts)
    return Sql(text, tuple(value for one in parts for value in one.params))


def _of_day(select: Sql, look: Look, where: Where, first: First | None) -> Sql:
    """Of few first rows what sorts is found out first, and the rest of those alone: to
    make JSON of the fields of 38 000 errors for ten of them took ten times as long. Of
    a table DuckDB does so by itself, 1 ms faster than if it is told how.
    """
    among, select = look.among(where), look.settled(select)
    every = (*select.params, *among.params)
    if first is None or (first.by and not look.table):
        return Sql(f"SELECT {select.text} FROM {among.text}", every)
    if first.by:
        each = f"(SELECT {select.text}, rowid FROM {among.text})"
        found = f"SELECT rowid FROM {_of_each(first, each)}"
        text = f"SELECT {select.text} FROM {look.table} WHERE rowid IN ({found})"
        return Sql(text, (*select.params, *every, *first.order.params))
    order = f"ORDER BY {first.order.text} LIMIT {first.rows:d}"
    every = (*every, *first.order.params)
    if look.relation == look.table or not look.table or first.rows > _FEW_ROWS:
        inner = f"SELECT {select.text} FROM {among.text}"
        return Sql(f"SELECT * FROM ({inner}) {order}", every)
    found = f"SELECT rowid FROM (SELECT {select.text}, rowid FROM {among.text}) {order}"
    text = f"SELECT {select.text} FROM {look.table} WHERE rowid IN ({found})"
    return Sql(text, (*select.params, *every))


def _worth_it(scan: Scan) -> First | None:
    """The first of each value are found out first only for more than these values."""
    if scan.first is None or not scan.first.by:
        return scan.first
    known = {*scan.first.by, *_NAME.findall(scan.first.order.text)}
    return scan.first if {one.alias for one in scan.columns} - known else None


def _of_each(first: First, rows: str) -> str:
    """The first of these rows of each value. Of one, by DISTINCT: twice as fast."""
    by, order = ", ".join(first.by), first.order.text
    if first.rows == 1:
        return f"(SELECT DISTINCT ON ({by}) rowid FROM {rows} ORDER BY {order})"
    number = f"row_number() OVER (PARTITION BY {by} ORDER BY {order})"
    return f"(SELECT rowid FROM {rows} QUALIFY {number} <= {first.rows:d})"
