"""`where took > 100 and source != "web"`: the rows that an expression holds for."""

import msgspec

from logstream.query.expressions.cursor import Cursor
from logstream.query.expressions.nodes import Expression
from logstream.query.expressions.parser import parse_expression
from logstream.query.expressions.sql import holds
from logstream.query.pipes import Pipe
from logstream.query.tables import Table


class Where(msgspec.Struct, frozen=True):
    test: Expression

    def __str__(self) -> str:
        return f"where {self.test}"

    def apply(self, table: Table) -> Table:
        return table.filtered(holds(self.test, table))


def parse(cursor: Cursor) -> Pipe:
    return Where(parse_expression(cursor))
