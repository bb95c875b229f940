"""The time that every match of a tree lies in: so that storage leaves days out."""

from collections.abc import Sequence

from logstream.core.timestamps import MAX_NS, MIN_NS
from logstream.query.conditions import TimeBetween
from logstream.query.meaning import condition_of
from logstream.query.names import TIME_NAMES
from logstream.query.nodes import And, Compare, Expr, Match, Not, Or, Range, fold_tree

_ALWAYS = (MIN_NS, MAX_NS)


def span_of(expr: Expr) -> tuple[int | None, int | None]:
    """The span [from, to) in nanoseconds; None is an open end. If nothing can match,
    it ends where it begins.

    Times that depend on now are of now; see `fixed_at`.

    Raises:
        BadRequest: see `condition_of`.
    """
    low, high = fold_tree(expr, _visit)
    if low > high:
        return low, low
    return (
        None if low <= MIN_NS else low,
        None if high >= MAX_NS else high + 1,
    )


def _visit(node: Expr, inner: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The first and the last instant."""
    match node:
        case And():
            return max(low for low, _ in inner), min(high for _, high in inner)
        case Or():
            spans = [span for span in inner if span[0] <= span[1]] or [(1, 0)]
            return min(low for low, _ in spans), max(high for _, high in spans)
        case Not():
            return _ALWAYS
        case Match() | Compare() | Range() if node.field in TIME_NAMES:
            condition = condition_of(node)
            if isinstance(condition, TimeBetween):
                return condition.low_ns, condition.high_ns
        case _:
            pass
    return _ALWAYS
