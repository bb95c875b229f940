"""What an answer lacks is said in a header: days that cannot be read just now.

A damaged, locked or missing partition takes its day out of answers, and nothing else.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any, cast

from litestar.types import HTTPScope, Message, Scope

HEADER = "LogStream-Left-Out"
MAX_DAYS = 100
"""That the header names, the newest."""

_NOTED = "logstream.left_out"


def note_left_out(scope: HTTPScope, days: Iterable[date]) -> None:
    """These are not in the answer to this request."""
    cast("dict[str, Any]", scope).setdefault(_NOTED, set()).update(days)


async def tell_left_out(message: Message, scope: Scope) -> None:
    """Before an answer is sent: add the header, if anything was noted."""
    if message["type"] != "http.response.start":
        return
    if noted := cast("dict[str, Any]", scope).get(_NOTED):
        days = sorted(noted, reverse=True)[:MAX_DAYS]
        value = ", ".join(day.isoformat() for day in days)
        message["headers"] = [
            *message["headers"],
            (HEADER.lower().encode(), value.encode()),
        ]
