"""The pipes: what may stand behind `|`, one file each.

To write one: a frozen struct that says what was asked for, whose `str` is canonical
text (`parse_query(str(query)) == query`), with `apply(table) -> Table`; and a function
`parse(cursor) -> Pipe` that reads what stands behind the pipe's name, up to `|`, `)` or
the end. Then a line in `registry`. `head` is the shortest example, `stats` the longest.

`Table` has the steps that pipes are made of: `value`, `with_columns`, `filtered`,
`sorted`, `limited`, `grouped`, `only`; `expressions.sql` makes values and tests of
expressions; `values` turns a value into the kind that is wanted. No user's name and no
value becomes SQL text: names stay in `Table.columns`, values are parameters.
"""

from typing import Protocol

from logstream.query.tables import Table


class Pipe(Protocol):
    """Immutable; equal ones read the same."""

    def __str__(self) -> str:
        """Canonical text, the name first."""
        ...

    def apply(self, table: Table) -> Table:
        """What comes out of the rows of a table.

        Raises:
            BadRequest: it cannot be done with these columns.
        """
        ...
