"""The plan of a query: how `query` and `storage` talk, as strangers."""

import msgspec

from logstream.core.needs import Need
from logstream.core.results import ResultColumn
from logstream.core.sql import Sql


class ScanColumn(msgspec.Struct, frozen=True):
    """An expression over the columns of an entry, and what it is called."""

    alias: str
    safe: Sql
    """Never fails."""
    hopeful: Sql
    """Quicker, but some values make it fail the statement; then `safe` is run."""


class First(msgspec.Struct, frozen=True):
    """So many rows, the first in an order of the scan's own columns."""

    order: Sql
    """What stands behind ORDER BY."""
    rows: int
    by: tuple[str, ...] = ()
    """Of each combination of these columns of the scan; empty: in all."""


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """One read of the entries.

    Storage makes `name AS (SELECT columns FROM a day WHERE the filter UNION ALL …)` of
    it, so that each expression is over one day's own table: over a union of whole
    entries DuckDB makes all of the fields first, 1 400 ms instead of 40 ms a million.
    """

    name: str
    where: Sql
    fast: Sql
    needs: Need | None
    columns: tuple[ScanColumn, ...]
    from_ns: int | None = None
    to_ns: int | None = None
    """Bounds of its own, within those of the whole query."""
    shift_ns: int = 0
    """How much earlier than the whole query's its span is."""
    wider_ns: int = 0
    """How far its span reaches beyond the whole query's, at both ends."""
    newest: int | None = None
    """Only so many of the newest matches are needed; None: all."""
    oldest: int | None = None
    """Likewise of the oldest."""
    first: First | None = None
    """Only the first rows of each day are needed; None: all."""
    is_read_once: bool = False
    """Its name stands in the plan once."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """A grouping made of groupings of some of the rows each."""

    name: str
    each: Sql
    """A SELECT from the scan's name, whichever of its rows that stands for."""
    merged: Sql
    """What gives the groups: a SELECT from `name`, which stands for the rows that
    `each` gave, all together."""


class Grouping(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a scan, aggregated. Its name stands for the groups."""

    name: str
    scan: str
    whole: Sql
    """A SELECT from the scan's name, and from nothing else."""
    parts: Parts | None = None
    """None: the scan's rows are needed elsewhere too, and so all at once."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    scans: tuple[Scan, ...]
    groupings: tuple[Grouping, ...] = ()
    sql: Sql
    """A SELECT from the names of the scans and groupings."""
    columns: tuple[ResultColumn, ...]
    is_entries: bool
    """Whether each row is an entry: its columns are the contract's keys."""
