"""`eval ms = took * 1000, who = coalesce(user, "nobody")`: new columns, one by one."""

from collections.abc import Collection

import msgspec

from logstream.core.errors import BadRequest
from logstream.query.expressions.cursor import Cursor
from logstream.query.expressions.nodes import Expression, name_text, names_in
from logstream.query.expressions.parser import parse_expression
from logstream.query.expressions.sql import value_of
from logstream.query.names import FIELDS_PREFIX
from logstream.query.pipes import Pipe
from logstream.query.tables import FIELDS, Table
from logstream.query.values import Value

READ_ONLY = frozenset({"id", "fields"})


class Eval(msgspec.Struct, frozen=True):
    """Each may use those before it."""

    columns: tuple[tuple[str, Expression], ...]

    def __str__(self) -> str:
        parts = [f"{name_text(name)} = {value}" for name, value in self.columns]
        return f"eval {', '.join(parts)}"

    def apply(self, table: Table) -> Table:
        """Those that use none of those before them are one step: of 65, nested in each
        other, DuckDB plans for 20 ms.
        """
        added: list[tuple[str, Value]] = []
        names: set[str] = set()
        for name, expression in self.columns:
            if table.is_open and name in READ_ONLY:
                raise BadRequest(
                    f"{name} of an entry stays as it is: use another name."
                )
            own = {name, name.removeprefix(FIELDS_PREFIX)}
            if own & names or _uses(expression, names):
                table = table.with_columns(added)
                added, names = [], set()
            added.append((name, value_of(expression, table)))
            names |= own
        return table.with_columns(added)


def _uses(expression: Expression, names: Collection[str]) -> bool:
    """Whether it could mean one of these, or what is in one."""
    return bool(names) and any(
        name == FIELDS or name in names or ("." in name and _is_in(name, names))
        for name in names_in(expression)
    )


def _is_in(name: str, names: Collection[str]) -> bool:
    parts = name.split(".")
    first = 1 if parts[0] == FIELDS else 0
    ends = range(first + 1, len(parts) + 1)
    return any(".".join(parts[first:end]) in names for end in ends)


def parse(cursor: Cursor) -> Pipe:
    columns = [_column(cursor)]
    while cursor.accept(","):
        columns.append(_column(cursor))
    return Eval(tuple(columns))


def _column(cursor: Cursor) -> tuple[str, Expression]:
    name = cursor.name("the name of a new column")
    cursor.expect("=")
    return name, parse_expression(cursor)
