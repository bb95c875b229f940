"""Which fields there are, and which values they have: for completion and forms."""

from typing import Annotated, Any

import msgspec
from litestar import Response, get
from msgspec import Meta

from logstream.api.analyses import expect_filter, names_text, values_text
from logstream.api.bodies import AnyRequest
from logstream.api.context import context_of, json_answer
from logstream.api.operations import Header, Operation
from logstream.api.parameters import Fields, query_of
from logstream.api.reading import READ_PROBLEMS
from logstream.api.selection import limit_of, sort_field, span_of
from logstream.core.errors import BadRequest, QuerySyntaxError
from logstream.query.query import Query, parse_query

_PROBLEMS = (BadRequest, QuerySyntaxError, *READ_PROBLEMS)
_Q = Annotated[str, Meta(description="A filter: only of the entries that it finds.")]
_From = Annotated[str, Meta(description="Begin of the time range, inclusive.")]
_To = Annotated[str, Meta(description="End of the time range, exclusive.")]
_DEFAULT = 1_000


class FieldsParameters(Fields, frozen=True, kw_only=True):
    q: _Q = ""
    from_: _From = msgspec.field(name="from", default="")
    to: _To = ""
    limit: Annotated[int | None, Meta(description="Fields at most.")] = None


class ValuesParameters(Fields, frozen=True, kw_only=True):
    prefix: Annotated[str, Meta(description="What the values begin with.")] = ""
    q: _Q = ""
    from_: _From = msgspec.field(name="from", default="")
    to: _To = ""
    limit: Annotated[int | None, Meta(description="Values at most.")] = None


class FieldOut(msgspec.Struct, frozen=True, kw_only=True):
    field: Annotated[str, Meta(description="Dotted, if inside of another.")]
    types: Annotated[str, Meta(description="`text`, `integer`, `number`, …")]
    count: int
    percent: Annotated[float, Meta(description="Of the entries that were looked at.")]
    values: Annotated[int, Meta(description="About how many different ones.")]


class ValueOut(msgspec.Struct, frozen=True, kw_only=True):
    value: str
    count: int


@get(
    "/api/v1/fields",
    opt=Operation(
        id="listFields",
        tag="Analyse",
        summary="Which fields there are",
        description="Of the newest 20 000 entries, the most frequent fields first.",
        query=FieldsParameters,
        answer=list[FieldOut],
        example=[
            {
                "field": "http.status",
                "types": "integer",
                "count": 812,
                "percent": 81.2,
                "values": 7,
            }
        ],
        problems=_PROBLEMS,
    ).as_opt(),
)
async def list_fields(request: AnyRequest) -> Response[bytes]:
    asked = query_of(request, FieldsParameters)
    expect_filter(asked.q)
    query = parse_query(names_text(asked.q))
    names = ("field", "types", "count", "percent", "values")
    return await _answer(request, asked, query, names)


@get(
    "/api/v1/fields/{name:str}/values",
    opt=Operation(
        id="listValues",
        tag="Analyse",
        summary="Which values a field has",
        description="The most frequent ones first. Columns of entries have values too.",
        query=ValuesParameters,
        path=(Header(name="name", description="Dotted.", example="http.status"),),
        answer=list[ValueOut],
        example=[{"value": "200", "count": 700}],
        problems=_PROBLEMS,
    ).as_opt(),
)
async def list_values(request: AnyRequest) -> Response[bytes]:
    asked = query_of(request, ValuesParameters)
    name = sort_field(request.path_params["name"])
    expect_filter(asked.q)
    limit = _limit(request, asked.limit)
    text = values_text(asked.q, name, prefix=asked.prefix, limit=limit)
    query = parse_query(text)
    return await _answer(request, asked, query, ("value", "count"))


def _limit(request: AnyRequest, asked: int | None) -> int:
    largest = context_of(request).settings.query.max_limit
    return limit_of(asked, default=min(_DEFAULT, largest), largest=largest)


async def _answer(
    request: AnyRequest,
    asked: FieldsParameters | ValuesParameters,
    query: Query,
    names: tuple[str, ...],
) -> Response[bytes]:
    context = context_of(request)
    span = span_of(asked.from_, asked.to)
    begin, end = span.from_ns, span.to_ns
    plan = query.plan(from_ns=begin, to_ns=end)
    limit = _limit(request, asked.limit)

    def read() -> list[tuple[Any, ...]]:
        return context.engine.statements.run(
            plan,
            lambda result: [row for batch in result.batches() for row in batch],
            from_ns=begin,
            to_ns=end,
            limit=limit,
        )

    rows = await context.reads.run(read, request=request)
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return json_answer(msgspec.json.encode(found))
