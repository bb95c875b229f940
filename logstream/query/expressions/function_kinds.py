"""Kinds of functions: what they are called with, and how their SQL is put together."""

from collections.abc import Callable, Sequence

import msgspec

from logstream.core.errors import BadRequest
from logstream.core.results import Kind
from logstream.core.sql import Sql
from logstream.query.expressions.nodes import Expression, Null, Text
from logstream.query.field_forms import finite
from logstream.query.fragments import of
from logstream.query.regexps import captured
from logstream.query.values import (
    Typed,
    Value,
    as_number,
    converted,
)

Make = Callable[[Sequence[Value], Sequence[Expression]], Typed]
"""Given the arguments as values, and as they are written."""


class Function(msgspec.Struct, frozen=True, kw_only=True):
    least: int
    most: int
    make: Make
    shown: str
    """How it is called, for people."""
    constant: tuple[int, ...] = ()
    """Arguments that have to be texts in quotes."""
    pattern: int | None = None
    """The argument that is a regular expression."""
    wrong: Callable[[Sequence[Expression]], str | None] = lambda _: None
    """What else may be wrong with the arguments."""

    def check(self, arguments: Sequence[Expression]) -> str | None:
        """What is wrong with a call; None: nothing."""
        if not self.least <= len(arguments) <= self.most:
            return f"write {self.shown}"
        for at in self.constant:
            if at < len(arguments) and not isinstance(arguments[at], Text):
                return f"write {self.shown}, with a text in quotes"
        if self.pattern is not None and self.pattern < len(arguments):
            return wrong_pattern(arguments[self.pattern])
        return self.wrong(arguments)


def wrong_pattern(argument: Expression) -> str | None:
    """Why a text is no regular expression that can be used here; None: it is one."""
    if not isinstance(argument, Text):
        return "write a regular expression in quotes"
    try:
        captured(argument.value)
    except BadRequest as error:
        text = str(error).removesuffix(".")
        return text[:1].lower() + text[1:]
    return None


def taking(kind: Kind, template: str, *takes: Kind) -> Make:
    """Each argument in the kind that it is taken in, once, in order."""

    def make(values: Sequence[Value], _: Sequence[Expression]) -> Typed:
        parts = [
            converted(value, takes[min(at, len(takes) - 1)])
            for at, value in enumerate(values)
        ]
        return Typed(of(template, *parts), kind)

    return make


def joined(kind: Kind, name: str, takes: Kind) -> Make:
    """An SQL function of any number of arguments."""

    def make(values: Sequence[Value], _: Sequence[Expression]) -> Typed:
        return Typed(call(name, [converted(value, takes) for value in values]), kind)

    return make


def call(name: str, parts: Sequence[Sql]) -> Sql:
    return of(f"{name}({', '.join('{}' for _ in parts)})", *parts)


def common_kind(values: Sequence[Value], nodes: Sequence[Expression]) -> Kind:
    """What several values can all be. A field goes along with what the others are."""
    kinds: set[Kind] = {
        value.kind
        for value, node in zip(values, nodes, strict=True)
        if isinstance(value, Typed) and not isinstance(node, Null)
    }
    if not kinds:
        return "text"
    if len(kinds) == 1:
        found = kinds.pop()
        return "number" if found == "integer" else found
    return "number" if kinds <= {"number", "integer", "duration"} else "text"


def of_numbers(template: str, shown: str) -> Function:
    make = taking("number", template, "number")
    count = template.count("{}")
    return Function(least=count, most=count, make=make, shown=shown)


def growing(template: str, shown: str) -> Function:
    """Of numbers; the result may be too large, or none."""
    count = template.count("{}")

    def make(values: Sequence[Value], _: Sequence[Expression]) -> Typed:
        made = of(template, *map(as_number, values))
        return Typed(finite(made), "number")

    return Function(least=count, most=count, make=make, shown=shown)


def root(template: str, test: str, shown: str) -> Function:
    """Of the numbers that have one."""

    def make(values: Sequence[Value], _: Sequence[Expression]) -> Typed:
        number = as_number(values[0])
        text = template.format(f"CASE WHEN {{}} {test} THEN {{}} END")
        return Typed(of(text, number, number), "number")

    return Function(least=1, most=1, make=make, shown=shown)


def of_text(template: str, shown: str) -> Function:
    make = taking("text", template, "text")
    count = template.count("{}")
    return Function(least=count, most=count, make=make, shown=shown)


def test_of_texts(template: str, shown: str) -> Function:
    make = taking("boolean", template, "text")
    return Function(least=2, most=2, make=make, shown=shown)
