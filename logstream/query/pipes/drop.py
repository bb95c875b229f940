"""`drop a, b`: without these columns."""

import msgspec

from logstream.query.expressions.cursor import Cursor
from logstream.query.expressions.nodes import name_text
from logstream.query.pipes import Pipe
from logstream.query.tables import Table


class Drop(msgspec.Struct, frozen=True):
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"drop {', '.join(map(name_text, self.names))}"

    def apply(self, table: Table) -> Table:
        return table.without(self.names)


def parse(cursor: Cursor) -> Pipe:
    return Drop(cursor.names_in_brackets())
