"""What an answer lacks is said in headers: days that cannot be read just now, and acked
entries that cannot be stored.

A damaged, locked or missing partition takes its day out of answers, and nothing else.
"""

from datetime import date
from typing import Any, cast

import msgspec
from litestar.types import HTTPScope, Message, Scope

HEADER = "LogStream-Left-Out"
"""The days."""
MAX_DAYS = 100
"""That the header names, the newest."""
STUCK_HEADER = "LogStream-Stuck-Entries"
"""How many."""

_NOTED = "logstream.left_out"


class LeftOut(msgspec.Struct, kw_only=True):
    """What an answer lacks, complete before it begins. The reading thread fills it."""

    days: set[date] = msgspec.field(default_factory=set)
    stuck_entries: int = 0


def left_out_of(scope: HTTPScope) -> LeftOut:
    """What the answer to this request lacks: what it is given is told."""
    found: LeftOut = cast("dict[str, Any]", scope).setdefault(_NOTED, LeftOut())
    return found


async def tell_left_out(message: Message, scope: Scope) -> None:
    """Before an answer is sent: add the headers, if anything was noted."""
    if message["type"] != "http.response.start":
        return
    noted: LeftOut | None = cast("dict[str, Any]", scope).get(_NOTED)
    if noted is None:
        return
    told = {}
    if noted.days:
        newest = sorted(noted.days, reverse=True)[:MAX_DAYS]
        told[HEADER] = ", ".join(day.isoformat() for day in newest)
    if noted.stuck_entries:
        told[STUCK_HEADER] = str(noted.stuck_entries)
    if told:
        message["headers"] = [
            *message["headers"],
            *((name.lower().encode(), value.encode()) for name, value in told.items()),
        ]
