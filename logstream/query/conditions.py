"""Conditions: what leaves of the tree come to, with nothing left to decide.

Those of fields hold for the value, or, where it is an array, for any of its elements
that is no array or object itself.
"""

import msgspec

from logstream.query.glob import Glob
from logstream.query.names import Path, Subject
from logstream.query.networks import Network
from logstream.query.nodes import Bound
from logstream.query.quantities import Kind
from logstream.query.regexps import Pattern


class Always(msgspec.Struct, frozen=True):
    """Whatever the entry is."""


class Speaks(msgspec.Struct, frozen=True):
    """The message holds the words. `glob` is folded."""

    glob: Glob


class Present(msgspec.Struct, frozen=True):
    """A value is there, of any kind but null."""

    path: Path


class OneOf(msgspec.Struct, frozen=True):
    """The value's text is one of these."""

    subject: Subject
    texts: tuple[str, ...]


class Like(msgspec.Struct, frozen=True):
    """The whole of the value's text fits the pattern, which has wildcards."""

    subject: Subject
    glob: Glob


class TextBetween(msgspec.Struct, frozen=True):
    """The value's text lies between, by code points. At least one end is given."""

    subject: Subject
    low: Bound | None
    high: Bound | None


class NumberBetween(msgspec.Struct, frozen=True):
    """The value is a finite number, or a text that is one, from low to high."""

    path: Path
    low: float
    high: float


class IdBetween(msgspec.Struct, frozen=True):
    low: int
    high: int


class TimeBetween(msgspec.Struct, frozen=True):
    low_ns: int
    high_ns: int


class IdIn(msgspec.Struct, frozen=True):
    ids: tuple[int, ...]


class Absent(msgspec.Struct, frozen=True):
    """There is no value, or it is null."""

    path: Path


class Fits(msgspec.Struct, frozen=True):
    """The pattern is found in the value's text."""

    subject: Subject
    pattern: Pattern


class QuantityBetween(msgspec.Struct, frozen=True):
    """The value is a length of time or a size, from low to high."""

    subject: Path
    kind: Kind
    scale: float
    """Of a plain number; see `quantities`."""
    low: float
    high: float


class InNetwork(msgspec.Struct, frozen=True):
    """The value's text is the text of the network, or an address in it."""

    subject: Path
    text: str
    network: Network


class InAnyField(msgspec.Struct, frozen=True):
    """Any value in `fields`, at any depth, is one of the texts, or fits the glob."""

    texts: tuple[str, ...]
    glob: Glob | None


class Either(msgspec.Struct, frozen=True):
    """One of several holds."""

    conditions: "tuple[Condition, ...]"


OfText = OneOf | Like | TextBetween | Fits | QuantityBetween | InNetwork
"""Conditions on the text of a value, or of any element of an array."""

Condition = (
    Always
    | Speaks
    | Present
    | OneOf
    | Like
    | TextBetween
    | NumberBetween
    | IdBetween
    | TimeBetween
    | IdIn
    | Absent
    | Fits
    | QuantityBetween
    | InNetwork
    | InAnyField
    | Either
)
