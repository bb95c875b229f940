"""Limits of query text, also of what it becomes once it is written out in full."""

from collections.abc import Callable

from logstream.core.errors import QuerySyntaxError

MAX_TEXT_BYTES = 65_536
NEAR_CHARS = 700
"""A text up to here, written out in full, is within all limits."""
FAR_CHARS = 8_000
"""The same of one without `name:( … )`, which repeats the name for each value."""
MAX_DEPTH = 200
"""Levels of parentheses and NOT. The parser takes two Python frames for each."""
MAX_TERMS = 1_000


def could_be_long(text: str) -> bool:
    """Whether it could be over a limit, once it is written out in full."""
    return len(text) > (NEAR_CHARS if ":(" in text else FAR_CHARS)


def check_written_out(read: Callable[[], object]) -> None:
    """What is read can be written, and that be read again: so it is tried for texts
    that could grow over a limit by it, as `name:(a b c)` repeats the name.

    Raises:
        QuerySyntaxError: it cannot.
    """
    try:
        read()
    except QuerySyntaxError as error:
        text = f"Written out in full, this query is over a limit: {error}"
        raise QuerySyntaxError(text, offset=0) from None
