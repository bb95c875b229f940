"""The syntax tree of a query, drawn: what EXPLAIN gives as JSON.

query
├─ filter: compare status >= 500
└─ stats
   ├─ aggregate count as n
   └─ …
"""

from collections.abc import Iterator
from typing import Any

Node = dict[str, Any]


def drawn(tree: Node) -> list[str]:
    """Its lines."""
    return [_label("", tree), *_below(tree, "")]


def _below(node: Node, indent: str) -> Iterator[str]:
    children = list(_children(node))
    for at, (name, child) in enumerate(children):
        is_last = at == len(children) - 1
        yield f"{indent}{'└─ ' if is_last else '├─ '}{_label(name, child)}"
        yield from _below(child, indent + ("   " if is_last else "│  "))


def _children(node: Node) -> Iterator[tuple[str, Node]]:
    for name, value in node.items():
        if isinstance(value, dict):
            yield name, value
        elif isinstance(value, list):
            for one in value:
                if isinstance(one, dict):
                    yield "", one
                elif isinstance(one, list) and isinstance(one[-1], dict):
                    yield str(one[0]), one[-1]


def _label(name: str, node: Node) -> str:
    words = [str(node["node"])]
    for key, value in node.items():
        if key != "node" and (shown := _shown(value)) is not None:
            words.append(shown if key in _PLAIN else f"{key}={shown}")
    text = " ".join(words)
    return f"{name}: {text}" if name else text


_PLAIN = frozenset({"field", "operator", "value", "glob", "name", "function", "sign"})
"""What needs no name in front."""


def _shown(value: Any) -> str | None:
    """In one line; None: it is below."""
    match value:
        case dict():
            return None
        case bool():
            return "yes" if value else "no"
        case list():
            parts = [_pair(one) for one in value]
            is_below = not parts or None in parts
            return None if is_below else ", ".join(map(str, parts))
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _pair(value: Any) -> str | None:
    match value:
        case [str() as old, str() as new]:
            return old if old == new else f"{old} as {new}"
        case str() | int() | float():
            return str(value)
        case _:
            return None
