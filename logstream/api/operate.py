"""What an operator asks: is it alive, what waits, where readers stand, the metrics."""

import asyncio
from typing import Annotated, Any

import msgspec
from litestar import Response, get, route
from litestar.response import Redirect
from msgspec import Meta
from prometheus_client.exposition import choose_encoder

from logstream.api.bodies import AnyRequest
from logstream.api.context import context_of, json_answer
from logstream.api.operations import Operation
from logstream.api.parameters import Fields, NoParameters, query_of
from logstream.api.problems import Unready
from logstream.api.shapes import Health, Ok, PositionsAnswer, Ready
from logstream.core.errors import BadRequest, NotReady
from logstream.pipeline.states import QueueState
from logstream.telemetry.metrics import REGISTRY

_UNREADY = {
    "starting": "The server is starting.",
    "replaying": "What was acked before the last stop is being stored.",
    "store_failed": "The store failed for good: the server has to be started again.",
    "disk_full": "There is too little free disk to take entries; queries work.",
    "stopping": "The server is stopping.",
}


class PositionsParameters(Fields, frozen=True, kw_only=True):
    name: Annotated[
        tuple[str, ...], Meta(description="Name of an input; repeat it for more.")
    ] = ()


@get(
    "/api/v1/health",
    opt=Operation(
        id="health",
        tag="Operate",
        summary="Status and version",
        query=NoParameters,
        answer=Health,
        example={"status": "ok", "version": "1.0.0"},
    ).as_opt(),
)
async def health(request: AnyRequest) -> Response[bytes]:
    query_of(request, NoParameters)
    return json_answer(msgspec.json.encode(Health(version=context_of(request).version)))


@route(
    "/healthz",
    http_method=["GET", "HEAD"],
    status_code=200,
    opt=Operation(
        id="liveness",
        tag="Operate",
        summary="Liveness: the process answers",
        description="Takes GET and HEAD. Restart the process when it fails.",
        answer=Ok,
        example={"status": "ok"},
    ).as_opt(),
)
async def liveness() -> Response[bytes]:
    return json_answer(b'{"status":"ok"}')


@route(
    "/readyz",
    http_method=["GET", "HEAD"],
    status_code=200,
    opt=Operation(
        id="readiness",
        tag="Operate",
        summary="Readiness: entries are taken",
        description="Takes GET and HEAD. 503 with the `reason`: `replaying`, "
        "`disk_full`, `starting` or `stopping`. Days that cannot be read, which are no "
        "reason to be unready, are in `left_out`; `stuck_entries` are acked, and "
        "cannot be stored just now.",
        answer=Ready,
        example={"status": "ok"},
        problems=(NotReady,),
    ).as_opt(),
)
async def readiness(request: AnyRequest) -> Response[bytes]:
    engine = context_of(request).engine
    state = engine.readiness()
    if not state.ready:
        text = _UNREADY.get(state.reason, "The server takes no entries now.")
        raise Unready(text, reason=state.reason)
    ready = Ready(
        status="ok",
        # Waits for a day that is being opened.
        left_out=await asyncio.to_thread(engine.keeper.left_out),
        stuck_entries=engine.queue().stuck_entries,
    )
    return json_answer(msgspec.json.encode(ready))


@get(
    "/api/v1/queue",
    opt=Operation(
        id="queue",
        tag="Operate",
        summary="What is acked and not stored yet",
        description="Depth, bytes, the age of the oldest, and rates. Queries see these "
        "entries too: a query waits for them.",
        query=NoParameters,
        answer=QueueState,
        problems=(),
    ).as_opt(),
)
async def queue(request: AnyRequest) -> Response[bytes]:
    query_of(request, NoParameters)
    return json_answer(msgspec.json.encode(context_of(request).engine.queue()))


@get(
    "/api/v1/plugins",
    opt=Operation(
        id="listPlugins",
        tag="Operate",
        summary="Plugins, and what they offer",
        query=NoParameters,
        answer=list[dict[str, Any]],
    ).as_opt(),
)
async def list_plugins(request: AnyRequest) -> Response[bytes]:
    query_of(request, NoParameters)
    described = context_of(request).plugins_described()
    return json_answer(msgspec.json.encode(list(described)))


@get(
    "/api/v1/positions",
    opt=Operation(
        id="positions",
        tag="Operate",
        summary="Where readers stand in their inputs",
        description="As they were stored with a batch by the header "
        "`LogStream-Positions`. Names that were never stored are left out.",
        query=PositionsParameters,
        answer=PositionsAnswer,
        example={"positions": {"file:/var/log/app.log": 4096}},
        problems=(BadRequest,),
    ).as_opt(),
)
async def positions(request: AnyRequest) -> Response[bytes]:
    names = query_of(request, PositionsParameters).name
    found = context_of(request).engine.positions(names)
    return json_answer(msgspec.json.encode(PositionsAnswer(positions=found)))


@get(
    "/metrics",
    opt=Operation(
        id="metrics",
        tag="Operate",
        summary="Metrics for Prometheus",
        description="Prometheus text, or OpenMetrics when `Accept` asks for it.",
        media_type="text/plain",
        example="logstream_logs_processed_total 5.0\n",
    ).as_opt(),
)
async def metrics(request: AnyRequest) -> Response[bytes]:
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    # As a header: Litestar would add a second charset to a media type.
    return Response(
        encode(REGISTRY),
        media_type="text/plain",
        headers={"content-type": content_type},
    )


@get("/", status_code=307)
async def root() -> Redirect:
    """Until there is a page to look at logs with, the API's page is the way in."""
    return Redirect("/docs", status_code=307)
