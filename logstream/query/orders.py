"""Orders of rows: by columns of theirs, what is missing last."""

from collections.abc import Sequence

import msgspec

from logstream.core.sql import Sql
from logstream.query.scans import ScanBuilder


class Order(msgspec.Struct, frozen=True):
    column: Sql
    descending: bool


def order_by(order: Sequence[Order]) -> str:
    """Of columns, whose names are ours."""
    return f"ORDER BY {sql_of_order(order).text}" if order else ""


def sql_of_order(order: Sequence[Order]) -> Sql:
    """What stands behind ORDER BY."""
    text = ", ".join(
        f"{one.column.text} {'DESC' if one.descending else 'ASC'} NULLS LAST"
        for one in order
    )
    return Sql(text, tuple(value for one in order for value in one.column.params))


def newest_first_of(scan: ScanBuilder) -> tuple[Order, ...]:
    """The order of entries."""
    return (
        Order(scan.own("timestamp"), descending=True),
        Order(scan.own("id"), descending=True),
    )


def turned(order: Sequence[Order]) -> tuple[Order, ...]:
    """The other way around."""
    return tuple(Order(one.column, not one.descending) for one in order)
