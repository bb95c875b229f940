"""What finds words in messages, in SQL: one word, or one of many in a single look.

Of 94 000 messages, `a OR b OR …` of 900 words, each with a test of its own, took 20 s
on two cores; one regular expression for all takes 0.13 s. From four words on, that is
the quicker one.
"""

from collections.abc import Sequence

from logstream.core.sql import Sql
from logstream.query.conditions import Speaks
from logstream.query.fragments import join
from logstream.query.glob import Glob
from logstream.query.meaning import condition_of
from logstream.query.nodes import And, Expr, Not, Or
from logstream.query.words import Words, either_of, words_of

FEW = 4
"""Words of which it takes as many to be looked for together."""

MAX_BYTES = 8_000
"""Of words in one regular expression: 950 words of 60 characters took 0.7 s so, 6 s in
parts of 16 000 bytes and 2.8 s in parts of 2 000."""


def word_in_message(glob: Glob) -> Sql:
    """`contains` is the quicker test, and leaves little for the regular expression."""
    words = words_of(glob)
    contains = Sql("contains(lower(message), ?)", (words.needle,))
    if words.is_plain:
        return contains
    matches = Sql("regexp_matches(lower(message), ?)", (words.re2(),))
    return join(" AND ", (contains, matches)) if words.needle else matches


def spoken_together(terms: Sequence[Expr]) -> tuple[Sql | None, list[int]]:
    """One test for the many words among the terms of an OR, and where the other terms
    stand. None: they are few.

    Words with wildcards inside stay alone: many of them in one regular expression may
    be more than RE2 takes.
    """
    words = [_plain_word(term) for term in terms]
    found = [one for one in words if one is not None]
    if len(found) < FEW:
        return None, [*range(len(terms))]
    tests = [
        Sql("regexp_matches(lower(message), ?)", (either_of(part),))
        for part in _parts(found)
    ]
    return join(" OR ", tests), [at for at, one in enumerate(words) if one is None]


def _parts(words: list[Words]) -> list[list[Words]]:
    parts: list[list[Words]] = [[]]
    size = 0
    for one in words:
        length = len(one.needle.encode())
        if size + length > MAX_BYTES and parts[-1]:
            parts.append([])
            size = 0
        parts[-1].append(one)
        size += length
    return parts


def _plain_word(term: Expr) -> Words | None:
    if isinstance(term, Not | And | Or):
        return None
    condition = condition_of(term)
    if not isinstance(condition, Speaks):
        return None
    words = words_of(condition.glob)
    return words if words.runs == ((words.needle,),) else None
