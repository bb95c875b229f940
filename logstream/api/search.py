"""Finding entries: by parameters, by a query body, by id."""

from collections.abc import Sequence
from functools import partial

import msgspec
from litestar import Response, get, post

from logstream.api.bodies import AnyRequest
from logstream.api.context import context_of, json_answer
from logstream.api.entries import link_to, page_of, stream_of
from logstream.api.errors import NotAcceptable
from logstream.api.formats import format_of
from logstream.api.operations import Header, Operation, RequestBody
from logstream.api.parameters import NoParameters, body_of, query_of
from logstream.api.piped import Asked, answer_rows, explain, piped
from logstream.api.reading import READ_PROBLEMS
from logstream.api.search_asked import LogsParameters, NextPage, QueryBody
from logstream.api.selection import Span, select, span_of
from logstream.api.shapes import ENTRY_EXAMPLE, EntryOut, EntryWithId, entry_with_id
from logstream.core.errors import BadRequest, NotFound, QuerySyntaxError, TooLarge

_PROBLEMS = (BadRequest, QuerySyntaxError, NotAcceptable, TooLarge, *READ_PROBLEMS)


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
        return await stream_of(request, asked, selection, asked.cursor, how)
    body, cursor = await page_of(request, asked, selection, asked.cursor)
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
    return json_answer(body, link_to("/api/v1/logs", repeat, span, cursor))


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
        return await stream_of(request, asked, selection, start, how)
    body, cursor = await page_of(request, asked, selection, start)
    return json_answer(body, link_to("/api/v1/query", [], span, cursor))


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
