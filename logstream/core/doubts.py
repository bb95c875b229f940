"""Doubts: what SQL of a filter cannot know of the entries that it will run over.

Each is a constant in its text, true as it stands. Whoever knows that the entries give
no reason for it makes it FALSE, and DuckDB leaves out what hangs on it: so `query` and
`storage` talk about it, as strangers.
"""

from collections.abc import Collection
from typing import Final

DOTTED: Final = "(TRUE /* a key with a dot */)"
"""Some entry may have a key with a dot at the top of its fields."""

LISTED: Final = "(TRUE /* an array */)"
"""Some value in the fields, at any depth of objects, may be an array."""

NESTED: Final = "(TRUE /* an object */)"
"""Some value in the fields, at any depth, may be an object."""

DOUBTS: Final = {"dotted": DOTTED, "listed": LISTED, "nested": NESTED}
"""By the names that files know them by."""


def settled(text: str, unfounded: Collection[str]) -> str:
    """The text without these doubts."""
    for doubt in unfounded:
        text = text.replace(doubt, "FALSE")
    return text


def has_doubts(text: str) -> bool:
    return any(doubt in text for doubt in DOUBTS.values())
