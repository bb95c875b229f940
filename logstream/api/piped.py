"""Queries with pipes, and what any query would do (`explain`)."""

from collections.abc import Sequence
from functools import partial

import msgspec
from litestar import Response

from logstream.api.bodies import AnyRequest
from logstream.api.context import context_of, json_answer
from logstream.api.formats import MEDIA_TYPES, FormatName
from logstream.api.selection import Span, limit_of, timeout_of
from logstream.api.streaming_parts import Sink, stream_parts
from logstream.core.errors import BadRequest
from logstream.query import any_of, level_in, source_is
from logstream.query.outline import outline
from logstream.query.query import Query, parse_query
from logstream.storage.formats import write as write_result

_STREAMED: frozenset[FormatName] = frozenset({"ndjson", "csv", "arrow", "parquet"})


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks for."""

    text: str
    span: Span
    levels: Sequence[str]
    sources: Sequence[str]
    limit: int | None
    ids: bool
    timeout_s: float | None
    is_sorted: bool
    """It asks for an order or a page of its own, which pipes do not go with."""


def piped(asked: Asked) -> Query | None:
    """The query, if it has pipes.

    Raises:
        QuerySyntaxError: it is none.
        BadRequest: it goes with no order or page of its own.
    """
    if "|" not in asked.text:
        return None
    query = parse_query(asked.text)
    if not query.pipes:
        return None
    if asked.is_sorted:
        raise BadRequest(
            "With pipes, `sort_by` and `cursor` have no meaning: use `| sort by`, "
            "`| offset` and `| head`."
        )
    return _narrowed(query, asked)


async def answer_rows(
    request: AnyRequest, asked: Asked, query: Query, how: FormatName
) -> Response[bytes]:
    """The rows of a query with pipes, sent as they are made."""
    context = context_of(request)
    config = context.settings.query
    begin, end = asked.span.from_ns, asked.span.to_ns
    plan = query.plan(from_ns=begin, to_ns=end, ids=asked.ids)
    if how in _STREAMED:
        largest, key = config.max_stream_rows, "query.max_stream_rows"
    else:
        largest, key = config.max_limit, "query.max_limit"
    default = config.default_limit if plan.is_entries else config.max_limit
    whole = asked.limit == 0 and how in _STREAMED
    wanted = None if whole else asked.limit
    default = largest if whole else default
    limit = limit_of(wanted, default=default, largest=largest, key=key)
    if plan.is_entries:
        plan = query.plan(from_ns=begin, to_ns=end, ids=asked.ids, limit=limit + 1)
    run = partial(
        context.engine.statements.run,
        plan,
        from_ns=begin,
        to_ns=end,
        limit=limit,
        whole=whole,
    )

    def write(sink: Sink) -> None:
        run(lambda result: write_result(result, how, sink))

    timeout_s = timeout_of(asked.timeout_s, config)
    return await stream_parts(
        context.reads,
        request,
        write,
        media_type=MEDIA_TYPES[how],
        timeout_s=timeout_s or config.timeout_s,
    )


async def explain(request: AnyRequest, asked: Asked) -> Response[bytes]:
    """What a query would do: its text and tree, the SQL, the days and the blocks."""
    context = context_of(request)
    query = _narrowed(parse_query(asked.text), asked)
    begin, end = asked.span.from_ns, asked.span.to_ns
    plan = query.plan(from_ns=begin, to_ns=end, limit=asked.limit, ids=asked.ids)
    config = context.settings.query

    def read() -> bytes:
        found = context.engine.statements.explain(plan, from_ns=begin, to_ns=end)
        return msgspec.json.encode(
            {
                "query": str(query),
                "tree": outline(query),
                "columns": plan.columns,
                **msgspec.to_builtins(found),
            }
        )

    timeout_s = timeout_of(asked.timeout_s, config)
    body = await context.reads.run(read, request=request, timeout_s=timeout_s)
    return json_answer(body)


def _narrowed(query: Query, asked: Asked) -> Query:
    exprs = []
    if asked.levels:
        exprs.append(level_in(asked.levels))
    if asked.sources:
        exprs.append(any_of(*map(source_is, asked.sources)))
    return query.narrowed(*exprs) if exprs else query
