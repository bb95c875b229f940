"""`fields a, b as c`: these columns only."""

import msgspec

from logstream.query.expressions.cursor import Cursor
from logstream.query.expressions.nodes import name_text
from logstream.query.pipes import Pipe
from logstream.query.tables import Table


class Fields(msgspec.Struct, frozen=True):
    names: tuple[tuple[str, str], ...]
    """What is taken, and what it is called then."""

    def __str__(self) -> str:
        parts = [
            name_text(name)
            if name == shown
            else f"{name_text(name)} as {name_text(shown)}"
            for name, shown in self.names
        ]
        return f"fields {', '.join(parts)}"

    def apply(self, table: Table) -> Table:
        return table.only([(shown, table.value(name)) for name, shown in self.names])


def parse(cursor: Cursor) -> Pipe:
    bracket = cursor.accept("(")
    names = [_name(cursor)]
    while cursor.accept(","):
        names.append(_name(cursor))
    if bracket:
        cursor.expect(")")
    if len({shown for _, shown in names}) < len(names):
        cursor.fail("a name stands twice here")
    return Fields(tuple(names))


def _name(cursor: Cursor) -> tuple[str, str]:
    name = cursor.name()
    shown = cursor.name("its new name") if cursor.accept_word("as") else name
    return name, shown
