"""The JSON of answers. Names of keys are the contract's, to the letter."""

from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from logstream.core.rejections import RejectReason
from logstream.core.results import ResultColumn
from logstream.storage.rows import Row

ENTRY_EXAMPLE = {
    "timestamp": "2025-05-13T00:01:15Z",
    "source": "auth",
    "level": "warn",
    "message": "Failed login attempt",
    "fields": {"ip": "192.168.1.100", "username": "admin"},
}


class _Shape(msgspec.Struct, frozen=True, kw_only=True):
    pass


class EntryIn(_Shape, frozen=True, kw_only=True):
    """An entry as it may be sent. Other top-level keys go to `fields`."""

    message: Annotated[str, Meta(description="The only key that has to be there.")]
    timestamp: Annotated[
        str | float,
        Meta(
            description="RFC 3339, or a number of s, ms, µs or ns since 1970, told by "
            "magnitude. Missing = time of receipt."
        ),
    ] = ""
    source: Annotated[str, Meta(description="Who wrote it.")] = ""
    level: Annotated[
        str | int,
        Meta(
            description="Any case, the usual names (`WARNING`, `err`) and numbers "
            "(`5`). Missing = `info`."
        ),
    ] = "info"
    fields: Annotated[
        dict[str, Any], Meta(description="Anything else; nested objects stay nested.")
    ] = {}


class EntryOut(msgspec.Struct, frozen=True, gc=False):
    """An entry as every answer has it."""

    timestamp: Annotated[
        str,
        Meta(
            description="RFC 3339, UTC, with as many fractional digits as it needs.",
            extra_json_schema={"format": "date-time"},
        ),
    ]
    source: str
    level: str
    message: str
    fields: Annotated[msgspec.Raw, Meta(extra_json_schema={"type": "object"})]


class EntryWithId(msgspec.Struct, frozen=True, gc=False):
    """An entry with the id that `/api/v1/logs/{id}` takes."""

    id: Annotated[str, Meta(description="Decimal; stays the same for good.")]
    timestamp: str
    source: str
    level: str
    message: str
    fields: Annotated[msgspec.Raw, Meta(extra_json_schema={"type": "object"})]


class Ok(_Shape, frozen=True, kw_only=True):
    status: Literal["ok"] = "ok"


class Ready(_Shape, frozen=True, kw_only=True, omit_defaults=True):
    status: Annotated[Literal["ok"], Meta(description="Entries are taken.")]
    left_out: Annotated[
        list[date],
        Meta(description="Days that cannot be read, and why: `GET /api/v1/storage`."),
    ] = []
    stuck_entries: Annotated[
        int,
        Meta(
            description="That are acked and cannot be stored just now, and are in no "
            "answer. Why: `GET /api/v1/queue`."
        ),
    ] = 0


class RejectedEntry(_Shape, frozen=True, kw_only=True):
    index: Annotated[int, Meta(description="In the batch, from 0.")]
    reason: RejectReason
    detail: str


class Accepted(_Shape, frozen=True, kw_only=True, omit_defaults=True):
    """`rejected` and `rejected_total` stand in answers to `partial=true` only."""

    status: str = msgspec.field(default_factory=lambda: "ok")
    count: Annotated[str, Meta(description="Entries stored, in decimal.")]
    rejected: Annotated[
        list[RejectedEntry] | msgspec.UnsetType,
        Meta(description="The first 100."),
    ] = msgspec.UNSET
    rejected_total: int | msgspec.UnsetType = msgspec.UNSET


class TimeRange(_Shape, frozen=True, kw_only=True):
    begins: str | None = msgspec.field(name="from")
    ends: str | None = msgspec.field(name="to")


class Frequency(_Shape, frozen=True, kw_only=True):
    """How often each value occurs, the most frequent first."""

    type: Literal["frequency"] = "frequency"
    time_range: TimeRange
    count: Annotated[int, Meta(description="Entries in the range, all of them.")]
    frequency: dict[str, int]
    truncated: Annotated[
        bool | msgspec.UnsetType,
        Meta(description="Stands there, true, when there are more values than listed."),
    ] = msgspec.UNSET


class Analysed(_Shape, frozen=True, kw_only=True):
    """The rows of an analysis."""

    type: str
    time_range: TimeRange
    query: Annotated[str, Meta(description="The query that gives the same rows.")]
    columns: list[ResultColumn]
    rows: list[list[Any]]
    truncated: Annotated[
        bool | msgspec.UnsetType,
        Meta(description="Stands there, true, when there are more rows than listed."),
    ] = msgspec.UNSET


class Stats(_Shape, frozen=True, kw_only=True, rename="pascal"):
    total_entries: int
    oldest_entry: str | None
    newest_entry: str | None
    entries_by_source: dict[str, int]
    entries_by_level: dict[str, int]
    storage_size: Annotated[int, Meta(description="Bytes on disk.")]
    compression_ratio: Annotated[
        int | float,
        Meta(description="Bytes as NDJSON per byte on disk; 1 while not known."),
    ]


class Health(_Shape, frozen=True, kw_only=True):
    status: Literal["ok"] = "ok"
    version: str


class PositionsAnswer(_Shape, frozen=True, kw_only=True):
    positions: dict[str, Any]


class Replayed(_Shape, frozen=True, kw_only=True):
    status: Literal["ok"] = "ok"
    count: Annotated[str, Meta(description="Entries put in again, in decimal.")]


def entries_json(rows: list[Row], *, ids: bool) -> bytes:
    """Rows as the JSON array of the contract; with `ids`, each begins with its id."""
    if ids:
        return msgspec.json.encode([entry_with_id(row) for row in rows])
    return msgspec.json.encode(
        [
            EntryOut(row.timestamp, row.source, row.level, row.message, row.fields)
            for row in rows
        ]
    )


def entry_lines(rows: list[Row], *, ids: bool) -> bytes:
    """Rows as NDJSON, in the same shape."""
    encoder = msgspec.json.Encoder()
    if ids:
        return encoder.encode_lines([entry_with_id(row) for row in rows])
    return encoder.encode_lines(
        [
            EntryOut(row.timestamp, row.source, row.level, row.message, row.fields)
            for row in rows
        ]
    )


def entry_with_id(row: Row) -> EntryWithId:
    return EntryWithId(
        str(row.id), row.timestamp, row.source, row.level, row.message, row.fields
    )
