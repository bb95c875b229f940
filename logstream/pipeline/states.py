"""What the engine needs from others, and what it says of itself."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from logstream.core.needs import Need
from logstream.core.sql import Sql
from logstream.plugins.contracts import Predicate


class StoredQuery(Predicate, Protocol):
    """A compiled query with what `storage.selection.Selection` takes besides."""

    @property
    def where_sql(self) -> Sql: ...

    @property
    def needs(self) -> Need | None: ...

    @property
    def span(self) -> tuple[int | None, int | None]:
        """Every match lies in [from, to), in nanoseconds."""
        ...


class StoreHealth(Protocol):
    """Whether the store works at all: `storage.hub.Hub`."""

    @property
    def failure(self) -> str:
        """Why nothing works until the process is started again; empty while it does."""
        ...

    def on_failure(self, call: Callable[[], None]) -> None:
        """Call this once, on any thread, when `failure` is set; at once if it is."""
        ...


class QueueState(msgspec.Struct, frozen=True, kw_only=True):
    """Acked entries on their way to the store."""

    entries: int
    bytes: int
    capacity_bytes: int
    oldest_age_s: float
    segments: int
    received_per_s: float
    stored_per_s: float
    stuck: str = ""
    """Why a segment cannot be stored at the moment; empty when none is."""
    stuck_entries: int = 0
    """Of such segments that are not in the store. Answers lack them, and say so."""


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    ready: bool
    reason: str = ""
    """`starting`, `replaying`, `store_failed`, `disk_full`, `stopping`, or empty."""
