"""`dedup host, level`: of rows with the same values, the first; of entries, the newest.

`uniq by (host)` says the same.
"""

import msgspec

from logstream.core.sql import Sql
from logstream.query.expressions.cursor import Cursor
from logstream.query.expressions.nodes import name_text
from logstream.query.expressions.tokens import Mark
from logstream.query.fragments import of
from logstream.query.pipes import Pipe
from logstream.query.tables import Table


class Dedup(msgspec.Struct, frozen=True):
    names: tuple[str, ...]
    """None: all columns."""
    rows: int = 1
    """How many of the same stay."""

    def __str__(self) -> str:
        rows = "" if self.rows == 1 else f" {self.rows}"
        names = ", ".join(map(name_text, self.names))
        return f"dedup{rows} {names}".rstrip()

    def apply(self, table: Table) -> Table:
        names = self.names or _all(table)
        keys = [table.typed(name).sql for name in names]
        table.take_first(self.rows, keys)
        order = table.ordered()
        marks = ", ".join("{}" for _ in keys)
        if self.rows == 1:
            # Twice as fast as numbering the rows.
            text = f"(SELECT DISTINCT ON ({marks}) * FROM {{}} {{}})"
            relation = of(text, *keys, table.relation, order)
            return msgspec.structs.replace(table, relation=relation, is_whole=False)
        alias = table.builder.alias()
        relation = of(
            f"(SELECT *, row_number() OVER (PARTITION BY {marks} {{}}) AS {alias} "
            "FROM {})",
            *(*keys, order, table.relation),
        )
        numbered = msgspec.structs.replace(table, relation=relation, is_whole=False)
        return numbered.filtered(Sql(f"{alias} <= {self.rows:d}"))


def _all(table: Table) -> tuple[str, ...]:
    return ("source", "level", "message") if table.is_open else tuple(table.columns)


def parse(cursor: Cursor) -> Pipe:
    rows = 1
    if cursor.here.mark is Mark.NUMBER:
        rows = cursor.whole("a number of rows", least=1, most=1_000_000)
    cursor.accept_word("by")
    return Dedup(() if cursor.at_end() else cursor.names_in_brackets(), rows)
