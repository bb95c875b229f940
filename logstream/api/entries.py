"""Entries as answers: a page of them as JSON, or a stream in another format."""

from functools import partial
from urllib.parse import urlencode

from litestar import Response

from logstream.api.bodies import AnyRequest
from logstream.api.context import context_of
from logstream.api.formats import MEDIA_TYPES, FormatName
from logstream.api.search_asked import LogsParameters, QueryBody
from logstream.api.selection import Span, limit_of, sort_field, timeout_of
from logstream.api.shapes import entries_json
from logstream.api.streaming import Rows, stream
from logstream.api.streaming_parts import Sink, stream_parts
from logstream.config.settings import QueryConfig
from logstream.core.errors import BadRequest, TooLarge
from logstream.storage.formats import write as write_result
from logstream.storage.rows import Page
from logstream.storage.selection import Selection


async def page_of(
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


async def stream_of(
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


def link_to(
    path: str, repeat: list[tuple[str, str]], span: Span, cursor: str | None
) -> dict[str, str] | None:
    """The way to the next page, with relative times pinned to what they meant."""
    if cursor is None:
        return None
    times = [("from", span.begins or ""), ("to", span.ends or "")]
    pairs = [(key, value) for key, value in (*repeat, *times) if value]
    return {"Link": f'<{path}?{urlencode([*pairs, ("cursor", cursor)])}>; rel="next"'}
