"""What a query may have been meant as: for errors, and for who finds nothing.

What other languages write as `a=b`, `or` and `!a` are words to look for here.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from logstream.config.nearest import nearest
from logstream.core.errors import BadRequest, QuerySyntaxError
from logstream.core.levels import LEVEL_BY_NAME
from logstream.query.builder import PlanBuilder
from logstream.query.names import ALIASES, COLUMN_NAMES, FIELDS_PREFIX
from logstream.query.nodes import Expr, Leaf, Match, Says, fold_tree
from logstream.query.query import Query, parse_query

_COMPARED = re.compile(r"([A-Za-z_][\w.@-]*)(==?|!=|>=|<=|[<>])(.+)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][\w.@-]*")
_SIGNS = {"=": "", "==": "", "!=": "", ">": ">", ">=": ">=", "<": "<", "<=": "<="}
_WORDS = {"or": "OR", "and": "AND", "not": "NOT", "||": "OR", "&&": "AND"}
_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)\.\.\.?(-?\d+(?:\.\d+)?)")
_LIST = re.compile(r"[\w.-]+(?:,[\w.-]+)+")
_LEVELS = [name for name in LEVEL_BY_NAME if len(name) > 3]


def advice(text: str) -> list[str]:
    """What to say about a query that finds nothing, if anything."""
    try:
        expr = parse_query(text).expr
    except QuerySyntaxError:
        return []
    leaves = _leaves(expr)
    found = [said for leaf in leaves for said in _of_leaf(leaf)]
    found += _of_row(leaves)
    found = list(dict.fromkeys(found))
    if text.lower().lstrip().startswith("select "):
        found.append("for SQL there is `logstream sql`")
    return found


def unknown_fields(text: str, known: Iterable[str]) -> list[str]:
    """What to say about fields that a query asks for and that no entry has.

    Args:
        known: The names of fields that the newest entries have.
    """
    try:
        asked = _asked(parse_query(text))
    except (QuerySyntaxError, BadRequest):
        return []
    names = {*known, *COLUMN_NAMES, *ALIASES}
    whole = {name[:at] for name in names for at in _dots(name)}
    found = []
    for name in asked:
        if name in names or name in whole:
            continue
        near = nearest(name, names)
        meant = f": did you mean {near}?" if near else ""
        if not near and re.search(rf"[=<>]\s*{re.escape(name)}\b", text):
            meant = ": a text stands in quotes"
        found.append(f"no recent entry has `{name}`{meant}")
    return found


def _asked(query: Query) -> list[str]:
    builder = PlanBuilder()
    query.table(builder)
    return [*dict.fromkeys((*_fields(query.expr), *builder.fields))]


def _fields(expr: Expr) -> Iterator[str]:
    for leaf in _leaves(expr):
        if isinstance(name := getattr(leaf, "field", None), str):
            yield name.removeprefix(FIELDS_PREFIX)


def _dots(name: str) -> Iterator[int]:
    return (at for at, character in enumerate(name) if character == ".")


def _of_leaf(leaf: Leaf) -> Iterator[str]:
    match leaf:
        case Says(glob) if (word := glob.literal) is not None:
            if word in _WORDS:
                yield f"`{word}` is a word to look for: write {_WORDS[word]}"
            elif word.startswith("!") and len(word) > 1:
                yield f"`{word}` is a text to look for: write -{word[1:]}"
            elif "*" in word:
                yield f"`{word}` is a text: a star in quotes stands for itself"
            elif compared := _COMPARED.fullmatch(word):
                field = _field(*compared.groups())
                yield f"`{word}` is a text to look for: write {field}"
        case Match(field) if field.startswith("!"):
            yield f"`{field}` is a name: write -{field[1:]}:…"
        case Match(field, glob) if (value := glob.literal) is not None:
            yield from _of_value(field, value)
        case _:
            pass


def _of_value(field: str, value: str) -> Iterator[str]:
    if found := _RANGE.fullmatch(value):
        yield f"`{value}` is a text: write {field}:[{found[1]} TO {found[2]}]"
    if value.startswith("!"):
        yield f"`{value}` is a text: write -{field}:{value.lstrip('!=') or '…'}"
    if _LIST.fullmatch(value):
        yield f"`{value}` is a text: write {field}:in({', '.join(value.split(','))})"
    if "*" in value:
        yield f"`{value}` is a text: a star in quotes stands for itself"
    is_other = field == "level" and value.lower() not in LEVEL_BY_NAME
    if is_other and (near := nearest(value, _LEVELS)):
        yield f"`{value}` is a level of its own: did you mean {near}?"


def _of_row(leaves: Sequence[Leaf]) -> Iterator[str]:
    """Of `a = b`, which are three words."""
    words = [one.glob.literal or "" if isinstance(one, Says) else "" for one in leaves]
    for (name, sign), (_, value) in pairwise(pairwise(words)):
        if sign in _SIGNS and _NAME.fullmatch(name) and value:
            field = _field(name, sign, value)
            yield f"`{name} {sign} {value}` are words to look for: write {field}"


def _field(name: str, sign: str, value: str) -> str:
    minus = "-" if sign == "!=" else ""
    return f"{minus}{name}:{_SIGNS.get(sign, sign)}{value}"


def _leaves(expr: Expr) -> list[Leaf]:
    found: list[Leaf] = []

    def visit(node: Expr, inner: object) -> None:
        if not inner:
            found.append(node)  # type: ignore[arg-type]

    fold_tree(expr, visit)
    return found
