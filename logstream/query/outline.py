"""The syntax tree as plain data, for EXPLAIN."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from logstream.query.glob import Glob, Wild
from logstream.query.nodes import And, Expr, Not, Or, fold_tree
from logstream.query.query import Query

_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


def outline(query: Query) -> dict[str, Any]:
    """`{"node": "query", "filter": …, "pipes": […]}`, of what JSON has.

    Each node has its name under `node`, and what it is made of; what is not given is
    left out.
    """
    return {
        "node": "query",
        "filter": _filter(query.expr),
        "pipes": [_pipe(pipe) for pipe in query.pipes],
    }


def _pipe(pipe: object) -> Any:
    try:
        return _outline(pipe)
    except RecursionError:
        return {"node": "too_deep", "text": str(pipe)}


def _filter(expr: Expr) -> Any:
    """Not by recursion: it may be deep."""
    return fold_tree(expr, _visit)


def _visit(node: Expr, inner: Sequence[Any]) -> Any:
    match node:
        case And() | Or():
            return {"node": _name(node), "terms": list(inner)}
        case Not():
            return {"node": "not", "inner": inner[0]}
        case _:
            return _outline(node)


def _outline(value: Any) -> Any:
    match value:
        case Query():
            return outline(value)
        case And() | Or() | Not():
            return _filter(value)
        case Glob(parts):
            return "".join(p.value if isinstance(p, Wild) else p for p in parts)
        case msgspec.Struct():
            fields = {name: getattr(value, name) for name in value.__struct_fields__}
            made = {
                name: _outline(one)
                for name, one in fields.items()
                if one is not None and one not in ((), "")
            }
            return {"node": _name(value), **made}
        case tuple():
            return [_outline(one) for one in value]
        case _:
            return value


def _name(node: msgspec.Struct) -> str:
    """`GroupKey` is `group_key`."""
    return _CAPITAL.sub("_", type(node).__name__).lower()
