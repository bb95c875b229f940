"""What the handlers of one app share, and how a handler gets at it."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from litestar import Litestar, Response

from logstream.api.bodies import AnyRequest, Bodies
from logstream.api.key_turns import KeyTurns
from logstream.api.reading import ReadGate
from logstream.config.settings import Settings
from logstream.pipeline.engine import Engine

_KEY = "logstream"


class ApiContext(msgspec.Struct, frozen=True, kw_only=True):
    engine: Engine
    settings: Settings
    version: str
    plugins_described: Callable[[], Sequence[Any]]
    bodies: Bodies
    reads: ReadGate
    keys: KeyTurns

    def as_state(self) -> dict[str, Any]:
        """The state of the app that this is the context of."""
        return {_KEY: self}


def context_of_app(app: Litestar) -> ApiContext:
    found: ApiContext = app.state[_KEY]
    return found


def context_of(request: AnyRequest) -> ApiContext:
    found: ApiContext = request.app.state[_KEY]
    return found


def json_answer(body: bytes, headers: dict[str, str] | None = None) -> Response[bytes]:
    """A 200 with JSON that is encoded already."""
    return Response(body, media_type="application/json", headers=headers)
