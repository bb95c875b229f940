"""Names: which part of an entry `name:` is about.

Five names are the entry's own columns; any other is a field. In front of a field's
name, `fields.` may stand, and makes sure that it is a field: `fields.id:7`.
"""

from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Literal, get_args

import msgspec

from logstream.core.errors import BadRequest

ColumnName = Literal["timestamp", "source", "level", "message", "id"]
COLUMN_NAMES: tuple[ColumnName, ...] = get_args(ColumnName)

ALIASES: dict[str, ColumnName] = {"_time": "timestamp", "_msg": "message"}
"""As other query languages call them."""

TIME_NAMES = ("timestamp", "_time")
"""All names of the one column."""

FIELDS_PREFIX = "fields."
_KEPT = 512
"""Names: each is asked for several times in a query."""
MAX_PARTS = 64
"""Of a dotted name: each is a call inside a call, in SQL."""


class Column(msgspec.Struct, frozen=True):
    name: ColumnName


class Path(msgspec.Struct, frozen=True):
    """Where a field's value may be: the first way that leads to one counts.

    `a.b` is the key `b` of the object `a`, or else the key `a.b`.
    """

    ways: tuple[tuple[str, ...], ...]

    @property
    def name(self) -> str:
        """With its dots; the last way is the whole name."""
        return self.ways[-1][0]

    def among(self, keys: AbstractSet[str] | None) -> "Path":
        """Without the ways that no entry has; `keys` are all keys at the top."""
        if keys is None:
            return self
        return Path(tuple(way for way in self.ways if way[0] in keys))


Subject = Column | Path


@lru_cache(_KEPT)
def subject_of(name: str) -> Subject:
    """What a name means.

    Raises:
        BadRequest: more dots than an entry can be deep.
    """
    if name in COLUMN_NAMES:
        return Column(name)
    if name in ALIASES:
        return Column(ALIASES[name])
    name = name.removeprefix(FIELDS_PREFIX)
    parts = tuple(name.split("."))
    if len(parts) > MAX_PARTS:
        raise BadRequest(f"A name has at most {MAX_PARTS} parts, this {len(parts)}.")
    return Path((parts, (name,)) if len(parts) > 1 else (parts,))
