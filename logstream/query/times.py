"""The times in a tree: made absolute, and moved."""

from collections.abc import Callable, Sequence
from operator import is_

from logstream.core.timestamps import MAX_NS, MIN_NS, format_ns
from logstream.query.bounds import ends_of, times_between
from logstream.query.conditions import TimeBetween
from logstream.query.glob import Glob
from logstream.query.instants import is_relative
from logstream.query.meaning import condition_of
from logstream.query.names import TIME_NAMES
from logstream.query.nodes import (
    And,
    Bound,
    Compare,
    Expr,
    Leaf,
    Match,
    Not,
    Or,
    Range,
    children_of,
    fold_tree,
)

_TIMES = Match | Compare | Range


def fixed_at(expr: Expr, now_ns: int) -> Expr:
    """The tree with an instant for each time that depends on now."""
    return _with_times(expr, lambda leaf: _fixed(leaf, now_ns))


def earlier(expr: Expr, shift_ns: int) -> Expr:
    """The tree with all times so much earlier; to be fixed before.

    Raises:
        BadRequest: see `condition_of`.
    """

    def moved(leaf: _TIMES) -> Leaf:
        condition = condition_of(leaf)
        assert isinstance(condition, TimeBetween)
        low, high = condition.low_ns, condition.high_ns
        if low <= MIN_NS and high >= MAX_NS:
            return leaf
        return Range(
            "timestamp",
            None if low <= MIN_NS else _instant(low - shift_ns),
            None if high >= MAX_NS else _instant(high - shift_ns),
        )

    return _with_times(expr, moved)


def _with_times(expr: Expr, change: Callable[[_TIMES], Leaf]) -> Expr:
    def visit(node: Expr, inner: Sequence[Expr]) -> Expr:
        if inner and all(map(is_, children_of(node), inner)):
            return node
        match node:
            case And():
                return And(tuple(inner))
            case Or():
                return Or(tuple(inner))
            case Not():
                return Not(inner[0])
            case Match() | Compare() | Range() if node.field in TIME_NAMES:
                return change(node)
            case _:
                return node

    return fold_tree(expr, visit)


def _fixed(leaf: _TIMES, now_ns: int) -> Leaf:
    match leaf:
        case Match(_, Glob((str(value),))):
            ends: tuple[Bound | None, Bound | None] = Bound(value), Bound(value)
        case Compare(_, "=", value):
            ends = Bound(value), Bound(value)
        case Compare(_, operator, value):
            ends = ends_of(operator, value)
        case Range(_, low, high):
            ends = low, high
        case _:
            return leaf
    if not any(bound is not None and is_relative(bound.value) for bound in ends):
        return leaf
    low_ns, high_ns = times_between(*ends, now_ns)
    # A range that holds nothing stays one, whatever its ends.
    return Range("timestamp", _instant(low_ns), _instant(high_ns))


def _instant(ns: int) -> Bound:
    return Bound(format_ns(min(max(ns, MIN_NS), MAX_NS - 1)))
