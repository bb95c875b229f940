"""A route that reads and decodes an entry, and does no more: what requests cost."""

from collections.abc import Sequence
from typing import Any

from logstream.plugins import hookimpl


@hookimpl
def logstream_routes() -> Sequence[Any]:
    from litestar import Request, Response, post

    from logstream.config.settings import IntakeConfig
    from logstream.core.timestamps import now_ns
    from logstream.pipeline.decode import decode_one

    limits = IntakeConfig()

    @post("/benchmark/decode", status_code=200)
    async def decode(request: Request[Any, Any, Any]) -> Response[bytes]:
        decode_one(await request.body(), limits=limits, received_ns=now_ns())
        return Response(b'{"status":"ok"}', media_type="application/json")

    return [decode]
