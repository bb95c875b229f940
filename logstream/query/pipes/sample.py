"""`sample 100`: one row of a hundred, evenly; the same ones each time."""

import msgspec

from logstream.core.errors import BadRequest
from logstream.core.sql import Sql
from logstream.query.expressions.cursor import Cursor
from logstream.query.pipes import Pipe
from logstream.query.tables import Table


class Sample(msgspec.Struct, frozen=True):
    one_in: int

    def __str__(self) -> str:
        return f"sample {self.one_in}"

    def apply(self, table: Table) -> Table:
        if table.scan is None:
            raise BadRequest("sample takes entries, and there are none here any more.")
        key = table.scan.own("id").text
        return table.filtered(Sql(f"hash({key}) % {self.one_in:d} = 0"))


def parse(cursor: Cursor) -> Pipe:
    return Sample(cursor.whole("a number such as 100", least=1, most=1_000_000_000))
