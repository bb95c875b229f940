"""SQL over the entries, for those who know it."""

from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from msgspec import Meta

from logstream.api.bodies import AnyRequest
from logstream.api.context import context_of, json_answer
from logstream.api.formats import MEDIA_TYPES, FormatName, format_of
from logstream.api.operations import Operation, RequestBody
from logstream.api.parameters import Fields, NoParameters, body_of, query_of
from logstream.api.reading import READ_PROBLEMS
from logstream.api.selection import TIMEOUT_HELP, limit_of, span_of, timeout_of
from logstream.core.errors import BadRequest, QuerySyntaxError, TooLarge
from logstream.storage.sql import answer as sql_answer
from logstream.storage.sql.answer import SqlResult

_FORMAT = (
    "`json` is an array of objects, `table` the columns and the rows. Else `Accept` "
    "tells."
)


class SqlParameters(Fields, frozen=True, kw_only=True):
    format: Annotated[FormatName | None, Meta(description=_FORMAT)] = None


class SqlBody(Fields, frozen=True, kw_only=True):
    sql: Annotated[
        str,
        Meta(description="One SELECT, in the SQL of DuckDB, over the table `logs`."),
    ]
    params: Annotated[
        list[str | int | float | None], Meta(description="Values for `?`, in order.")
    ] = msgspec.field(default_factory=list)
    from_: Annotated[
        str | float | None,
        Meta(description="`logs` begins here, inclusive. Other days are not opened."),
    ] = msgspec.field(name="from", default=None)
    to: Annotated[
        str | float | None, Meta(description="`logs` ends here, exclusive.")
    ] = None
    limit: Annotated[
        int | None, Meta(description="Rows at most: up to `query.max_limit`.")
    ] = None
    timeout_s: Annotated[float | None, Meta(description=TIMEOUT_HELP)] = None
    format: Annotated[FormatName | None, Meta(description=_FORMAT)] = None


@post(
    "/api/v1/sql",
    status_code=200,
    opt=Operation(
        id="sql",
        tag="Search",
        summary="Ask in SQL",
        description="Read-only, and over `logs` and the tables of `sql.allow` only. "
        "`LogStream-Truncated: true` tells that there are more rows than `limit`.",
        query=SqlParameters,
        body=RequestBody(
            kind=SqlBody,
            examples={
                "application/json": {
                    "sql": "SELECT source, count(*) AS errors FROM logs "
                    "WHERE fields.status::int >= ? GROUP BY source ORDER BY 2 DESC",
                    "params": [500],
                    "from": "-1h",
                }
            },
        ),
        answer=list[dict[str, Any]],
        example=[{"source": "web", "errors": 12}, {"source": "auth", "errors": 3}],
        problems=(BadRequest, QuerySyntaxError, TooLarge, *READ_PROBLEMS),
    ).as_opt(),
)
async def sql(request: AnyRequest) -> Response[bytes]:
    context = context_of(request)
    asked_format = query_of(request, SqlParameters).format
    asked = await body_of(request, context.bodies, SqlBody)
    limits = context.settings.query
    largest = limits.max_limit
    limit = limit_of(asked.limit, default=largest, largest=largest)
    timeout_s = timeout_of(asked.timeout_s, limits)
    span = span_of(asked.from_, asked.to)
    how = format_of(request, asked.format or asked_format)
    console = context.engine.sql

    def consume(result: SqlResult) -> tuple[bytes, bool]:
        return sql_answer.body_of(result, how), result.truncated

    def read() -> tuple[bytes, bool]:
        return console.run(
            asked.sql,
            consume,
            params=asked.params,
            limit=limit,
            from_ns=span.from_ns,
            to_ns=span.to_ns,
        )

    body, truncated = await context.reads.run(
        read, request=request, timeout_s=timeout_s
    )
    headers = {"LogStream-Truncated": "true"} if truncated else None
    return Response(body, media_type=MEDIA_TYPES[how], headers=headers)


@get(
    "/api/v1/sql/tables",
    opt=Operation(
        id="listSqlTables",
        tag="Search",
        summary="What SQL may read",
        description="`logs`, and the tables of `sql.allow`.",
        query=NoParameters,
        answer=list[str],
        example=["logs", "hosts"],
        problems=READ_PROBLEMS,
    ).as_opt(),
)
async def list_tables(request: AnyRequest) -> Response[bytes]:
    context = context_of(request)
    query_of(request, NoParameters)
    found = await context.reads.run(context.engine.sql.tables, request=request)
    return json_answer(msgspec.json.encode(found))
