"""The server: granian in this process, on the current event loop.

The socket is bound here first. granian binds with SO_REUSEPORT, so that two servers on
one port would both start, and each get some of the requests.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.net import SocketHolder  # type: ignore[attr-defined]
from granian.server.embed import Server

from logstream.api.app import App
from logstream.api.context import context_of_app
from logstream.core.errors import ConfigError

_BACKLOG = 1024
_GRACE_S = 5.0
"""Requests that run when the server stops may take so long; then queries, and bodies
that are still on their way, are given up with 503."""
_LAST_S = 2.0
"""After that, connections are dropped."""


class _OnSocket(Server):
    """A server on a socket that listens already."""

    def __init__(self, app: App, listener: socket.socket) -> None:
        host, port = listener.getsockname()[:2]
        super().__init__(
            app,
            address=host,
            port=port,
            interface=Interfaces.ASGI,
            http=HTTPModes.auto,
            websockets=True,
            backlog=_BACKLOG,
            log_enabled=False,
            log_access=False,
        )
        self._listener = listener

    def _init_shared_socket(self) -> None:
        # granian closes the descriptor when the server ends.
        listening: Any = SocketHolder(  # type: ignore[call-arg]  # its stub is behind
            self._listener.detach(), False, _BACKLOG
        )
        self._ssp = None
        self._shd = listening


async def serve(
    app: App, *, host: str, port: int, on_bound: Callable[[str], None]
) -> None:
    """Serve until cancelled; then finish what runs, within some seconds.

    Signals are the caller's. Cancelling a second time drops everything at once.

    Args:
        port: 0 takes a free one.
        on_bound: Called once, with a URL that reaches the server from this machine,
            when connections are accepted.

    Raises:
        ConfigError: the address cannot be listened on; says why.
    """
    listener = bind(host, port)
    url = url_of(listener)
    server = _OnSocket(app, listener)
    running = asyncio.create_task(server.serve())
    try:
        on_bound(url)
        await asyncio.shield(running)
    finally:
        await _stop(server, running, app)


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        ConfigError: it cannot; says why and what to do.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"The host {host!r} has no address: {error}") from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise ConfigError(_why_not(host, port, error)) from None
    return listener


def url_of(listener: socket.socket) -> str:
    """A URL that reaches it from this machine."""
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} is in use: stop what listens there, or choose another "
            "with --port"
        )
    if error.errno == errno.EACCES:
        return (
            f"port {port} needs more rights than this user has: choose one above "
            "1023 with --port"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"the address {host!r} is not one of this machine's: see --host"
    return f"{host} port {port} cannot be listened on: {error.strerror}"


async def _stop(server: _OnSocket, running: asyncio.Task[Any], app: App) -> None:
    """Refuse new connections, let what runs end, give up what does not."""
    server.signal_handler_interrupt()  # type: ignore[no-untyped-call]
    _, left = await asyncio.wait([running], timeout=_GRACE_S)
    if left:
        context_of_app(app).bodies.abort()
        context_of_app(app).reads.abort()
        _, left = await asyncio.wait([running], timeout=_LAST_S)
    if left:
        running.cancel()
        await asyncio.wait([running], timeout=_LAST_S)
    if running.done() and not running.cancelled() and (error := running.exception()):
        raise error
