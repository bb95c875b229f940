"""`x:1 OR x:2 OR …` is one look at `x`, not many: in SQL an `IN`, in Python a set."""

from collections.abc import Sequence
from typing import TypeVar

from logstream.query.conditions import OneOf
from logstream.query.meaning import condition_of
from logstream.query.names import Subject
from logstream.query.nodes import And, Expr, Not, Or

T = TypeVar("T")


def with_options_merged(
    terms: Sequence[Expr], inner: Sequence[T]
) -> tuple[list[T], list[OneOf]]:
    """Split what an OR is of.

    Args:
        terms: Of the OR.
        inner: What was made of each.

    Returns:
        Of `inner`, what stays; and the tests of texts that stand for the rest.
    """
    stays: list[T] = []
    texts: dict[Subject, dict[str, None]] = {}
    for term, made in zip(terms, inner, strict=True):
        if isinstance(term, Not | And | Or):
            stays.append(made)
            continue
        condition = condition_of(term)
        if isinstance(condition, OneOf):
            known = texts.setdefault(condition.subject, {})
            known.update(dict.fromkeys(condition.texts))
        else:
            stays.append(made)
    return stays, [OneOf(subject, tuple(known)) for subject, known in texts.items()]
