r"""`extract "user=<user> from <ip>"`, `extract_regexp "user=(?P<user>\w+)"`.

New columns out of a text: what stands where a name is. `<_>` stands for anything that
is not wanted; what is not found is null. In a regular expression, a backslash is just
that, and need not be doubled.
"""

import re

import msgspec

from logstream.query.expressions.cursor import Cursor, raw_quoted
from logstream.query.expressions.function_kinds import wrong_pattern
from logstream.query.expressions.nodes import Text
from logstream.query.pipes import Pipe
from logstream.query.pipes.columns import (
    MAX_GROUPS,
    MESSAGE,
    check_new,
    from_text,
    literal,
    text_column,
    with_groups,
)
from logstream.query.quoting import quoted
from logstream.query.regexps import MAX_CHARS, captured
from logstream.query.tables import Table

_PLACE = re.compile(r"<([^\W\d][\w.@/-]*)>")
SKIP = "_"


class Extract(msgspec.Struct, frozen=True):
    template: str
    source: str = MESSAGE

    def __str__(self) -> str:
        return f"extract {quoted(self.template)}{from_text(self.source)}"

    def apply(self, table: Table) -> Table:
        parts = _PLACE.split(self.template)
        names = [None if name == SKIP else name for name in parts[1::2]]
        check_new(table, [name for name in names if name is not None])
        pattern = "(?s)" + literal(parts[0])
        for at, between in enumerate(parts[2::2]):
            is_last = at == len(names) - 1
            pattern += "(.*)" if is_last and not between else "(.*?)"
            pattern += literal(between)
        text = text_column(table, self.source)
        return with_groups(table, text, pattern, names)


class ExtractRegexp(msgspec.Struct, frozen=True):
    pattern: str
    source: str = MESSAGE

    def __str__(self) -> str:
        return f"extract_regexp {raw_quoted(self.pattern)}{from_text(self.source)}"

    def apply(self, table: Table) -> Table:
        made = captured(self.pattern)
        check_new(table, [name for name in made.names if name is not None])
        text = text_column(table, self.source)
        return with_groups(table, text, made.re2, made.names)


def parse_extract(cursor: Cursor) -> Pipe:
    start = cursor.here
    template = cursor.text_of('a text such as "user=<user> from <ip>"')
    parts = _PLACE.split(template)
    names = [name for name in parts[1::2] if name != SKIP]
    if not names:
        cursor.fail("nothing to extract: name what is wanted, as in <user>", start)
    if len(template) > MAX_CHARS:
        cursor.fail(f"at most {MAX_CHARS} characters", start)
    if len(parts) // 2 > MAX_GROUPS:
        cursor.fail(f"at most {MAX_GROUPS} names", start)
    if len(set(names)) < len(names):
        cursor.fail("two columns would have the same name", start)
    if not all(parts[2:-1:2]):
        cursor.fail("some text has to stand between two names", start)
    return Extract(template, _source(cursor))


def parse_regexp(cursor: Cursor) -> Pipe:
    start = cursor.mark()
    found = cursor.raw_text(r'a regular expression such as "user=(?P<user>\w+)"')
    pattern = re.sub(r"\\.|\(\?<(?=\w)", _python_group, found, flags=re.DOTALL)
    wrong = wrong_pattern(Text(pattern))
    if wrong is None:
        names = captured(pattern).names
        if not any(names):
            wrong = "no group has a name, as in (?P<user>…)"
        elif len(names) > MAX_GROUPS:
            wrong = f"at most {MAX_GROUPS} groups"
    if wrong is not None:
        cursor.back(start)
        cursor.fail_here(wrong)
    return ExtractRegexp(pattern, _source(cursor))


def _python_group(found: re.Match[str]) -> str:
    """`(?<name>` is `(?P<name>`."""
    return "(?P<" if found[0] == "(?<" else found[0]


def _source(cursor: Cursor) -> str:
    return cursor.name("a column") if cursor.accept_word("from") else MESSAGE
