"""`eval ms = took * 1000, who = coalesce(user, "nobody")`: new columns, one by one."""

import msgspec

from logstream.core.errors import BadRequest
from logstream.query.expressions.cursor import Cursor
from logstream.query.expressions.nodes import Expression, name_text
from logstream.query.expressions.parser import parse_expression
from logstream.query.expressions.sql import value_of
from logstream.query.pipes import Pipe
from logstream.query.tables import Table

READ_ONLY = frozenset({"id", "fields"})


class Eval(msgspec.Struct, frozen=True):
    """Each may use those before it."""

    columns: tuple[tuple[str, Expression], ...]

    def __str__(self) -> str:
        parts = [f"{name_text(name)} = {value}" for name, value in self.columns]
        return f"eval {', '.join(parts)}"

    def apply(self, table: Table) -> Table:
        for name, expression in self.columns:
            if table.is_open and name in READ_ONLY:
                raise BadRequest(
                    f"{name} of an entry stays as it is: use another name."
                )
            table = table.with_columns([(name, value_of(expression, table))])
        return table


def parse(cursor: Cursor) -> Pipe:
    columns = [_column(cursor)]
    while cursor.accept(","):
        columns.append(_column(cursor))
    return Eval(tuple(columns))


def _column(cursor: Cursor) -> tuple[str, Expression]:
    name = cursor.name("the name of a new column")
    cursor.expect("=")
    return name, parse_expression(cursor)
