"""Saved queries: names for queries, shared by all who use the server."""

import asyncio
from functools import partial
from typing import Annotated, Literal

import msgspec
from litestar import Response, delete, get, post
from msgspec import Meta

from logstream.api.bodies import AnyRequest
from logstream.api.context import context_of, json_answer
from logstream.api.operations import Header, Operation, RequestBody
from logstream.api.parameters import Fields, NoParameters, body_of, query_of
from logstream.core.errors import (
    AlreadyThere,
    BadRequest,
    DiskFull,
    NotFound,
    QuerySyntaxError,
    StorageError,
)
from logstream.storage.saved_queries import SavedQuery

_EXAMPLE = {
    "name": "slow-pages",
    "query": "source:web duration_ms:>500 | top path",
    "description": "What keeps people waiting",
    "created": "2025-05-13T00:01:15Z",
}
_NAME = (Header(name="name", description="Its name.", example="slow-pages"),)


class SavedBody(Fields, frozen=True, kw_only=True):
    name: Annotated[
        str,
        Meta(description="Up to 64 letters, digits, `.`, `_` and `-`."),
    ]
    query: Annotated[str, Meta(description="In the query language, pipes and all.")]
    description: Annotated[str, Meta(description="For people.")] = ""
    replace: Annotated[
        bool, Meta(description="Take the place of one that has the name.")
    ] = False


class RemovedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    status: Literal["ok"] = "ok"
    removed: SavedQuery


@get(
    "/api/v1/saved",
    opt=Operation(
        id="listSaved",
        tag="Search",
        summary="The saved queries",
        description="By name.",
        query=NoParameters,
        answer=list[SavedQuery],
        example=[_EXAMPLE],
        problems=(StorageError,),
    ).as_opt(),
)
async def list_saved(request: AnyRequest) -> Response[bytes]:
    query_of(request, NoParameters)
    return json_answer(msgspec.json.encode(context_of(request).engine.saved.all()))


@get(
    "/api/v1/saved/{name:str}",
    opt=Operation(
        id="getSaved",
        tag="Search",
        summary="One saved query",
        query=NoParameters,
        path=_NAME,
        answer=SavedQuery,
        example=_EXAMPLE,
        problems=(NotFound, StorageError),
    ).as_opt(),
)
async def get_saved(request: AnyRequest) -> Response[bytes]:
    query_of(request, NoParameters)
    name: str = request.path_params["name"]
    return json_answer(msgspec.json.encode(context_of(request).engine.saved.get(name)))


@post(
    "/api/v1/saved",
    status_code=200,
    opt=Operation(
        id="addSaved",
        tag="Search",
        summary="Save a query",
        description="A 200 means: on disk. The same again changes nothing; another "
        "query under a name that is taken is a 409, unless `replace` is true.",
        query=NoParameters,
        body=RequestBody(
            kind=SavedBody,
            examples={
                "application/json": {
                    key: value for key, value in _EXAMPLE.items() if key != "created"
                }
            },
        ),
        answer=SavedQuery,
        example=_EXAMPLE,
        problems=(BadRequest, QuerySyntaxError, AlreadyThere, DiskFull, StorageError),
    ).as_opt(),
)
async def add_saved(request: AnyRequest) -> Response[bytes]:
    context = context_of(request)
    query_of(request, NoParameters)
    asked = await body_of(request, context.bodies, SavedBody)
    add = partial(
        context.engine.saved.add,
        asked.name,
        asked.query,
        description=asked.description,
        replace=asked.replace,
    )
    return json_answer(msgspec.json.encode(await asyncio.to_thread(add)))


@delete(
    "/api/v1/saved/{name:str}",
    status_code=200,
    opt=Operation(
        id="removeSaved",
        tag="Search",
        summary="Remove a saved query",
        query=NoParameters,
        path=_NAME,
        answer=RemovedAnswer,
        example={"status": "ok", "removed": _EXAMPLE},
        problems=(NotFound, DiskFull, StorageError),
    ).as_opt(),
)
async def remove_saved(request: AnyRequest) -> Response[bytes]:
    query_of(request, NoParameters)
    name: str = request.path_params["name"]
    saved = context_of(request).engine.saved
    removed = await asyncio.to_thread(saved.remove, name)
    return json_answer(msgspec.json.encode(RemovedAnswer(removed=removed)))
