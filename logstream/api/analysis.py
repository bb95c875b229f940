"""Counting entries: by value, and of the whole store."""

from typing import Annotated, Literal

import msgspec
from litestar import Response, get, post
from msgspec import Meta

from logstream.api.analyses import TIMED, Kind
from logstream.api.analyses import text_of as analysis_text
from logstream.api.bodies import AnyRequest
from logstream.api.context import context_of, json_answer
from logstream.api.operations import Operation, RequestBody
from logstream.api.parameters import Fields, NoParameters, body_of, query_of
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
from logstream.api.shapes import Analysed, Frequency, Stats, TimeRange
from logstream.core.errors import BadRequest, QuerySyntaxError
from logstream.core.results import Table
from logstream.core.timestamps import format_ns
from logstream.query.query import parse_query
from logstream.storage.formats.json import write_table
from logstream.storage.overview import Stats as StoreStats
from logstream.storage.reader import Reader


class TimeRangeIn(Fields, frozen=True, kw_only=True):
    from_: Annotated[
        str | float | None,
        Meta(description="Inclusive. Missing = the oldest entry there is."),
    ] = msgspec.field(name="from", default=None)
    to: Annotated[
        str | float | None,
        Meta(description="Exclusive. Missing = up to the newest entry there is."),
    ] = None


class Analysis(Fields, frozen=True, kw_only=True):
    type: Literal["frequency"] | Kind
    time_range: TimeRangeIn | None = None
    group_by: Annotated[
        str | list[str] | None,
        Meta(
            description="`source`, `level`, `message` or a field's (dotted) name, or "
            "several. Missing = `source` for `frequency`, and else none."
        ),
    ] = None
    aggregates: Annotated[
        list[str],
        Meta(
            description="For `stats`, `timechart` and `anomalies`: such as `count()` "
            "and `avg(took) as mean`. Missing = `count()`."
        ),
    ] = msgspec.field(default_factory=list)
    span: Annotated[
        str,
        Meta(
            description="Of each bucket of `histogram`, `timechart` and `anomalies`: "
            "`5m`, `1h`. Missing = up to 100 buckets."
        ),
    ] = ""
    filter: Annotated[
        str | None, Meta(description="A query; count only what it finds.")
    ] = None
    limit: Annotated[
        int | None,
        Meta(description="Values listed, the most frequent first: 1 to 10000."),
    ] = None
    timeout_s: Annotated[float | None, Meta(description=TIMEOUT_HELP)] = None


class AnalyzeBody(Fields, frozen=True, kw_only=True):
    analysis: Analysis


@post(
    "/api/v1/query/analyze",
    status_code=200,
    opt=Operation(
        id="analyze",
        tag="Analyse",
        summary="How often each value occurs, and other analyses",
        description="`frequency`: `count` is all entries of the range; the ones "
        "without the field are in it, and under no key of `frequency`. All others "
        "answer with `columns` and `rows`, and the `query` that gives the same.",
        query=NoParameters,
        body=RequestBody(
            kind=AnalyzeBody,
            examples={
                "application/json": {
                    "analysis": {
                        "type": "frequency",
                        "time_range": {
                            "from": "2025-05-01T00:00:00Z",
                            "to": "2025-06-01T00:00:00Z",
                        },
                        "group_by": "source",
                    }
                }
            },
        ),
        answer=Frequency,
        example={
            "type": "frequency",
            "time_range": {
                "from": "2025-05-01T00:00:00Z",
                "to": "2025-06-01T00:00:00Z",
            },
            "count": 4,
            "frequency": {"auth": 2, "cache": 1, "web": 1},
        },
        problems=(BadRequest, QuerySyntaxError, *READ_PROBLEMS),
    ).as_opt(),
)
async def analyze(request: AnyRequest) -> Response[bytes]:
    context = context_of(request)
    query_of(request, NoParameters)
    asked = (await body_of(request, context.bodies, AnalyzeBody)).analysis
    limits = context.settings.query
    largest = limits.max_limit
    limit = limit_of(asked.limit, default=largest, largest=largest)
    timeout_s = timeout_of(asked.timeout_s, limits)
    wanted = asked.time_range or TimeRangeIn()
    span = span_of(wanted.from_, wanted.to)
    if asked.type != "frequency":
        return await _analyse(request, asked, asked.type, span, limit)
    group_by = sort_field(_one_field(asked.group_by))
    selection = select(context.engine, span, text=asked.filter or "")
    reader = context.engine.reader

    def read() -> bytes:
        # One more than wanted tells whether there are more.
        found = reader.frequency(selection, group_by=group_by, limit=limit + 1)
        answer = Frequency(
            time_range=_time_range(span, reader),
            count=reader.count(selection),
            frequency=dict(list(found.items())[:limit]),
            truncated=len(found) > limit or msgspec.UNSET,
        )
        return msgspec.json.encode(answer)

    body = await context.reads.run(read, request=request, timeout_s=timeout_s)
    return json_answer(body)


def _one_field(group_by: str | list[str] | None) -> str:
    if group_by is None:
        return "source"
    if isinstance(group_by, str):
        return group_by
    if len(group_by) != 1:
        raise BadRequest(
            "group_by: frequency counts by one field; top and stats take several."
        )
    return group_by[0]


async def _analyse(
    request: AnyRequest, asked: Analysis, kind: Kind, span: Span, limit: int
) -> Response[bytes]:
    """The rows of the query that an analysis is."""
    context = context_of(request)
    names = [asked.group_by] if isinstance(asked.group_by, str) else asked.group_by
    query = parse_query(
        analysis_text(
            kind,
            text=asked.filter or "",
            group_by=[sort_field(name) for name in names or ()],
            aggregates=asked.aggregates,
            span=asked.span,
            limit=asked.limit,
        )
    )

    def read() -> bytes:
        parts: list[bytes] = []
        begin, end = span.from_ns, span.to_ns
        if kind in TIMED and not asked.span:
            # The length of the buckets follows from the range.
            found_ends = context.engine.reader.stats()
            if found_ends.oldest_ns is not None and found_ends.newest_ns is not None:
                begin = found_ends.oldest_ns if begin is None else begin
                end = found_ends.newest_ns + 1 if end is None else end
        plan = query.plan(from_ns=begin, to_ns=end)
        context.engine.statements.run(
            plan,
            lambda result: write_table(result, parts.append),
            from_ns=begin,
            to_ns=end,
            limit=limit,
        )
        found = msgspec.json.decode(b"".join(parts), type=Table)
        answer = Analysed(
            type=kind,
            time_range=_time_range(span, context.engine.reader),
            query=str(query),
            columns=list(found.columns),
            rows=found.rows,
            truncated=found.truncated or msgspec.UNSET,
        )
        return msgspec.json.encode(answer)

    timeout_s = timeout_of(asked.timeout_s, context.settings.query)
    body = await context.reads.run(read, request=request, timeout_s=timeout_s)
    return json_answer(body)


@get(
    "/api/v1/logs/stats",
    opt=Operation(
        id="stats",
        tag="Analyse",
        summary="What is stored",
        query=NoParameters,
        answer=Stats,
        example={
            "TotalEntries": 5,
            "OldestEntry": "2025-05-13T00:01:15Z",
            "NewestEntry": "2025-05-13T00:09:02.5Z",
            "EntriesBySource": {"auth": 3, "web": 2},
            "EntriesByLevel": {"info": 4, "warn": 1},
            "StorageSize": 2500,
            "CompressionRatio": 1,
        },
        problems=READ_PROBLEMS,
    ).as_opt(),
)
async def stats(request: AnyRequest) -> Response[bytes]:
    context = context_of(request)
    query_of(request, NoParameters)
    found = await context.reads.run(context.engine.reader.stats, request=request)
    return json_answer(msgspec.json.encode(_stats(found)))


def _time_range(span: Span, reader: Reader) -> TimeRange:
    """As asked for; an end that is open is where the entries end."""
    if span.begins is not None and span.ends is not None:
        return TimeRange(begins=span.begins, ends=span.ends)
    stats = reader.stats()
    return TimeRange(
        begins=span.begins or _text(stats.oldest_ns),
        ends=span.ends or _text(stats.newest_ns),
    )


def _stats(found: StoreStats) -> Stats:
    return Stats(
        total_entries=found.entries,
        oldest_entry=_text(found.oldest_ns),
        newest_entry=_text(found.newest_ns),
        entries_by_source=found.by_source,
        entries_by_level=found.by_level,
        storage_size=found.stored_bytes,
        compression_ratio=found.compression_ratio,
    )


def _text(ns: int | None) -> str | None:
    return None if ns is None else format_ns(ns)
