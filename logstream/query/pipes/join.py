"""`join by (user) (source:auth | stats count() as logins by user)`.

Each row with the columns of the rows of another query that have the same values. With
`inner`, which is meant if nothing is said, rows without any are left out; with `left`,
they stay. Of the other query, the first 1 000 000 rows count.
"""

from typing import TYPE_CHECKING, Literal, cast

import msgspec

from logstream.core.errors import BadRequest
from logstream.core.sql import Sql
from logstream.query.expressions.cursor import Cursor
from logstream.query.expressions.nodes import name_text
from logstream.query.fragments import join, of
from logstream.query.names import COLUMN_NAMES
from logstream.query.pipes import Pipe
from logstream.query.tables import Table
from logstream.query.values import Typed, Value, as_held, as_text

if TYPE_CHECKING:
    from logstream.query.query import Query

MAX_ROWS = 1_000_000
Kind = Literal["inner", "left"]


class Join(msgspec.Struct, frozen=True):
    names: tuple[str, ...]
    query: object
    """A `query.Query`."""
    kind: Kind = "inner"

    def __str__(self) -> str:
        names = ", ".join(map(name_text, self.names))
        return f"join by ({names}) ({self.query}) {self.kind}"

    def apply(self, table: Table) -> Table:
        other = cast("Query", self.query).table(table.builder)
        if other.is_open:
            raise BadRequest(
                "The query to join has to say which columns it gives, such as by "
                "`| fields user, team` or `| stats … by user`."
            )
        table = table.with_order()
        other = other.limited(MAX_ROWS)
        tests, parts = [], []
        for name in self.names:
            here, there = _same_kind(table.value(name), other.value(name))
            alias = table.builder.alias()
            parts.append(of(f"{{}} AS {alias}", there))
            tests.append(of(f"{{}} = r.{alias}", here))
        columns = dict(table.columns)
        for name, value in other.columns.items():
            if name in self.names:
                continue
            if name in columns or (table.is_open and name in COLUMN_NAMES):
                raise BadRequest(
                    f"Both sides of the join have a column {name!r}: rename one."
                )
            alias = table.builder.alias()
            kind, sql = as_held(value)
            parts.append(of(f"{{}} AS {alias}", sql))
            columns[name] = Typed(Sql(alias), kind)
        marks = ", ".join("{}" for _ in parts)
        relation = of(
            f"(SELECT l.*, r.* FROM {{}} l {self.kind.upper()} JOIN "
            f"(SELECT {marks} FROM {{}}) r ON {{}})",
            *(table.relation, *parts, other.relation, join(" AND ", tests)),
        )
        return msgspec.structs.replace(
            table,
            relation=relation,
            columns=columns,
            is_whole=False,
            gone=table.gone - columns.keys(),
        )


def _same_kind(here: Value, there: Value) -> tuple[Sql, Sql]:
    """Two values as they can be compared: as text, unless they are of one kind."""
    both = isinstance(here, Typed) and isinstance(there, Typed)
    if both and here.kind == there.kind:  # type: ignore[union-attr]
        return here.sql, there.sql  # type: ignore[union-attr]
    return as_text(here), as_text(there)


def parse(cursor: Cursor) -> Pipe:
    from logstream.query.query import parse_inner

    cursor.accept_word("by", "on")
    start = cursor.here
    names = cursor.names_in_brackets()
    if len(set(names)) < len(names):
        cursor.fail("a name stands here twice", start)
    cursor.expect("(")
    cursor.enter()
    query = parse_inner(cursor)
    cursor.expect(")")
    cursor.leave()
    kind = cursor.here.text.lower()
    if cursor.accept_word("inner", "left"):
        return Join(names, query, cast("Kind", kind))
    return Join(names, query)
