"""A caret below the place where a query does not parse."""

from collections.abc import Iterator
from contextlib import contextmanager

from logstream.core.errors import QuerySyntaxError


@contextmanager
def pointing_at(text: str) -> Iterator[None]:
    """Add the query and a caret to the message of a `QuerySyntaxError`."""
    try:
        yield
    except QuerySyntaxError as error:
        raise QuerySyntaxError(
            f"{error}\n{caret(text, error.offset)}", offset=error.offset
        ) from None


def caret(text: str, offset: int) -> str:
    """Two lines: as much of the text as fits, and the caret."""
    begin = max(0, offset - 50)
    shown = text[begin : offset + 25].replace("\n", " ").replace("\t", " ")
    return f"    {shown}\n    {' ' * (offset - begin)}^"
