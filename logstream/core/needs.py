"""What an entry must hold to satisfy a filter: how `query` tells `storage` where not to
look, as strangers.

A need is a condition that every match fulfils, and others may. None stands for a filter
of which nothing is known. A need is never the filter itself: what passes it is tested.
"""

import re
from typing import Final

import msgspec

WORD_CHARS: Final = "a-z0-9_"
"""Of a word, in a folded message: a word is a longest run of these."""

_UNSURE = re.compile(
    r"-?[0-9]*\.[0-9]*(e[+-]?[0-9]+)?|-?[0-9.]+e[+-]?[0-9]+", re.IGNORECASE
)
_WHOLE = re.compile(r"-?[0-9]{1,15}\.0")


class Word(msgspec.Struct, frozen=True):
    """The folded message holds this as a whole word."""

    word: str


class Value(msgspec.Struct, frozen=True):
    """A column (`source`, `level`), or the field of a dotted name, has this text."""

    name: str
    text: str


class AllOf(msgspec.Struct, frozen=True):
    needs: "tuple[Need, ...]"


class AnyOf(msgspec.Struct, frozen=True):
    """Of none: no entry matches."""

    needs: "tuple[Need, ...]"


Need = Word | Value | AllOf | AnyOf


def is_indexed(text: str) -> bool:
    """Whether an index has this text of a value.

    Not fractions and exponents, which are measurements that nobody looks up and may be
    spelt in two ways, nor objects and arrays.
    """
    if text.startswith(("{", "[")):
        return False
    return _UNSURE.fullmatch(text) is None or _WHOLE.fullmatch(text) is not None


def all_of(needs: "list[Need | None]") -> Need | None:
    """Every one of them; those of which nothing is known do not narrow it."""
    known = [need for need in needs if need is not None]
    if len(known) < 2:
        return known[0] if known else None
    return AllOf(tuple(known))


def any_of(needs: "list[Need | None]") -> Need | None:
    """At least one of them: nothing is known if one is not."""
    known = [need for need in needs if need is not None]
    if len(known) < len(needs):
        return None
    return known[0] if len(known) == 1 else AnyOf(tuple(known))
