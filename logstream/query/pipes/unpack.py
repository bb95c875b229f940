"""`unpack json from message fields a, b`, `unpack logfmt fields a`: texts taken apart.

With `fields`, these become columns, as text. `unpack json` without them adds all keys
of an object to the fields of the entry.
"""

from typing import Literal, cast

import msgspec

from logstream.core.errors import BadRequest
from logstream.core.sql import Sql
from logstream.query.expressions.cursor import Cursor
from logstream.query.expressions.nodes import name_text
from logstream.query.fragments import of
from logstream.query.names import FIELDS_PREFIX, Path, subject_of
from logstream.query.pipes import Pipe
from logstream.query.pipes.columns import (
    MAX_GROUPS,
    MESSAGE,
    check_new,
    from_text,
    literal,
    text_column,
)
from logstream.query.tables import Table
from logstream.query.values import Loose, member

Format = Literal["json", "logfmt"]

_FORMATS = ("json", "logfmt")


class Unpack(msgspec.Struct, frozen=True):
    format: Format
    source: str = MESSAGE
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"unpack {self.format}{from_text(self.source)}"
        names = ", ".join(map(name_text, self.names))
        return f"{text} fields {names}" if names else text

    def apply(self, table: Table) -> Table:
        check_new(table, self.names)
        text = text_column(table, self.source)
        if self.format == "logfmt":
            return self._logfmt(table, text)
        made = of("TRY_CAST({} AS JSON)", text)
        held = table.builder.alias()
        relation = of(f"(SELECT *, {{}} AS {held} FROM {{}})", made, table.relation)
        found = msgspec.structs.replace(table, relation=relation)
        if self.names:
            return found.with_columns(
                [(name, _inside(held, name)) for name in self.names]
            )
        if not table.is_open:
            raise BadRequest(
                "There are no entries here to add all keys to: name them, as in "
                "`unpack json fields a, b`."
            )
        return found.merged_with(
            Sql(f"CASE WHEN json_type({held}) = 'OBJECT' THEN {held} END")
        )

    def _logfmt(self, table: Table, text: Sql) -> Table:
        held = [table.builder.alias() for _ in self.names]
        parts = [
            of(
                f"regexp_extract({{}}, {{}}, ['a', 'b']) AS {alias}",
                *(text, Sql("?", (_logfmt_pattern(name),))),
            )
            for alias, name in zip(held, self.names, strict=True)
        ]
        marks = ", ".join("{}" for _ in parts)
        relation = of(f"(SELECT *, {marks} FROM {{}})", *parts, table.relation)
        found = msgspec.structs.replace(table, relation=relation)
        columns = [
            (
                name,
                Loose(
                    Sql(
                        f"CASE WHEN starts_with({alias}.a, '\"') "
                        f"THEN replace({alias}.b, '\\\"', '\"') "
                        f"ELSE nullif({alias}.a, '') END"
                    ),
                ),
            )
            for alias, name in zip(held, self.names, strict=True)
        ]
        return found.with_columns(columns)


def _inside(held: str, name: str) -> Loose:
    """`a.b` is `b` of `a`, or else the key `a.b`, as in the fields of an entry."""
    path = cast("Path", subject_of(FIELDS_PREFIX + name))
    return member(Sql(held), path)


def _logfmt_pattern(name: str) -> str:
    """The value, with its quotes; and what is in them."""
    return rf'(?:^|\s){literal(name)}=("((?:[^"\\]|\\.)*)"|[^\s"]*)'


def parse(cursor: Cursor) -> Pipe:
    here = cursor.here
    if not cursor.accept_word(*_FORMATS):
        cursor.expected("json or logfmt")
    kind = cast("Format", here.text.lower())
    source = MESSAGE
    names: tuple[str, ...] = ()
    for option in cursor.options("from", "fields"):
        start = cursor.here
        if option == "from":
            source = cursor.name("a column")
            continue
        names = cursor.names_in_brackets()
        if len(set(names)) < len(names):
            cursor.fail("two columns would have the same name", start)
        if len(names) > MAX_GROUPS:
            cursor.fail(f"at most {MAX_GROUPS} names", start)
    if kind == "logfmt" and not names:
        cursor.expected("`fields` and the names of what to take")
    return Unpack(kind, source, names)
