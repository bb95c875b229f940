"""What the commands ask of LogStream, wherever it runs.

Two implementations, one suite of tests: `HttpBackend` asks a server, `LocalBackend`
opens the data folder. Their answers are equal, byte for byte.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Protocol

import msgspec

from logstream.core.findings import Report
from logstream.core.results import Table

FileFormat = Literal["ndjson", "csv", "arrow", "parquet"]


class Search(msgspec.Struct, frozen=True, kw_only=True):
    text: str = ""
    """In the query language; empty = everything."""
    sources: tuple[str, ...] = ()
    """One of these; empty = any."""
    levels: tuple[str, ...] = ()
    from_ns: int | None = None
    """Inclusive."""
    to_ns: int | None = None
    """Exclusive."""
    limit: int = 100
    """0 = no limit."""
    sort_by: str = "timestamp"
    descending: bool = True
    ids: bool = False
    timeout_s: float | None = None
    """How long it may take; None = `query.timeout_s`, and of a file on a data folder as
    long as it takes."""


class Found(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An entry, in the contract's shape; `id` only when it was asked for."""

    id: str | None = None
    timestamp: str
    source: str
    level: str
    message: str
    fields: msgspec.Raw


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Named and ordered as in the REST contract."""

    TotalEntries: int
    OldestEntry: str | None
    NewestEntry: str | None
    EntriesBySource: dict[str, int]
    EntriesByLevel: dict[str, int]
    StorageSize: int
    CompressionRatio: float


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter."""

    id: str
    failed_at: str
    processor: str
    reason: str
    detail: str
    entry: msgspec.Raw


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """A partition."""

    day: str
    part: int = 1
    rows: int
    raw_bytes: int
    stored_bytes: int
    oldest: str | None
    newest: str | None
    sealed: bool
    indexed: bool
    last_checkpoint: str | None
    broken: str


class DayTotals(msgspec.Struct, frozen=True, kw_only=True):
    days: int
    broken: int
    rows: int
    raw_bytes: int
    stored_bytes: int
    oldest: str | None
    newest: str | None


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """The store, day by day."""

    partitions: list[Day]
    totals: DayTotals
    stuck: str = ""
    stuck_entries: int = 0


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """What a deletion took away, or would."""

    entries: int
    days: int
    by_source: dict[str, int]


class KeptRule(msgspec.Struct, frozen=True, kw_only=True):
    """How long entries that match a query are kept."""

    query: str
    max_age_days: int


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How long entries are kept; 0 is for ever, and no limit."""

    max_age_days: int
    max_bytes: int
    rules: list[KeptRule]


class Retained(msgspec.Struct, frozen=True, kw_only=True):
    """What is in effect."""

    policy: Policy
    origin: Literal["config", "api"]
    waits: str
    """Why nothing goes by its age just now; empty when it does."""


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup did."""

    folder: str
    files: int
    bytes: int
    copied: int
    skipped: list[str]


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A saved query."""

    name: str
    query: str
    description: str
    created: str


class Sql(msgspec.Struct, frozen=True, kw_only=True):
    """A question in SQL."""

    text: str
    from_ns: int | None = None
    """`logs` begins here, inclusive."""
    to_ns: int | None = None
    limit: int | None = None
    """None = as many as one answer may have."""
    timeout_s: float | None = None
    """None = `query.timeout_s`."""


class Backend(Protocol):
    """Every method may raise the errors of `core.errors`, whichever side found them."""

    @property
    def where(self) -> str:
        """The server's URL or the data folder, for messages."""
        ...

    def search(self, search: Search) -> Iterator[Found]:
        """Entries, page by page as they are taken."""
        ...

    def sql(self, asked: Sql) -> Table:
        """Rows of one SELECT."""
        ...

    def sql_tables(self) -> list[str]:
        """What a SELECT may read."""
        ...

    def write_sql(
        self, asked: Sql, how: FileFormat, sink: Callable[[bytes], None]
    ) -> bool:
        """The rows of one SELECT as a file; whether there are more."""
        ...

    def table(self, search: Search) -> Table:
        """The rows of a query, pipes and all; 0 as limit is the most that one answer
        may have.
        """
        ...

    def explain(self, search: Search) -> dict[str, Any]:
        """What a query would do: `query`, `sql`, `days`, `plan`."""
        ...

    def write(
        self, search: Search, how: FileFormat, sink: Callable[[bytes], None]
    ) -> None:
        """The rows of a query as a file, a part after another; 0 as limit is all.

        Raises:
            TooLarge: that is more than the server gives. Parts may have been written.
        """
        ...

    def totals(self) -> Totals: ...

    def sources(self) -> list[str]: ...

    def frequency(
        self, *, group_by: str, text: str, from_ns: int | None, to_ns: int | None
    ) -> dict[str, int]:
        """Count by value, largest first."""
        ...

    def dead_letters(self, *, limit: int) -> list[Failed]:
        """Newest first."""
        ...

    def replay(self, ids: Sequence[str] | None) -> int:
        """Send dead letters through the processors again; None = all. How many."""
        ...

    def storage(self) -> Stored: ...

    def delete(
        self, *, text: str, from_ns: int | None, to_ns: int | None, dry_run: bool
    ) -> Gone:
        """Delete for good, or only count. An empty text means everything."""
        ...

    def retention(self) -> Retained: ...

    def set_retention(self, policy: Policy | None) -> Retained:
        """Have this from now on; None goes back to the config."""
        ...

    def saved(self) -> list[Named]:
        """By name."""
        ...

    def saved_one(self, name: str) -> Named: ...

    def save(
        self, name: str, query: str, *, description: str, replace: bool
    ) -> Named: ...

    def unsave(self, name: str) -> Named:
        """Remove it; what it was."""
        ...

    def backup(self, folder: str) -> Saved: ...

    def verify(self) -> Report:
        """Check all that is stored."""
        ...
