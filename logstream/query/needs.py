"""What every match of a tree must hold: for a skip index, which knows where it may be.

Conservative: of what cannot be said for sure, nothing is said (None). Of a negation
nothing ever is.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from logstream.core.needs import (
    WORD_CHARS,
    Need,
    Value,
    Word,
    all_of,
    any_of,
    is_indexed,
)
from logstream.query.conditions import Condition, Either, Fits, Like, OneOf, Speaks
from logstream.query.folding import fold
from logstream.query.glob import Glob, glob_of
from logstream.query.meaning import condition_of
from logstream.query.names import COLUMN_NAMES, Column, Subject
from logstream.query.nodes import And, Expr, Not, Or, fold_tree
from logstream.query.pattern_needs import words_of_pattern

_WORDS = re.compile(f"[{WORD_CHARS}]+")
_KEPT = 512
"""Conditions, as `meaning` keeps them."""
MAX_NEEDS = 200
"""Texts of one `field:(a OR b OR …)` beyond which nothing is said."""


def needs_of(expr: Expr) -> Need | None:
    """What an entry must hold to match; None: nothing is known.

    Raises:
        BadRequest: see `condition_of`.
    """
    return fold_tree(expr, _visit)


def _visit(node: Expr, inner: Sequence[Need | None]) -> Need | None:
    match node:
        case And():
            return all_of(list(inner))
        case Or():
            return any_of(list(inner))
        case Not():
            return None
        case _:
            pass
    return _need(condition_of(node))


@lru_cache(_KEPT)
def _need(condition: Condition) -> Need | None:
    match condition:
        case Either(conditions):
            return any_of([_need(one) for one in conditions])
        case Speaks(glob):
            return _words(glob)
        case OneOf(subject, texts):
            return _texts(subject, texts)
        case Fits(Column("message"), pattern):
            words: list[Need | None] = [*map(Word, words_of_pattern(pattern))]
            return all_of(words)
        case Like(Column("message"), glob):
            return _words(_folded(glob))
        case _:
            return None


def _words(glob: Glob) -> Need | None:
    """Words that stand whole in it: not those that a wildcard may go on with."""
    needs: list[Need | None] = []
    last = len(glob.parts) - 1
    for at, part in enumerate(glob.parts):
        if not isinstance(part, str):
            continue
        for found in _WORDS.finditer(part):
            begins = found.start() > 0 or at == 0
            ends = found.end() < len(part) or at == last
            if begins and ends:
                needs.append(Word(found[0]))
    return all_of(list(dict.fromkeys(needs)))


def _texts(subject: Subject, texts: tuple[str, ...]) -> Need | None:
    if len(texts) > MAX_NEEDS:
        return None
    return any_of([_text(subject, text) for text in texts])


def _text(subject: Subject, text: str) -> Need | None:
    if not isinstance(subject, Column):
        # The last way is the whole name, dots and all.
        name = subject.ways[-1][0]
        if name in COLUMN_NAMES or not is_indexed(text):
            return None  # a `Value` of such a name is of the column
        return Value(name, text)
    match subject.name:
        case "message":
            return _words(glob_of(fold(text)))
        case "source" | "level":
            return Value(subject.name, text)
        case _:
            return None


def _folded(glob: Glob) -> Glob:
    return glob_of(*(fold(p) if isinstance(p, str) else p for p in glob.parts))
