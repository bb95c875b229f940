"""`tail 10`: the last rows; of entries, the oldest. They keep their order."""

import msgspec

from logstream.query.expressions.cursor import Cursor
from logstream.query.pipes import Pipe
from logstream.query.pipes.head import MOST_ROWS
from logstream.query.tables import Table


class Tail(msgspec.Struct, frozen=True):
    rows: int

    def __str__(self) -> str:
        return f"tail {self.rows}"

    def apply(self, table: Table) -> Table:
        if not table.newest_first():
            # What is in no order has no end either: as it stands, the first will do.
            return table.limited(self.rows)
        return table.reversed().limited(self.rows).reversed()


def parse(cursor: Cursor) -> Pipe:
    if cursor.at_end():
        return Tail(10)
    return Tail(cursor.whole("a number of rows", most=MOST_ROWS))
