"""The tree of an expression: frozen nodes that print as what they are parsed from."""

from typing import Literal

import msgspec

from logstream.query.expressions.tokens import bare_name
from logstream.query.quoting import quoted

Sign = Literal["+", "-", "*", "/", "%", "=", "!=", "<", "<=", ">", ">=", "~", "!~"]

KEYWORDS = frozenset(
    {"and", "or", "not", "in", "by", "as", "if", "true", "false", "null", "is", "on"}
)


class Name(msgspec.Struct, frozen=True):
    """A column, or a field."""

    name: str

    def __str__(self) -> str:
        return name_text(self.name)


class Text(msgspec.Struct, frozen=True):
    value: str

    def __str__(self) -> str:
        return quoted(self.value)


class Number(msgspec.Struct, frozen=True):
    value: float

    def __str__(self) -> str:
        return number_text(self.value)


class Span(msgspec.Struct, frozen=True):
    """A duration in seconds."""

    seconds: float

    def __str__(self) -> str:
        return span_text(self.seconds)


class Truth(msgspec.Struct, frozen=True):
    value: bool

    def __str__(self) -> str:
        return "true" if self.value else "false"


class Null(msgspec.Struct, frozen=True):
    def __str__(self) -> str:
        return "null"


class Call(msgspec.Struct, frozen=True):
    function: str
    arguments: tuple["Expression", ...]

    def __str__(self) -> str:
        return f"{self.function}({', '.join(map(str, self.arguments))})"


class Operation(msgspec.Struct, frozen=True):
    """Two operands and a sign between."""

    sign: Sign
    left: "Expression"
    right: "Expression"

    def __str__(self) -> str:
        return f"({self.left} {self.sign} {self.right})"


class Negative(msgspec.Struct, frozen=True):
    inner: "Expression"

    def __str__(self) -> str:
        return f"(-{self.inner})"


class Negation(msgspec.Struct, frozen=True):
    inner: "Expression"

    def __str__(self) -> str:
        return f"(not {self.inner})"


class Every(msgspec.Struct, frozen=True):
    """`a and b and …`: two or more."""

    terms: tuple["Expression", ...]

    def __str__(self) -> str:
        return f"({' and '.join(map(str, self.terms))})"


class Some(msgspec.Struct, frozen=True):
    """`a or b or …`: two or more."""

    terms: tuple["Expression", ...]

    def __str__(self) -> str:
        return f"({' or '.join(map(str, self.terms))})"


class OneOf(msgspec.Struct, frozen=True):
    """`value in (a, b, …)`."""

    value: "Expression"
    options: tuple["Expression", ...]

    def __str__(self) -> str:
        return f"({self.value} in ({', '.join(map(str, self.options))}))"


class Among(msgspec.Struct, frozen=True):
    """`value in (query)`: what the first column of a sub-query holds."""

    value: "Expression"
    query: object
    """A `query.Query`."""

    def __str__(self) -> str:
        return f"({self.value} in ({self.query}))"


Expression = (
    Name
    | Text
    | Number
    | Span
    | Truth
    | Null
    | Call
    | Operation
    | Negative
    | Negation
    | Every
    | Some
    | OneOf
    | Among
)


def name_text(name: str) -> str:
    """A name as it can be read back."""
    if bare_name(name) and name.lower() not in KEYWORDS:
        return name
    inner = quoted(name)[1:-1].replace('\\"', '"').replace("`", "\\`")
    return f"`{inner}`"


def number_text(value: float) -> str:
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else repr(value)


def span_text(seconds: float) -> str:
    """Whole nanoseconds, in the largest unit that they are whole in."""
    ns = round(seconds * 1e9)
    units = (
        ("w", 604_800 * 10**9),
        ("d", 86_400 * 10**9),
        ("h", 3600 * 10**9),
        ("m", 60 * 10**9),
        ("s", 10**9),
        ("ms", 10**6),
        ("us", 1000),
    )
    for unit, size in units:
        if ns and ns % size == 0:
            return f"{ns // size}{unit}"
    return f"{ns}ns"
