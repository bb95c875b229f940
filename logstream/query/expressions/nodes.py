"""The tree of an expression: frozen nodes that print as what they are parsed from.

With as few brackets as that takes: what could be read can be printed and read again,
within the same limits.
"""

from typing import Final, Literal, cast

import msgspec

from logstream.query.expressions.tokens import bare_name
from logstream.query.quoting import quoted

Sign = Literal["+", "-", "*", "/", "%", "=", "!=", "<", "<=", ">", ">=", "~", "!~"]

KEYWORDS = frozenset(
    {"and", "or", "not", "in", "by", "as", "if", "true", "false", "null", "is", "on"}
)


class _Node(msgspec.Struct, frozen=True):
    def __str__(self) -> str:
        return text_of(cast("Expression", self))


class Name(_Node, frozen=True):
    """A column, or a field."""

    name: str


class Text(_Node, frozen=True):
    value: str


class Number(_Node, frozen=True):
    """Zero or more."""

    value: float


class Span(_Node, frozen=True):
    """A duration in seconds."""

    seconds: float


class Truth(_Node, frozen=True):
    value: bool


class Null(_Node, frozen=True):
    pass


class Call(_Node, frozen=True):
    function: str
    arguments: tuple["Expression", ...]


class Operation(_Node, frozen=True):
    """Two operands and a sign between."""

    sign: Sign
    left: "Expression"
    right: "Expression"


class Negative(_Node, frozen=True):
    inner: "Expression"


class Negation(_Node, frozen=True):
    inner: "Expression"


class Every(_Node, frozen=True):
    """`a and b and …`: two or more."""

    terms: tuple["Expression", ...]


class Some(_Node, frozen=True):
    """`a or b or …`: two or more."""

    terms: tuple["Expression", ...]


class OneOf(_Node, frozen=True):
    """`value in (a, b, …)`."""

    value: "Expression"
    options: tuple["Expression", ...]


class Among(_Node, frozen=True):
    """`value in (query)`: what the first column of a sub-query holds."""

    value: "Expression"
    query: object
    """A `query.Query`."""


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


_OR, _AND, _NOT, _COMPARISON, _SUM, _PRODUCT, _FACTOR = range(7)
"""What binds closer is larger."""

_LEVELS: Final[dict[str, int]] = {
    **dict.fromkeys(("+", "-"), _SUM),
    **dict.fromkeys(("*", "/", "%"), _PRODUCT),
}


def names_in(node: Expression) -> set[str]:
    """Of columns and fields, as they are written; not of sub-queries."""
    names: set[str] = set()
    left: list[object] = [node]
    while left:
        match left.pop():
            case Name(name):
                names.add(name)
            case Operation(_, first, second):
                left += (first, second)
            case Call(_, inner) | Every(inner) | Some(inner):
                left += inner
            case Negative(one) | Negation(one) | Among(one):
                left.append(one)
            case OneOf(one, options):
                left += (one, *options)
            case _:
                pass
    return names


def level_of(sign: Sign) -> int:
    """Signs of one level stand in a row without brackets, unless they compare."""
    return _LEVELS.get(sign, _COMPARISON)


def text_of(node: Expression, least: int = _OR) -> str:
    """In brackets, if it binds less than is needed."""
    level, text = _shown(node)
    return text if level >= least else f"({text})"


def _shown(node: Expression) -> tuple[int, str]:
    match node:
        case Operation(sign):
            level = level_of(sign)
            return level, _row(node, level)
        case Negative(inner):
            return _FACTOR, f"-{text_of(inner, _FACTOR)}"
        case Negation(inner):
            return _NOT, f"not {text_of(inner, _NOT)}"
        case Every(terms):
            return _AND, " and ".join(text_of(term, _NOT) for term in terms)
        case Some(terms):
            return _OR, " or ".join(text_of(term, _AND) for term in terms)
        case OneOf(value, options):
            listed = ", ".join(map(text_of, options))
            return _COMPARISON, f"{text_of(value, _SUM)} in ({listed})"
        case Among(value, query):
            return _COMPARISON, f"{text_of(value, _SUM)} in ({query})"
        case _:
            return _FACTOR, _leaf(node)


def _row(node: Expression, level: int) -> str:
    """`a + b - c`, whose first operation stands deepest: not by recursion."""
    if level == _COMPARISON:
        assert isinstance(node, Operation)
        left, right = text_of(node.left, _SUM), text_of(node.right, _SUM)
        return f"{left} {node.sign} {right}"
    parts: list[str] = []
    while isinstance(node, Operation) and level_of(node.sign) == level:
        parts += [text_of(node.right, level + 1), node.sign]
        node = node.left
    return " ".join([text_of(node, level), *reversed(parts)])


def _leaf(node: Expression) -> str:
    match node:
        case Name(name):
            return name_text(name)
        case Text(value):
            return quoted(value)
        case Number(number):
            return number_text(number)
        case Span(seconds):
            return span_text(seconds)
        case Truth(truth):
            return "true" if truth else "false"
        case Call(function, arguments):
            return f"{function}({', '.join(map(text_of, arguments))})"
        case _:
            return "null"


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
