"""A query whose client hangs up is stopped, in line or while it runs: a real server,
real sockets, and a statement that would run for hours.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from litestar import Litestar

from logstream.api.app import build_app
from logstream.api.server import serve
from logstream.config.settings import QueryConfig, Settings, StorageConfig
from logstream.storage.hub import Hub
from logstream.storage.rows import Page
from logstream.telemetry.metrics import REGISTRY

ENDLESS = "SELECT count(*) FROM range(1000000000000) t(i) WHERE sqrt(i) = -1"
QUERY = b'{"filter":"hello"}'
POST = (
    b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(QUERY), QUERY)
)
GET = b"GET /api/v1/logs HTTP/1.1\r\nHost: x\r\n\r\n"

Scenario = Callable[[httpx.AsyncClient], Awaitable[None]]


@pytest.fixture
def settings() -> Settings:
    return Settings(
        query=QueryConfig(
            max_running=2, max_waiting=2, timeout_s=600, max_timeout_s=600
        )
    )


@pytest.fixture
def endless(engine: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every search runs until it is stopped."""
    hub = Hub(StorageConfig(threads=1), tmp=None)

    def entries(*_: object, **__: object) -> Page:
        with hub.reading(600) as db:
            db.execute(ENDLESS)
        return Page([], None)

    monkeypatch.setattr(engine.reader, "entries", entries)
    yield
    hub.close()


@contextlib.asynccontextmanager
async def running(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    urls: asyncio.Queue[str] = asyncio.Queue()
    server = asyncio.create_task(
        serve(app, host="127.0.0.1", port=0, on_bound=urls.put_nowait)
    )
    url = await asyncio.wait_for(urls.get(), 150)
    async with httpx.AsyncClient(base_url=url, timeout=150) as client:
        try:
            yield client
        finally:
            server.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait_for(server, 150)


def run(app: Litestar, scenario: Scenario) -> None:
    async def whole() -> None:
        async with running(app) as client:
            await asyncio.wait_for(scenario(client), 150)

    asyncio.run(whole())


async def send(client: httpx.AsyncClient, request: bytes) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
    writer.write(request)
    await writer.drain()
    return writer


async def expect(running: int, waiting: int) -> None:
    """So many queries run and wait, soon."""
    while (
        _sample("logstream_queries_running") != running
        or _sample("logstream_queries_waiting") != waiting
    ):
        await asyncio.sleep(0.01)


def _sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


@pytest.mark.usefixtures("endless")
@pytest.mark.parametrize("request_bytes", [GET, POST], ids=["get", "post"])
def test_a_query_ends_when_its_client_hangs_up(
    app: Litestar, request_bytes: bytes
) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        before = _sample("logstream_queries_total", outcome="cancelled")
        writer = await send(client, request_bytes)
        await expect(running=1, waiting=0)
        writer.close()
        await expect(running=0, waiting=0)
        assert _sample("logstream_queries_total", outcome="cancelled") == before + 1

    run(app, scenario)


@pytest.mark.usefixtures("endless")
def test_whoever_hangs_up_in_line_loses_the_place(app: Litestar) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        writers = [await send(client, GET) for _ in range(3)]
        await expect(running=1, waiting=2)  # one address has all turns but one
        answer = await client.get("/api/v1/logs")
        assert answer.status_code == 429
        assert answer.json()["type"] == "urn:logstream:too_many_queries"
        assert answer.headers["retry-after"]
        for writer in writers:
            writer.close()
        await expect(running=0, waiting=0)

    run(app, scenario)


@pytest.mark.usefixtures("endless")
def test_a_request_names_its_own_time_limit(app: Litestar) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        answer = await client.get("/api/v1/logs", params={"timeout_s": 0.05})
        assert answer.status_code == 504
        assert "0.05 s" in answer.json()["detail"]
        answer = await client.post("/api/v1/query", json={"timeout_s": 0.05})
        assert answer.status_code == 504

    run(app, scenario)


@pytest.mark.usefixtures("endless")
def test_a_stop_gives_up_queries_in_the_end(
    app: Litestar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logstream.api.server._GRACE_S", 0.05)

    async def whole() -> None:
        async with httpx.AsyncClient(timeout=150) as client:
            async with running(app) as base:
                url = base.base_url.join("/api/v1/logs")
                asked = [asyncio.create_task(client.get(url)) for _ in range(2)]
                await expect(running=1, waiting=1)
            answers = await asyncio.wait_for(asyncio.gather(*asked), 150)
        for answer in answers:
            assert answer.status_code == 503
            assert answer.json()["type"] == "urn:logstream:not_ready"
        await expect(running=0, waiting=0)

    asyncio.run(whole())


def test_a_kept_connection_is_asked_again_and_again(app: Litestar) -> None:
    """What watches for a hang-up takes nothing of the next request."""

    async def scenario(client: httpx.AsyncClient) -> None:
        host, port = "127.0.0.1", client.base_url.port
        reader, writer = await asyncio.open_connection(host, port)
        for request in (GET, POST, GET, POST):
            writer.write(request)
            assert (await reader.readuntil(b"[]")).startswith(b"HTTP/1.1 200")
        writer.close()

    run(app, scenario)


@pytest.mark.parametrize("value", ["0", "-1", "601", "nan"])
def test_a_time_limit_over_the_ceiling_is_refused(
    engine: Any, settings: Settings, value: str
) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        answer = await client.get("/api/v1/logs", params={"timeout_s": value})
        assert answer.status_code == 400
        assert "query.max_timeout_s" in answer.json()["detail"]

    run(build_app(engine.as_engine(), settings=settings, version="1"), scenario)
