"""What came of one request, without the library that made it."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from logstream.core.timestamps import NS_PER_S

MAX_RETRY_AFTER_S = 3600.0
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 300.0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    body: bytes
    """Unpacked."""
    content_type: str
    etag: str | None
    last_modified: str | None


class FetchFailed(Exception):
    """There is no answer that can be used; says why, without secrets."""

    def __init__(
        self, reason: str, *, retry_after_s: float | None = None, final: bool = False
    ) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s
        self.final = final
        """Asking again will hardly help: the server says that the request is wrong."""


def retry_after_s(value: str | None, now_ns: int) -> float | None:
    """Seconds that a `Retry-After` asks for, of either kind; None: it says nothing."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), MAX_RETRY_AFTER_S)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    now = datetime.fromtimestamp(now_ns / NS_PER_S, tz=UTC)
    return min(max(0.0, (at - now).total_seconds()), MAX_RETRY_AFTER_S)


def pause_s(
    failures: int,
    asked_s: float | None,
    *,
    jitter: Callable[[], float] = random.random,
) -> float:
    """How long to wait after so many failures in a row.

    Doubles from a second to five minutes. The jitter (0 to 1) keeps many collectors
    from coming back at one moment; it never comes before what the server asked for.
    """
    if asked_s is not None:
        return asked_s + jitter() * min(1.0, asked_s / 10)
    longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(failures - 1, 20))
    return longest * (0.5 + jitter() / 2)
