"""`rename a as b, c as d`."""

import msgspec

from logstream.core.errors import BadRequest
from logstream.query.expressions.cursor import Cursor
from logstream.query.expressions.nodes import name_text
from logstream.query.pipes import Pipe
from logstream.query.tables import FIELDS, Table


class Rename(msgspec.Struct, frozen=True):
    names: tuple[tuple[str, str], ...]
    """Old and new, all at once: two may change places."""

    def __str__(self) -> str:
        parts = [f"{name_text(old)} as {name_text(new)}" for old, new in self.names]
        return f"rename {', '.join(parts)}"

    def apply(self, table: Table) -> Table:
        if not table.is_open:
            return self._closed(table)
        if any(FIELDS in pair for pair in self.names):
            raise BadRequest(
                "fields of an entry stays as it is; `| fields timestamp, fields as f` "
                "gives it another name."
            )
        values = [(new, table.value(old)) for old, new in self.names]
        olds = [old for old, _ in self.names]
        return table.without(olds).with_columns(values)

    def _closed(self, table: Table) -> Table:
        news = dict(self.names)
        for old in news:
            table.value(old)
        columns = {news.get(name, name): one for name, one in table.columns.items()}
        if len(columns) < len(table.columns):
            raise BadRequest("rename: two columns would have the same name.")
        return msgspec.structs.replace(table, columns=columns)


def parse(cursor: Cursor) -> Pipe:
    names = [_pair(cursor)]
    while cursor.accept(","):
        names.append(_pair(cursor))
    olds, news = {old for old, _ in names}, {new for _, new in names}
    if len(olds) < len(names) or len(news) < len(names):
        cursor.fail("a name stands twice here")
    return Rename(tuple(names))


def _pair(cursor: Cursor) -> tuple[str, str]:
    old = cursor.name()
    cursor.expect_word("as")
    return old, cursor.name("its new name")
