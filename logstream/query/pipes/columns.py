"""What pipes that make columns out of texts have in common."""

import re
from collections.abc import Sequence

import msgspec

from logstream.core.errors import BadRequest
from logstream.core.sql import Sql
from logstream.query.expressions.nodes import name_text
from logstream.query.fragments import of
from logstream.query.tables import Table
from logstream.query.values import Loose, as_text

MESSAGE = "message"
MAX_GROUPS = 50
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_READ_ONLY = frozenset({"id", "fields"})


def check_new(table: Table, names: Sequence[str]) -> None:
    """Whether columns may get these names.

    Raises:
        BadRequest: not all.
    """
    for name in names:
        if table.is_open and name in _READ_ONLY:
            raise BadRequest(f"{name} of an entry stays as it is: use another name.")


def from_text(name: str) -> str:
    return "" if name == MESSAGE else f" from {name_text(name)}"


def with_groups(
    table: Table, text: Sql, pattern: str, names: Sequence[str | None]
) -> Table:
    """Columns for the groups of a regular expression, which runs once for each row.

    Args:
        names: Of all its groups; None: not wanted.
    """
    groups = ", ".join(f"'g{at}'" for at in range(len(names)))
    found = table.builder.alias()
    relation = of(
        f"(SELECT *, regexp_extract({{}}, {{}}, [{groups}]) AS {found} FROM {{}})",
        *(text, Sql("?", (pattern,)), table.relation),
    )
    columns = [
        (name, Loose(Sql(f"nullif({found}.g{at}, '')")))
        for at, name in enumerate(names)
        if name is not None
    ]
    held = msgspec.structs.replace(table, relation=relation)
    return held.with_columns(columns)


def literal(text: str) -> str:
    """A regular expression for just this text."""
    return _PUNCTUATION.sub(r"\\\g<0>", text)


def text_column(table: Table, name: str) -> Sql:
    return as_text(table.value(name))
