"""Finding entries: by parameters, by a query body, by id."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal
from urllib.parse import urlencode

import msgspec
from litestar import Response, get, post
from msgspec import Meta

from logstream.api.bodies import AnyRequest
from logstream.api.context import context_of, json_answer
from logstream.api.errors import NotAcceptable
from logstream.api.formats import MEDIA_TYPES, FormatName, format_of
from logstream.api.operations import Header, Operation, RequestBody
from logstream.api.parameters import Fields, NoParameters, body_of, query_of
from logstream.api.piped import Asked, answer_rows, explain, piped
from logstream.api.reading import READ_PROBLEMS
from logstream.api.selection import (
    TIMEOUT_HELP,
    Span,
    limit_of,
    select,
    sort_field,
    span_of,
    timeout_of,
)
from logstream.api.shapes import (
    ENTRY_EXAMPLE,
    EntryOut,
    EntryWithId,
    entries_json,
    entry_with_id,
)
from logstream.api.streaming import Rows, stream
from logstream.api.streaming_parts import Sink, stream_parts
from logstream.config.settings import QueryConfig
from logstream.core.errors import (
    BadRequest,
    NotFound,
    QuerySyntaxError,
    TooLarge,
)
from logstream.storage.formats import write as write_result
from logstream.storage.rows import Page
from logstream.storage.selection import Selection

Order = Literal["asc", "desc"]

_PROBLEMS = (
    BadRequest,
    QuerySyntaxError,
    NotAcceptable,
    TooLarge,
    *READ_PROBLEMS,
)

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


@get(
    "/api/v1/logs",
    opt=Operation(
        id="listEntries",
        tag="Search",
        summary="Find entries",
        description="Newest first, unless told otherwise. All conditions have to hold.",
        query=LogsParameters,
        answer=list[EntryOut],
        example=[ENTRY_EXAMPLE],
        linked=True,
        problems=_PROBLEMS,
    ).as_opt(),
)
async def list_entries(request: AnyRequest) -> Response[bytes]:
    context = context_of(request)
    asked = query_of(request, LogsParameters)
    span = span_of(asked.from_, asked.to)
    levels = [name for text in asked.level for name in text.split(",")]
    how = format_of(request, asked.format)
    rows = _rows(
        asked,
        text=asked.q,
        span=span,
        levels=levels,
        sources=asked.source,
        cursor=asked.cursor,
    )
    if asked.explain:
        return await explain(request, rows)
    if (piped_query := piped(rows)) is not None:
        return await answer_rows(request, rows, piped_query, how)
    selection = select(
        context.engine, span, text=asked.q, levels=levels, sources=asked.source
    )
    if how != "json":
        return await _stream(request, asked, selection, asked.cursor, how)
    body, cursor = await _page(request, asked, selection, asked.cursor)
    repeat = [
        ("q", asked.q),
        *(("source", source) for source in asked.source),
        *(("level", level) for level in levels),
        ("limit", str(asked.limit or "")),
        ("sort_by", asked.sort_by if asked.sort_by != "timestamp" else ""),
        ("sort_order", asked.sort_order if asked.sort_order != "desc" else ""),
        ("ids", "true" if asked.ids else ""),
        ("timeout_s", "" if asked.timeout_s is None else f"{asked.timeout_s:g}"),
    ]
    return json_answer(body, _link("/api/v1/logs", repeat, span, cursor))


@post(
    "/api/v1/query",
    status_code=200,
    opt=Operation(
        id="query",
        tag="Search",
        summary="Find entries by a query",
        description="The same as `GET /api/v1/logs`, with the conditions in a body. "
        "The next page: the same body to the URL of the `Link` header.",
        query=NextPage,
        body=RequestBody(
            kind=QueryBody,
            examples={
                "application/json": {
                    "filter": "source:auth",
                    "limit": 10,
                    "from": "2025-05-01T00:00:00Z",
                    "to": "2025-06-01T00:00:00Z",
                    "levels": ["warn", "error"],
                    "sort_by": "timestamp",
                    "sort_order": "desc",
                }
            },
        ),
        answer=list[EntryOut],
        example=[ENTRY_EXAMPLE],
        linked=True,
        problems=_PROBLEMS,
    ).as_opt(),
)
async def query(request: AnyRequest) -> Response[bytes]:
    context = context_of(request)
    page = query_of(request, NextPage)
    asked = await body_of(request, context.bodies, QueryBody)
    span = span_of(page.from_ or asked.from_, page.to or asked.to)
    sources = [asked.source] if isinstance(asked.source, str) else asked.source
    sources = [source for source in sources or [] if source]
    text, levels = asked.filter or "", asked.levels or []
    start = page.cursor or asked.cursor or ""
    how = format_of(request, asked.format)
    rows = _rows(
        asked, text=text, span=span, levels=levels, sources=sources, cursor=start
    )
    if asked.explain:
        return await explain(request, rows)
    if (piped_query := piped(rows)) is not None:
        return await answer_rows(request, rows, piped_query, how)
    selection = select(context.engine, span, text=text, levels=levels, sources=sources)
    if how != "json":
        return await _stream(request, asked, selection, start, how)
    body, cursor = await _page(request, asked, selection, start)
    return json_answer(body, _link("/api/v1/query", [], span, cursor))


@get(
    "/api/v1/logs/{entry_id:str}",
    opt=Operation(
        id="getEntry",
        tag="Search",
        summary="One entry by its id",
        description="Ids come with `ids=true`.",
        query=NoParameters,
        path=(
            Header(name="entry_id", description="Decimal.", example="4398046511104"),
        ),
        answer=EntryWithId,
        example={"id": "4398046511104", **ENTRY_EXAMPLE},
        problems=(NotFound, *_PROBLEMS),
    ).as_opt(),
)
async def get_entry(request: AnyRequest) -> Response[bytes]:
    context = context_of(request)
    query_of(request, NoParameters)
    entry_id: str = request.path_params["entry_id"]
    row = None
    if entry_id.isascii() and entry_id.isdecimal() and len(entry_id) < 19:
        row = await context.reads.run(
            partial(context.engine.reader.get, int(entry_id)), request=request
        )
    if row is None:
        raise NotFound(f"No entry has the id {entry_id[:40]!r}.")
    return json_answer(msgspec.json.encode(entry_with_id(row)))


@get(
    "/api/v1/logs/sources",
    opt=Operation(
        id="listSources",
        tag="Search",
        summary="Names of all sources",
        query=NoParameters,
        answer=list[str],
        example=["auth", "cache", "web"],
        problems=READ_PROBLEMS,
    ).as_opt(),
)
async def list_sources(request: AnyRequest) -> Response[bytes]:
    context = context_of(request)
    query_of(request, NoParameters)
    found = await context.reads.run(context.engine.reader.sources, request=request)
    return json_answer(msgspec.json.encode(sorted(found)))


def _rows(
    asked: LogsParameters | QueryBody,
    *,
    text: str,
    span: Span,
    levels: Sequence[str],
    sources: Sequence[str],
    cursor: str,
) -> Asked:
    by_time = asked.sort_by == "timestamp" and asked.sort_order == "desc"
    return Asked(
        text=text,
        span=span,
        levels=levels,
        sources=sources,
        limit=asked.limit,
        ids=asked.ids,
        timeout_s=asked.timeout_s,
        is_sorted=bool(cursor) or not by_time,
    )


async def _page(
    request: AnyRequest,
    asked: LogsParameters | QueryBody,
    selection: Selection,
    cursor: str,
) -> tuple[bytes, str | None]:
    """One page as JSON, and the cursor of the next."""
    context = context_of(request)
    config = context.settings.query
    limit = limit_of(
        asked.limit, default=config.default_limit, largest=config.max_limit
    )
    sort_by = sort_field(asked.sort_by)
    timeout_s = timeout_of(asked.timeout_s, config)

    def read() -> tuple[bytes, str | None]:
        page: Page = context.engine.reader.entries(
            selection,
            limit=limit,
            sort_by=sort_by,
            descending=asked.sort_order == "desc",
            cursor=cursor or None,
        )
        return entries_json(page.rows, ids=asked.ids), page.cursor

    return await context.reads.run(read, request=request, timeout_s=timeout_s)


async def _stream(
    request: AnyRequest,
    asked: LogsParameters | QueryBody,
    selection: Selection,
    cursor: str,
    how: FormatName,
) -> Response[bytes]:
    """The same entries in another format; by time, as many as there are."""
    context = context_of(request)
    config = context.settings.query
    sort_by = sort_field(asked.sort_by)
    whole = asked.limit == 0 and sort_by == "timestamp"
    limit = config.max_stream_rows if whole else _stream_limit(asked, config)
    timeout_s = timeout_of(asked.timeout_s, config)
    if how != "ndjson":
        if cursor or sort_by != "timestamp":
            raise BadRequest(f"As {how} entries come by timestamp, and from the first.")
        rows = partial(
            context.engine.reader.rows,
            selection,
            limit=limit,
            descending=asked.sort_order == "desc",
            ids=asked.ids,
        )

        def write(sink: Sink) -> None:
            if whole and (count := context.engine.reader.count(selection)) > limit:
                raise TooLarge(
                    f"There are {count} entries, more than {limit} "
                    "(query.max_stream_rows): narrow the time range or the filter."
                )
            rows(lambda result: write_result(result, how, sink))

        return await stream_parts(
            context.reads,
            request,
            write,
            media_type=MEDIA_TYPES[how],
            timeout_s=timeout_s or config.timeout_s,
        )

    def read(limit: int, start: str | None) -> Page:
        return context.engine.reader.entries(
            selection,
            limit=limit,
            sort_by=sort_by,
            descending=asked.sort_order == "desc",
            cursor=start,
        )

    pages = Rows(
        read=read,
        limit=limit,
        cursor=cursor or None,
        whole=whole,
        ids=asked.ids,
        timeout_s=timeout_s,
    )
    return await stream(context.reads, request, pages)


def _stream_limit(asked: LogsParameters | QueryBody, config: QueryConfig) -> int:
    """Only by time does a long stream cost no more for each entry than a short one."""
    if asked.sort_by == "timestamp":
        return limit_of(
            asked.limit,
            default=config.default_limit,
            largest=config.max_stream_rows,
            key="query.max_stream_rows",
        )
    return limit_of(asked.limit, default=config.default_limit, largest=config.max_limit)


def _link(
    path: str, repeat: list[tuple[str, str]], span: Span, cursor: str | None
) -> dict[str, str] | None:
    """The way to the next page, with relative times pinned to what they meant."""
    if cursor is None:
        return None
    times = [("from", span.begins or ""), ("to", span.ends or "")]
    pairs = [(key, value) for key, value in (*repeat, *times) if value]
    return {"Link": f'<{path}?{urlencode([*pairs, ("cursor", cursor)])}>; rel="next"'}
