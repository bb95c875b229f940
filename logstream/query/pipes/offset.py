"""`offset 20`, `skip 20`: without the first rows."""

import msgspec

from logstream.query.expressions.cursor import Cursor
from logstream.query.pipes import Pipe
from logstream.query.pipes.head import MOST_ROWS
from logstream.query.tables import Table


class Offset(msgspec.Struct, frozen=True):
    rows: int

    def __str__(self) -> str:
        return f"offset {self.rows}"

    def apply(self, table: Table) -> Table:
        return table.limited(MOST_ROWS, self.rows)


def parse(cursor: Cursor) -> Pipe:
    return Offset(cursor.whole("a number of rows", most=MOST_ROWS))
