"""A text with wildcards: what a bare word is, and a value after `field:`."""

from enum import Enum
from itertools import groupby

import msgspec

from logstream.core.errors import BadRequest
from logstream.query import quoting


class Wild(Enum):
    ANY = "*"
    """Any number of characters, none too."""
    ONE = "?"
    """Exactly one character."""


Part = str | Wild


class Glob(msgspec.Struct, frozen=True):
    """Literal pieces and wildcards, in normal form: make one with `glob_of`.

    Normal form: no empty piece, no two pieces side by side, no two ANY side by side.
    """

    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        if self.parts != _normal(self.parts):
            raise BadRequest("This glob is not in normal form: use glob_of().")
        for part in self.parts:
            if isinstance(part, str):
                quoting.check_text(part)

    @property
    def literal(self) -> str | None:
        """The text, when there is no wildcard in it."""
        match self.parts:
            case ():
                return ""
            case (str(text),):
                return text
            case _:
                return None

    @property
    def is_any(self) -> bool:
        """Whether it is `*` alone."""
        return self.parts == (Wild.ANY,)

    def __str__(self) -> str:
        text = self.literal
        return self._with_wildcards() if text is None else quoting.word(text)

    def _with_wildcards(self) -> str:
        text = "".join(
            part.value if isinstance(part, Wild) else quoting.escaped(part)
            for part in self.parts
        )
        return "\\" + text if text.startswith(("-", "/")) else text


def glob_of(*parts: Part) -> Glob:
    """A glob of pieces in any form."""
    return Glob(_normal(parts))


def _normal(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    if len(parts) == 1:
        return parts if parts[0] else ()
    normal: list[Part] = []
    for is_text, group in groupby(parts, key=lambda part: isinstance(part, str)):
        if is_text:
            text = "".join(part for part in group if isinstance(part, str))
            normal.extend([text] if text else [])
            continue
        for wild in group:
            if wild is Wild.ONE or normal[-1:] != [Wild.ANY]:
                normal.append(wild)
    return tuple(normal)
