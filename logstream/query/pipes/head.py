"""`head 10`, `limit 10`: the first rows; of entries, the newest."""

import msgspec

from logstream.query.expressions.cursor import Cursor
from logstream.query.pipes import Pipe
from logstream.query.tables import Table

MOST_ROWS = 1_000_000_000


class Head(msgspec.Struct, frozen=True):
    rows: int

    def __str__(self) -> str:
        return f"head {self.rows}"

    def apply(self, table: Table) -> Table:
        return table.limited(self.rows)


def parse(cursor: Cursor) -> Pipe:
    if cursor.at_end():
        return Head(10)
    return Head(cursor.whole("a number of rows", most=MOST_ROWS))
