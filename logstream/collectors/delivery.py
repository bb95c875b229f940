"""Entries to the sink, one way for all collectors.

The sink waits by itself while the other side is full or away. What is left to do here
is an entry that it can never take: that is sent again as the bare line with the reason
in a field, and if even this is refused it is left out, logged and counted. One bad
line never stops a collector, and never costs a good one.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from logstream.collectors.entry_maker import EntryMaker
from logstream.core.entry import Entry
from logstream.core.errors import EntryRejected
from logstream.plugins.contracts import Sink
from logstream.telemetry.metrics import COLLECTOR_ERRORS

_log = logging.getLogger(__name__)

_MANY = 8
"""After so many refusals in one batch the rest of it goes as bare lines at once."""


async def deliver(
    sink: Sink,
    maker: EntryMaker,
    lines: Sequence[str],
    entries: Sequence[Entry],
    positions: Mapping[str, Any],
) -> None:
    """Return when the entries and the positions are on disk.

    Args:
        lines: What each of the entries was made from.

    Raises:
        Exception: what the sink raises, other than for an entry.
    """
    batch = [_Outgoing(line, entry) for line, entry in zip(lines, entries, strict=True)]
    refusals = 0
    while True:
        try:
            await sink.send([each.entry for each in batch], positions=positions)
        except EntryRejected as error:
            if not 0 <= error.index < len(batch):
                raise
            refusals += 1
            first = last = error.index
            if batch[first].bare:
                _leave_out(maker, batch.pop(first), error.reason)
            else:
                last += 1
            if refusals >= _MANY:
                last = len(batch)
            for each in batch[first:last]:
                each.make_bare(maker, error.reason)
        else:
            return


class _Outgoing:
    __slots__ = ("bare", "entry", "line")

    def __init__(self, line: str, entry: Entry) -> None:
        self.line = line
        self.entry = entry
        self.bare = False

    def make_bare(self, maker: EntryMaker, reason: str) -> None:
        if not self.bare:
            self.entry = maker.plain(self.entry, self.line, reason=reason)
            self.bare = True


def _leave_out(maker: EntryMaker, outgoing: _Outgoing, reason: str) -> None:
    COLLECTOR_ERRORS.inc()
    _log.error(
        "A line can not be stored and was left out.",
        extra={
            "source": maker.source,
            "reason": reason,
            "line_chars": len(outgoing.line),
        },
    )
