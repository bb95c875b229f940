"""Doubts: what SQL of a filter cannot know of the entries that it will run over.

A piece of SQL may depend on one, and stands there with another for where there is no
doubt. As it stands it is right for any entry; whoever knows of some that they give no
reason for the doubt takes the other: so `query` and `storage` talk about it, as
strangers. The piece that is not taken is left out, for DuckDB takes longer to read it
and to throw it away than to look at 100 000 entries.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from functools import lru_cache
from itertools import compress
from typing import Final, Literal

from logstream.core.sql import Sql

DOTTED: Final = "a key with a dot"
"""Some entry may have a key with a dot at the top of its fields."""

LISTED: Final = "an array"
"""Some value in the fields, at any depth of objects, may be an array."""

NESTED: Final = "an object"
"""Some value in the fields, at any depth, may be an object."""

INFINITE: Final = "an infinite number"
"""Some number in the fields may be infinite, or none at all."""

UNTOLD: Final = "a field that is not told of"
"""Some entry may have a value where `there` does not tell of one."""

ValueKind = Literal["number", "whole", "real", "text", "truth", "scalar"]
"""Of values. A scalar is any of the others, a number may be whole (from 0 to 2^64 - 1,
written without a point) or real (written with one, or larger than that), or neither.
"""

_BEGIN = "(CASE WHEN TRUE /* {} */ THEN "
_ELSE = " /* or */ ELSE "
_END = " END /* so */)"
_MARK = re.compile(
    r"(\(CASE WHEN TRUE /\* [^*]+ \*/ THEN | /\* or \*/ ELSE | END /\* so \*/\))"
)
_VALUES = re.compile(r"'[^']*'|\?")
"""Values, and the texts in which a `?` is none."""
_THERE, _AT_ALL = " there", " at all"
_KEPT = 2048
_SETTLED_KEPT = 64
"""Texts: that of a query is the same for all days that know as much."""
_LONGEST_KEPT = 100_000
"""Characters."""


@lru_cache(_KEPT)
def other(way: tuple[str, ...], kind: ValueKind) -> str:
    """The doubt whether what these keys lead to, one in the other, is of this kind in
    each entry in which it is there and not null. No name of a user is in it.
    """
    return f"{_hashed(way)} no {kind}"


@lru_cache(_KEPT)
def there(way: tuple[str, ...]) -> str:
    """What stands among unfounded doubts for: some entry has a value there, or where
    names that differ in case only lead to.
    """
    return f"{_hashed(tuple(map(str.casefold, way)))}{_THERE}"


@lru_cache(_KEPT)
def anything(way: tuple[str, ...]) -> str:
    """The doubt whether there is a value in any entry."""
    return there(way).replace(_THERE, _AT_ALL)


def any_of(doubts: Iterable[str]) -> str:
    """One for all of these."""
    return " | ".join(doubts)


def both(doubt: str, other: str) -> str:
    """One for where there is reason for both; neither is of others."""
    return f"{doubt} & {other}"


def unless(doubt: str, doubtful: Sql, known: Sql) -> Sql:
    """What is right in any case, or else what is where there is no doubt."""
    text = f"{_BEGIN.format(doubt)}{doubtful.text}{_ELSE}{known.text}{_END}"
    return Sql(text, (*doubtful.params, *known.params))


def settled(sql: Sql, unfounded: AbstractSet[str]) -> Sql:
    """What is left of it where these doubts have no reason."""
    if not has_doubts(sql):
        return sql
    settle = _settled if len(sql.text) <= _LONGEST_KEPT else _settled.__wrapped__
    text, kept = settle(sql.text, frozenset(unfounded))
    return Sql(text, tuple(compress(sql.params, kept)))


def has_doubts(sql: Sql) -> bool:
    return _ELSE in sql.text


@lru_cache(_SETTLED_KEPT)
def _settled(text: str, unfounded: frozenset[str]) -> tuple[str, tuple[bool, ...]]:
    """Text, and which of the parameters are in it."""
    pieces: list[str] = []
    kept: list[bool] = []
    for piece, stays in _pieces(text, unfounded):
        if stays:
            pieces.append(piece)
        kept += [stays] * sum(one == "?" for one in _VALUES.findall(piece))
    return "".join(pieces), tuple(kept)


def _pieces(text: str, unfounded: frozenset[str]) -> Iterator[tuple[str, bool]]:
    """The text in pieces, and whether each stays."""
    open_ones: list[tuple[bool, bool]] = []
    stays = True
    for at, piece in enumerate(_MARK.split(text)):
        if at % 2 == 0:
            yield piece, stays
        elif piece == _ELSE:
            around, doubted = open_ones[-1]
            stays = around and not doubted
        elif piece == _END:
            stays, _ = open_ones.pop()
            yield ")", stays
        else:
            yield "(", stays
            doubted = _is_founded(piece.split(" */")[0].partition("/* ")[2], unfounded)
            open_ones.append((stays, doubted))
            stays = stays and doubted


def _is_founded(doubt: str, unfounded: frozenset[str]) -> bool:
    return any(
        not any(_is_settled(one, unfounded) for one in each.split(" & "))
        for each in doubt.split(" | ")
    )


def _is_settled(doubt: str, unfounded: frozenset[str]) -> bool:
    if doubt.endswith(_AT_ALL):
        told = doubt.removesuffix(_AT_ALL) + _THERE
        return UNTOLD in unfounded and told not in unfounded
    return doubt in unfounded


def _hashed(way: tuple[str, ...]) -> str:
    return hashlib.blake2b(ascii(way).encode(), digest_size=8).hexdigest()
