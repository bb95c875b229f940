"""What is asked of the entries: as parameters, and as a body."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from logstream.api.formats import FormatName
from logstream.api.parameters import Fields
from logstream.api.selection import TIMEOUT_HELP

Order = Literal["asc", "desc"]

_Filter = Annotated[
    str, Meta(description="A query, such as `level:error status:>=500 timeout`.")
]
_From = "Begin of the time range, inclusive: RFC 3339, a number since 1970, `-15m`, "
_To = "End of the time range, exclusive. The same forms as `from`."
_Limit = (
    "Entries at most; `query.default_limit` and `query.max_limit` bound it, and "
    "`query.max_stream_rows` that of a stream by time, where 0 means all."
)
_Format = (
    "`json`, `ndjson`, `csv`, `arrow` (IPC stream), `parquet`, or `table` (columns, "
    "then rows); without it, what `Accept` names."
)
_Explain = "Answer what would be done instead: the SQL, the days and the blocks."
_SortBy = "`timestamp`, `source`, `level`, `message`, or a field's (dotted) name."
_Cursor = "From the `Link` header of the page before; all else stays the same."
_Ids = 'Begin each entry with its `"id"`.'


class LogsParameters(Fields, frozen=True, kw_only=True):
    q: _Filter = ""
    source: Annotated[
        tuple[str, ...], Meta(description="One of these sources; repeat it for more.")
    ] = ()
    level: Annotated[
        tuple[str, ...],
        Meta(description="One of these levels; repeated, or with commas between."),
    ] = ()
    from_: Annotated[str, Meta(description=_From + "`now-1h`, `today`.")] = (
        msgspec.field(name="from", default="")
    )
    to: Annotated[str, Meta(description=_To)] = ""
    limit: Annotated[int | None, Meta(description=_Limit)] = None
    sort_by: Annotated[str, Meta(description=_SortBy)] = "timestamp"
    sort_order: Order = "desc"
    cursor: Annotated[str, Meta(description=_Cursor)] = ""
    ids: Annotated[bool, Meta(description=_Ids)] = False
    timeout_s: Annotated[float | None, Meta(description=TIMEOUT_HELP)] = None
    format: Annotated[FormatName | None, Meta(description=_Format)] = None
    explain: Annotated[bool, Meta(description=_Explain)] = False


class QueryBody(Fields, frozen=True, kw_only=True):
    filter: _Filter | None = None
    limit: Annotated[int | None, Meta(description=_Limit)] = None
    from_: Annotated[
        str | float | None, Meta(description=_From + "`now-1h`, `today`.")
    ] = msgspec.field(name="from", default=None)
    to: Annotated[str | float | None, Meta(description=_To)] = None
    levels: Annotated[list[str] | None, Meta(description="One of these levels.")] = None
    source: Annotated[
        str | list[str] | None, Meta(description="This source, or one of these.")
    ] = None
    sort_by: Annotated[str, Meta(description=_SortBy)] = "timestamp"
    sort_order: Order = "desc"
    cursor: Annotated[str | None, Meta(description=_Cursor)] = None
    ids: Annotated[bool, Meta(description=_Ids)] = False
    timeout_s: Annotated[float | None, Meta(description=TIMEOUT_HELP)] = None
    format: Annotated[FormatName | None, Meta(description=_Format)] = None
    explain: Annotated[bool, Meta(description=_Explain)] = False


class NextPage(Fields, frozen=True, kw_only=True):
    """What the link to the next page of a query adds; the body is sent again."""

    cursor: Annotated[str, Meta(description="Wins over the body's.")] = ""
    from_: Annotated[str, Meta(description="Wins over the body's.")] = msgspec.field(
        name="from", default=""
    )
    to: Annotated[str, Meta(description="Wins over the body's.")] = ""
