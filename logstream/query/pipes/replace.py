r"""`replace "a" with "b" in message`, `replace_regexp "(\d+)ms" with "\1" in took`.

Everywhere in the text. In a regular expression and in what stands for it, a backslash
is just that, and need not be doubled; `\1` is what its first group found.
"""

import re

import msgspec

from logstream.query.expressions.cursor import Cursor, raw_quoted
from logstream.query.expressions.function_kinds import wrong_pattern
from logstream.query.expressions.nodes import Text, name_text
from logstream.query.fragments import of
from logstream.query.pipes import Pipe
from logstream.query.pipes.columns import MESSAGE, check_new, text_column
from logstream.query.quoting import quoted
from logstream.query.regexps import captured
from logstream.query.tables import Table
from logstream.query.values import Typed


class Replace(msgspec.Struct, frozen=True):
    old: str
    new: str
    name: str = MESSAGE
    is_regexp: bool = False

    def __str__(self) -> str:
        if self.is_regexp:
            text = f"replace_regexp {raw_quoted(self.old)} with {raw_quoted(self.new)}"
        else:
            text = f"replace {quoted(self.old)} with {quoted(self.new)}"
        return text if self.name == MESSAGE else f"{text} in {name_text(self.name)}"

    def apply(self, table: Table) -> Table:
        check_new(table, [self.name])
        text = text_column(table, self.name)
        if self.is_regexp:
            old = captured(self.old).re2
            made = of("regexp_replace({}, ?, ?, 'g')", text, old, self.new)
        else:
            made = of("replace({}, ?, ?)", text, self.old, self.new)
        return table.with_columns([(self.name, Typed(made, "text"))])


def parse_replace(cursor: Cursor) -> Pipe:
    start = cursor.here
    old = cursor.text_of("a text in quotes")
    if not old:
        cursor.fail("an empty text is everywhere and nowhere", start)
    cursor.expect_word("with")
    new = cursor.text_of("a text in quotes")
    return Replace(old, new, _name(cursor))


def parse_regexp(cursor: Cursor) -> Pipe:
    start = cursor.mark()
    pattern = cursor.raw_text("a regular expression")
    wrong = wrong_pattern(Text(pattern))
    if wrong is None and not pattern:
        wrong = "an empty regular expression is everywhere and nowhere"
    if wrong is not None:
        cursor.back(start)
        cursor.fail_here(wrong)
    cursor.expect_word("with")
    start = cursor.mark()
    new = cursor.raw_text("what stands for it")
    groups = len(captured(pattern).names)
    for found in re.finditer(r"\\(.?)", new, re.DOTALL):
        if found[1] != "\\" and not (found[1].isdecimal() and int(found[1]) <= groups):
            cursor.back(start)
            cursor.fail_here(
                f"there is no {found[0]}: groups go from \\0, all of it, to \\{groups}"
            )
    return Replace(pattern, new, _name(cursor), is_regexp=True)


def _name(cursor: Cursor) -> str:
    return cursor.name("a column") if cursor.accept_word("in") else MESSAGE
