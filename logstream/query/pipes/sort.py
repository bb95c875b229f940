"""`sort by took desc, host`: `sort -took` is the same as `sort by took desc`."""

import msgspec

from logstream.core.sql import Sql
from logstream.query.expressions.cursor import Cursor
from logstream.query.expressions.nodes import Expression, Name
from logstream.query.expressions.parser import parse_expression
from logstream.query.expressions.sql import value_of
from logstream.query.pipes import Pipe
from logstream.query.pipes.head import MOST_ROWS
from logstream.query.tables import Table
from logstream.query.values import Field, Loose, as_number, other_text

MAX_KEYS = 32
"""A sort holds all of them of every row: 200 took all memory that loads need too."""


class Key(msgspec.Struct, frozen=True):
    value: Expression
    descending: bool

    def __str__(self) -> str:
        text = str(self.value)
        if text.startswith("-"):
            text = f"({text})"  # in front of a key, it would be its order
        return f"{text} desc" if self.descending else text


class Sort(msgspec.Struct, frozen=True):
    """A field may hold numbers here and text there: numbers by size, then the text."""

    keys: tuple[Key, ...]
    limit: int | None = None

    def __str__(self) -> str:
        limit = "" if self.limit is None else f" limit {self.limit}"
        return f"sort by {', '.join(map(str, self.keys))}{limit}"

    def apply(self, table: Table) -> Table:
        keys: list[tuple[Sql, bool]] = []
        for key in self.keys:
            value = value_of(key.value, table)
            if isinstance(value, Field | Loose):
                keys += [
                    (as_number(value), key.descending),
                    (other_text(value), key.descending),
                ]
            else:
                keys.append((value.sql, key.descending))
        found = table.sorted(keys)
        return found if self.limit is None else found.limited(self.limit)


def parse(cursor: Cursor) -> Pipe:
    cursor.accept_word("by")
    keys = [_key(cursor)]
    while cursor.accept(","):
        if len(keys) == MAX_KEYS:
            cursor.fail(f"a sort has at most {MAX_KEYS} keys")
        keys.append(_key(cursor))
    last = keys[-1].value
    if cursor.sees_name() and isinstance(last, Name) and last.name in ("desc", "asc"):
        cursor.fail(f"write {last.name} behind the name")
    limit = None
    for _ in cursor.options("limit"):
        limit = cursor.whole("a number of rows", most=MOST_ROWS)
    return Sort(tuple(keys), limit)


def _key(cursor: Cursor) -> Key:
    minus = cursor.accept("-")
    if not minus:
        cursor.accept("+")
    value = parse_expression(cursor)
    if cursor.accept_word("desc"):
        return Key(value, descending=True)
    rising = cursor.accept_word("asc")
    return Key(value, descending=minus and not rising)
