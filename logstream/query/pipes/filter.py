"""`filter level:error timeout`: the entries that a filter holds for.

It looks at the entry as it is stored, whatever pipes before it made of it.
"""

import msgspec

from logstream.core.errors import BadRequest
from logstream.query.expressions.cursor import Cursor
from logstream.query.nodes import Expr
from logstream.query.pipes import Pipe
from logstream.query.tables import Table


class Filtered(msgspec.Struct, frozen=True):
    expr: Expr

    def __str__(self) -> str:
        return f"filter {self.expr}"

    def apply(self, table: Table) -> Table:
        if table.scan is None:
            raise BadRequest(
                "filter looks at entries, and there are none here any more: use where."
            )
        if table.is_whole:
            table.scan.narrow(self.expr)
            return table
        return table.filtered(table.scan.test(self.expr))


def parse(cursor: Cursor) -> Pipe:
    if cursor.is_over():
        cursor.expected("a filter")
    return Filtered(cursor.filter())
