"""What a finder of times tells of a line."""

import msgspec


class Moment(msgspec.Struct, frozen=True, gc=False):
    timestamp: str
    """Canonical."""
    end: int
    """Where the line goes on behind it."""
    level: str | None = None
    """In the formats in which one belongs to the time: its letter, or its name."""
    word_before: bool = False
    """A word stands before it, which may be a level."""
