"""Doubts: what SQL of a filter cannot know of the entries that it will run over.

Each is a constant in its text, true as it stands. Whoever knows that the entries give
no reason for it makes it FALSE, and DuckDB leaves out what hangs on it: so `query` and
`storage` talk about it, as strangers. What stands in the constant is its name.
"""

import hashlib
import re
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Final, Literal

DOTTED_NAME: Final = "a key with a dot"
LISTED_NAME: Final = "an array"
NESTED_NAME: Final = "an object"
INFINITE_NAME: Final = "an infinite number"

DOTTED: Final = f"(TRUE /* {DOTTED_NAME} */)"
"""Some entry may have a key with a dot at the top of its fields."""

LISTED: Final = f"(TRUE /* {LISTED_NAME} */)"
"""Some value in the fields, at any depth of objects, may be an array."""

NESTED: Final = f"(TRUE /* {NESTED_NAME} */)"
"""Some value in the fields, at any depth, may be an object."""

INFINITE: Final = f"(TRUE /* {INFINITE_NAME} */)"
"""Some number in the fields may be infinite, or none at all."""

ValueKind = Literal["number", "text", "truth", "scalar"]
"""Of values; a scalar is any of the others."""

_DOUBT = re.compile(r"\(TRUE /\* ([^*]+) \*/\)")
_KEPT = 2048


@lru_cache(_KEPT)
def other_name(way: tuple[str, ...], kind: ValueKind) -> str:
    """Of the doubt whether what these keys lead to, one in the other, is of this kind
    in each entry in which it is there and not null. No name of a user is in it.
    """
    hashed = hashlib.blake2b(ascii(way).encode(), digest_size=8).hexdigest()
    return f"{hashed} no {kind}"


def other(way: tuple[str, ...], kind: ValueKind) -> str:
    """The doubt of that name."""
    return f"(TRUE /* {other_name(way, kind)} */)"


def settled(text: str, unfounded: AbstractSet[str]) -> str:
    """The text without the doubts of these names."""
    if not unfounded:
        return text
    return _DOUBT.sub(lambda one: "FALSE" if one[1] in unfounded else one[0], text)


def has_doubts(text: str) -> bool:
    return "(TRUE /*" in text
