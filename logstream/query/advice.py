"""What a query may have been meant as: for errors, and for who finds nothing.

What other languages write as `a=b`, `or` and `!a` are words to look for here.
"""

import re
from collections.abc import Iterator

from logstream.core.errors import QuerySyntaxError
from logstream.query.nodes import Expr, Leaf, Match, Says, fold_tree
from logstream.query.query import parse_query

_COMPARED = re.compile(r"([A-Za-z_][\w.@-]*)(==?|!=|>=|<=|[<>])(.+)", re.DOTALL)
_SIGNS = {"=": "", "==": "", "!=": ""}
_WORDS = {"or": "OR", "and": "AND", "not": "NOT", "||": "OR", "&&": "AND"}


def advice(text: str) -> list[str]:
    """What to say about a query that finds nothing, if anything."""
    try:
        expr = parse_query(text).expr
    except QuerySyntaxError:
        return []
    found = list(dict.fromkeys(_advice(expr)))
    if text.lower().lstrip().startswith("select "):
        found.append("for SQL there is `logstream sql`")
    return found


def _advice(expr: Expr) -> Iterator[str]:
    for leaf in _leaves(expr):
        match leaf:
            case Says(glob) if (word := glob.literal) is not None:
                if word in _WORDS:
                    yield f"`{word}` is a word to look for: write {_WORDS[word]}"
                elif word.startswith("!") and len(word) > 1:
                    yield f"`{word}` is a text to look for: write -{word[1:]}"
                elif compared := _COMPARED.fullmatch(word):
                    field = _field(*compared.groups())
                    yield f"`{word}` is a text to look for: write {field}"
            case Match(field) if field.startswith("!"):
                yield f"`{field}` is a name: write -{field[1:]}:…"
            case _:
                pass


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
