"""The entry: one log record, in the one shape that all layers share.

In the journal, between processes and on its way into the store an entry is one
line of *canonical NDJSON*: exactly the keys below, a timestamp that is RFC 3339 in
UTC and ends in `Z`, and `fields` an object or absent.
"""

from datetime import datetime
from typing import Any

import msgspec


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One log record. Frozen: to change one, `msgspec.structs.replace` it."""

    id: int = 0
    """Where it stands in the journal, `segment << 20 | line`. 0 = not journaled yet.

    A processor keeps it: it is what ties an entry that comes out of a processor to
    the one that went in. `replace` does so by itself.
    """

    timestamp: str
    """When it happened: RFC 3339, UTC, ends in `Z`, up to nine fractional digits."""

    source: str
    """Who wrote it: an application, a service, a file's name."""

    level: str
    """Lower case. `trace debug info warn error fatal`, or the sender's own word."""

    message: str

    fields: dict[str, Any] = {}
    """The rest, as JSON values. Nested objects stay nested. Never change it in place:
    the batch may be on its way to the dead-letter store too."""

    @property
    def time(self) -> datetime:
        """`timestamp` as a datetime in UTC; digits below microseconds are cut."""
        return datetime.fromisoformat(self.timestamp)


ID_LINE_BITS = 20
"""Lines that one journal segment can hold: 2**20."""


def make_id(segment: int, line: int) -> int:
    return segment << ID_LINE_BITS | line
