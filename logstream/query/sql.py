"""A tree to SQL: one boolean expression over the columns, two-valued.

It is never NULL: a field that is missing or null makes a condition FALSE, and NOT of
that TRUE. Values and names of fields are parameters, all of them.

How a field is looked at is decided in `field_tests`. For 1 000 000 entries on two cores
(DuckDB 2.0), a word takes 90 ms by `contains(lower(message), ?) AND regexp_matches(…)`,
180 by the regular expression alone, and 65 by `contains` alone.
"""

from collections.abc import Sequence
from functools import lru_cache

from logstream.core.sql import TRUE, Sql
from logstream.query.any_field import in_any_field
from logstream.query.conditions import (
    Absent,
    Always,
    Condition,
    Either,
    IdBetween,
    IdIn,
    InAnyField,
    OneOf,
    Speaks,
    TimeBetween,
)
from logstream.query.field_tests import (
    denied,
    field_test,
    may_find_structure,
    one_of_or_absent,
)
from logstream.query.fragments import join, of
from logstream.query.layouts import ANY_LAYOUT, Layout
from logstream.query.meaning import condition_of
from logstream.query.names import Path
from logstream.query.nodes import And, Expr, Not, Or, fold_tree
from logstream.query.options import with_options_merged
from logstream.query.spoken import spoken_together, word_in_message

_KEPT = 512
"""Conditions, in either form."""

MAX_CONJUNCTS = 64
"""Terms of one AND. DuckDB's planning takes the square of them, 14 s for 1 000; said
as an OR it takes 0.5 s, but is not pushed down any more."""


def sql_of(expr: Expr, layout: Layout = ANY_LAYOUT) -> Sql:
    """The SQL of a tree.

    Raises:
        BadRequest: see `condition_of`.
    """

    def visit(node: Expr, inner: Sequence[Sql]) -> Sql:
        match node:
            case And():
                return _and(inner)
            case Or(terms):
                words, others = spoken_together(terms)
                stays, merged = with_options_merged(
                    [terms[at] for at in others], [inner[at] for at in others]
                )
                made = [_condition(condition, layout) for condition in merged]
                return join(" OR ", [*([words] if words else []), *stays, *made])
            case Not(Or(terms)) if len(terms) > MAX_CONJUNCTS:
                return of("({}) IS NOT TRUE", inner[0])
            case Not(leaf):
                return _not(leaf, inner[0], layout)
            case _:
                return _condition(condition_of(node), layout)

    return fold_tree(expr, visit)


def _not(expr: Expr, made: Sql, layout: Layout) -> Sql:
    if layout.hopeful and not isinstance(expr, And | Or | Not):
        found = denied(condition_of(expr), layout)
        if found is not None:
            return found
    return of("({}) IS NOT TRUE" if layout.nullable else "NOT ({})", made)


def _and(inner: Sequence[Sql]) -> Sql:
    if len(inner) <= MAX_CONJUNCTS:
        return join(" AND ", inner)
    failed = join(" OR ", [of("NOT ({})", part) for part in inner])
    return of("({}) IS NOT TRUE", failed)


def _condition(condition: Condition, layout: Layout) -> Sql:
    """Kept where nothing is known of the entries: a query is compiled more than once,
    and queries of one program are much the same.
    """
    if layout.keys is None:
        return _kept(condition, layout)
    return _made(condition, layout)


def _made(condition: Condition, layout: Layout) -> Sql:
    match condition:
        case Always():
            return TRUE
        case Speaks(glob):
            return word_in_message(glob)
        case IdBetween(low, high):
            return Sql("id BETWEEN ? AND ?", (low, high))
        case TimeBetween(low_ns, high_ns):
            return Sql(
                "timestamp BETWEEN make_timestamp_ns(?) AND make_timestamp_ns(?)",
                (low_ns, high_ns),
            )
        case IdIn(ids):
            return Sql(f"id IN ({', '.join('?' for _ in ids)})", ids)
        case Either((OneOf(Path()) as one, *rest, Absent())) if (
            layout.hopeful and not may_find_structure(one)
        ):
            made = [_condition(other, layout) for other in rest]
            return join(" OR ", [one_of_or_absent(one, layout), *made])
        case Either(conditions):
            return join(" OR ", [_condition(one, layout) for one in conditions])
        case InAnyField():
            return in_any_field(condition)
        case _:
            return field_test(condition, layout)


_kept = lru_cache(_KEPT)(_made)
