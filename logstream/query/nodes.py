"""The syntax tree: frozen nodes that print as canonical query text.

`parse(str(node)) == node` for every node that can be made; what could not be read
back is refused when it is made. Walk a tree with `fold_tree`, never by recursion: a
tree may be as deep as its text allows.
"""

import re
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar, assert_never, cast, get_args

import msgspec

from logstream.core.errors import BadRequest
from logstream.query.glob import Glob
from logstream.query.quoting import check_text, quoted, word

Operator = Literal["=", ">", ">=", "<", "<="]
OPERATORS: tuple[Operator, ...] = get_args(Operator)
_LEADING_FLAGS = re.compile(r"\(\?([a-zA-Z]+)\)")

T = TypeVar("T")


class _Node(msgspec.Struct, frozen=True):
    def __str__(self) -> str:
        """Canonical text: the parser makes an equal tree of it."""
        return fold_tree(cast("Expr", self), _text_of)


class All(_Node, frozen=True):
    """`*`: every entry."""


class Says(_Node, frozen=True):
    """`word`, `"a phrase"`, `wor*`: in the message, without regard to case."""

    glob: Glob

    def __post_init__(self) -> None:
        if not self.glob.parts or self.glob.is_any:
            raise BadRequest("A word to look for needs at least one character.")


class Match(_Node, frozen=True):
    """`field:value`, with or without wildcards."""

    field: str
    glob: Glob

    def __post_init__(self) -> None:
        check_text(self.field)
        if self.glob.is_any:
            raise BadRequest("Use Exists for a value that may be anything.")


class Compare(_Node, frozen=True):
    """`field:>=value`. Wildcards in the value stand for themselves."""

    field: str
    operator: Operator
    value: str

    def __post_init__(self) -> None:
        check_text(self.field)
        check_text(self.value)
        if self.operator not in OPERATORS:
            raise BadRequest(f"There is no operator {self.operator!r}.")


class Bound(msgspec.Struct, frozen=True):
    """One end of a range."""

    value: str
    inclusive: bool = True

    def __post_init__(self) -> None:
        check_text(self.value)


class Range(_Node, frozen=True):
    """`field:[low TO high]`; None is an open end."""

    field: str
    low: Bound | None
    high: Bound | None

    def __post_init__(self) -> None:
        check_text(self.field)
        if self.low is None and self.high is None:
            raise BadRequest("A range needs at least one end: use Exists.")


class Exists(_Node, frozen=True):
    """`field:*`: it is there and is not null."""

    field: str

    def __post_init__(self) -> None:
        check_text(self.field)


class In(_Node, frozen=True):
    """`field:in(a, b)`: the whole value is one of these, as in `field:a`. Wildcards
    stand for themselves.
    """

    field: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        check_text(self.field)
        for value in self.values:
            check_text(value)
        if not self.values:
            raise BadRequest("A list of values to find needs at least one.")


class Regex(_Node, frozen=True):
    """`field:/pattern/flags`: found anywhere in the value. `/pattern/` is of `message`.

    The flags are in order, and not in the pattern: `(?i)` in front of it becomes one.
    """

    field: str
    pattern: str
    flags: str = ""
    """`i`: letters of any case; `s`: `.` also finds a newline."""

    def __post_init__(self) -> None:
        check_text(self.field)
        check_text(self.pattern)
        pattern, flags = self.pattern, self.flags
        if found := _LEADING_FLAGS.match(pattern):
            pattern, flags = pattern[found.end() :], flags + found[1]
        if set(flags) - {"i", "s"}:
            raise BadRequest("A regular expression takes the flags i and s.")
        if not pattern:
            raise BadRequest("A regular expression needs at least one character.")
        if _LEADING_FLAGS.match(pattern):
            raise BadRequest("A regular expression has its flags in one place.")
        msgspec.structs.force_setattr(self, "pattern", pattern)
        msgspec.structs.force_setattr(self, "flags", "".join(sorted(set(flags))))


class Anywhere(_Node, frozen=True):
    """`*:value`: in the message, or the source, the level or any value in a field."""

    glob: Glob

    def __post_init__(self) -> None:
        if not self.glob.parts or self.glob.is_any:
            raise BadRequest("A value to look for needs at least one character.")


class Not(_Node, frozen=True):
    inner: "Expr"


class And(_Node, frozen=True):
    """Flat, of two or more: make one with `all_of`."""

    terms: tuple["Expr", ...]

    def __post_init__(self) -> None:
        if len(self.terms) < 2 or any(isinstance(term, And) for term in self.terms):
            raise BadRequest("An And is flat and has two or more terms: use all_of().")


class Or(_Node, frozen=True):
    """Flat, of two or more: make one with `any_of`."""

    terms: tuple["Expr", ...]

    def __post_init__(self) -> None:
        if len(self.terms) < 2 or any(isinstance(term, Or) for term in self.terms):
            raise BadRequest("An Or is flat and has two or more terms: use any_of().")


Leaf = All | Says | Match | Compare | Range | Exists | In | Regex | Anywhere
Expr = Leaf | Not | And | Or


def all_of(*terms: Expr) -> Expr:
    """Every term holds. Of none: All; of one: that one."""
    flat: list[Expr] = []
    for term in terms:
        flat.extend(term.terms if isinstance(term, And) else (term,))
    if len(flat) < 2:
        return flat[0] if flat else All()
    return And(tuple(flat))


def any_of(*terms: Expr) -> Expr:
    """At least one term holds. Of none: nothing does; of one: that one."""
    flat: list[Expr] = []
    for term in terms:
        flat.extend(term.terms if isinstance(term, Or) else (term,))
    if len(flat) < 2:
        return flat[0] if flat else Not(All())
    return Or(tuple(flat))


def children_of(expr: Expr) -> tuple[Expr, ...]:
    match expr:
        case And(terms) | Or(terms):
            return terms
        case Not(inner):
            return (inner,)
        case _:
            return ()


_INNER = frozenset({And, Or, Not})


def fold_tree(expr: Expr, visit: Callable[[Expr, Sequence[T]], T]) -> T:
    """Visit each node after its children, with what the visits of those returned."""
    done: list[T] = []
    todo: list[tuple[Expr, int]] = [(expr, 0)]
    while todo:
        node, count = todo.pop()
        if count:
            result = visit(node, done[-count:])
            del done[-count:]
            done.append(result)
        elif type(node) in _INNER and (children := children_of(node)):
            if _INNER.isdisjoint(map(type, children)):
                done.append(visit(node, [visit(child, ()) for child in children]))
                continue
            todo.append((node, len(children)))
            todo.extend([(child, 0) for child in reversed(children)])
        else:
            done.append(visit(node, ()))
    return done[0]


def _text_of(node: Expr, inner: Sequence[str]) -> str:
    match node:
        case And(terms):
            return " AND ".join(map(_in_and, terms, inner))
        case Or():
            return " OR ".join(inner)
        case Not(term):
            grouped = isinstance(term, And | Or)
            return f"NOT ({inner[0]})" if grouped else f"NOT {inner[0]}"
        case _:
            return _text_of_leaf(node)


def _in_and(term: Expr, text: str) -> str:
    return f"({text})" if isinstance(term, Or) else text


def _text_of_leaf(leaf: Leaf) -> str:
    match leaf:
        case All():
            return "*"
        case Says(glob):
            return str(glob)
        case Match(field, glob):
            return f"{word(field)}:{glob}"
        case Compare(field, operator, value):
            return f"{word(field)}:{operator}{word(value)}"
        case Range(field, low, high):
            opening = "{" if low and not low.inclusive else "["
            closing = "}" if high and not high.inclusive else "]"
            return f"{word(field)}:{opening}{_end(low)} TO {_end(high)}{closing}"
        case Exists(field):
            return f"{word(field)}:*"
        case In(field, values):
            return f"{word(field)}:in({', '.join(map(word, values))})"
        case Regex(field, pattern, flags):
            name = f"{word(field)}:~"
            return name + quoted(f"(?{flags})" * bool(flags) + pattern)
        case Anywhere(glob):
            return f"*:{glob}"
        case _:
            assert_never(leaf)


def _end(bound: Bound | None) -> str:
    return "*" if bound is None else word(bound.value)
