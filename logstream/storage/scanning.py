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


def over_days(
    scan: Scan,
    looks: Sequence[Look],
    where: Where,
    *,
    fast: bool,
    are_all: bool = False,
) -> Sql:
    """A SELECT over the own table of each of these days, as one; of none, no rows.

    Args:
        are_all: There are no other days; all of it is one statement with what reads it.
    """
    columns = [one.hopeful if fast else one.safe for one in scan.columns]
    select = ", ".join(
        f"{sql.text} AS {one.alias}"
        for sql, one in zip(columns, scan.columns, strict=True)
    )
    values = tuple(value for sql in columns for value in sql.params)
    looks = looks or [Look(relation=union([]))]
    first = scan.first
    if are_all and len(looks) == 1 and _does_it_itself(scan, looks[0]):
        first = None
    sorted_alone = not _has_others(scan)
    parts = [
        _of_day(Sql(select, values), look, where, first, sorted_alone=sorted_alone)
        for look in looks
    ]
    text = " UNION ALL ".join(f"({one.text})" for one in parts)
    return Sql(text, tuple(value for one in parts for value in one.params))


def _of_day(
    select: Sql, look: Look, where: Where, first: First | None, *, sorted_alone: bool
) -> Sql:
    """Of first rows what sorts is found out first, and the rest of those alone: to make
    JSON of the fields of 38 000 errors for ten of them took ten times as long. Of few
    rows of a table DuckDB does so by itself, 1 ms faster than if it is told how.

    Args:
        sorted_alone: Nothing is read but what sorts, and tells rows apart.
    """
    among, select = look.among(where), look.settled(select)
    every = (*select.params, *among.params)
    by = first is not None and first.by
    if first is None or (by and (sorted_alone or not look.table)):
        return Sql(f"SELECT {select.text} FROM {among.text}", every)
    if by:
        each = f"(SELECT {select.text}, rowid FROM {among.text})"
        found = f"SELECT rowid FROM {_of_each(first, each)}"
        text = f"SELECT {select.text} FROM {look.table} WHERE rowid IN ({found})"
        return Sql(text, (*select.params, *every, *first.order.params))
    order = f"ORDER BY {first.order.text} LIMIT {first.rows:d}"
    every = (*every, *first.order.params)
    is_own = look.relation == look.table and first.rows <= _FEW_ROWS
    if is_own or sorted_alone or not look.table:
        inner = f"SELECT {select.text} FROM {among.text}"
        return Sql(f"SELECT * FROM ({inner}) {order}", every)
    found = f"SELECT rowid FROM (SELECT {select.text}, rowid FROM {among.text}) {order}"
    text = f"SELECT {select.text} FROM {look.table} WHERE rowid IN ({found})"
    return Sql(text, (*select.params, *every))


def _does_it_itself(scan: Scan, look: Look) -> bool:
    """Whether DuckDB finds few first rows of a day as it should where these are asked
    for, with nothing but columns between: 1 000 fewer messages for `offset 1000`.
    """
    first = scan.first
    if first is None or first.by or not scan.is_read_once:
        return False
    return look.relation == look.table and first.rows <= _FEW_ROWS


def _has_others(scan: Scan) -> bool:
    """Columns beyond those that sort, and tell rows apart."""
    if scan.first is None:
        return True
    known = {*scan.first.by, *_NAME.findall(scan.first.order.text)}
    return bool({one.alias for one in scan.columns} - known)


def _of_each(first: First, rows: str) -> str:
    """The first of these rows of each value. Of one, by DISTINCT: twice as fast."""
    by, order = ", ".join(first.by), first.order.text
    if first.rows == 1:
        return f"(SELECT DISTINCT ON ({by}) rowid FROM {rows} ORDER BY {order})"
    number = f"row_number() OVER (PARTITION BY {by} ORDER BY {order})"
    return f"(SELECT rowid FROM {rows} QUALIFY {number} <= {first.rows:d})"
