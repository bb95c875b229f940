"""`/schema`, and `/docs`: one page about the API, with forms to try it.

It loads nothing from anywhere else, since a log server lives behind firewalls, and its
policy header keeps it so.
"""

from pathlib import Path

import msgspec
from litestar import Litestar, Response, get

from logstream.api.bodies import AnyRequest
from logstream.api.docs_html import Json, render
from logstream.core.errors import NotFound

_STATIC = Path(__file__).parent / "static"
_ASSETS = {"docs.css": "text/css", "docs.js": "text/javascript"}
_KEY = "logstream.pages"

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src "
    "'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class _Pages(msgspec.Struct, frozen=True):
    schema: bytes
    page: bytes
    assets: dict[str, bytes]


def publish(app: Litestar, document: Json) -> None:
    """Render and read all of it once; the routes below answer with it."""
    app.state[_KEY] = _Pages(
        msgspec.json.format(msgspec.json.encode(document)),
        render(document).encode(),
        {name: (_STATIC / name).read_bytes() for name in _ASSETS},
    )


def _pages(request: AnyRequest) -> _Pages:
    found: _Pages = request.app.state[_KEY]
    return found


@get(["/schema", "/schema/openapi.json"])
async def schema(request: AnyRequest) -> Response[bytes]:
    return Response(
        _pages(request).schema, media_type="application/vnd.oai.openapi+json"
    )


@get("/docs")
async def page(request: AnyRequest) -> Response[bytes]:
    return Response(_pages(request).page, media_type="text/html", headers=_HEADERS)


@get("/docs/{name:str}")
async def asset(request: AnyRequest) -> Response[bytes]:
    name: str = request.path_params["name"]
    kind = _ASSETS.get(name)
    if kind is None:
        raise NotFound(f"There is no page {name[:40]!r}: /docs is the only one.")
    return Response(
        _pages(request).assets[name],
        media_type=kind,
        headers={"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"},
    )
