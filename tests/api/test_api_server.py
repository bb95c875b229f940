"""The real server on a real socket: streams, broken connections, ports, stopping."""

import asyncio
import contextlib
import gzip
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import httpx
import pytest
from litestar import Litestar

from logstream.api.server import bind, serve, url_of
from logstream.config.settings import IntakeConfig, ServerConfig, Settings
from logstream.core.errors import ConfigError

ENTRY = b'{"timestamp":"2025-05-13T00:01:15Z","message":"m"}\n'
NDJSON = {"Content-Type": "application/x-ndjson"}

Scenario = Callable[[httpx.AsyncClient], Coroutine[Any, Any, None]]


@pytest.fixture
def settings() -> Settings:
    return Settings(
        server=ServerConfig(body_timeout_s=30),
        intake=IntakeConfig(max_array_bytes=1_048_576),
    )


@contextlib.asynccontextmanager
async def running(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """The app on a free port, and a client of it; stopped in the end."""
    urls: asyncio.Queue[str] = asyncio.Queue()
    server = asyncio.create_task(
        serve(app, host="127.0.0.1", port=0, on_bound=urls.put_nowait)
    )
    url = await asyncio.wait_for(urls.get(), 150)
    async with httpx.AsyncClient(base_url=url, timeout=150) as client:
        yield client
        server.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(server, 150)


def run(app: Litestar, scenario: Scenario) -> None:
    async def whole() -> None:
        async with running(app) as client:
            await scenario(client)

    asyncio.run(whole())


async def connect(client: httpx.AsyncClient) -> Any:
    return await asyncio.open_connection("127.0.0.1", client.base_url.port)


def test_entries_go_in_over_a_kept_connection(app: Litestar, engine: Any) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        reader, writer = await connect(client)
        head = f"POST /api/v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: {len(ENTRY)}"
        for _ in range(3):
            writer.write(head.encode() + b"\r\n\r\n" + ENTRY)
            answer = await reader.readuntil(b'{"status":"ok"}')
            assert answer.startswith(b"HTTP/1.1 200 OK")
        writer.close()

    run(app, scenario)
    assert len(engine.intake.entries) == 3


def test_a_stream_of_chunks(app: Litestar, engine: Any) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield ENTRY * 1000

    async def scenario(client: httpx.AsyncClient) -> None:
        answer = await client.post(
            "/api/v1/logs/batch", content=parts(), headers=NDJSON
        )
        assert answer.json() == {"status": "ok", "count": "40000"}

    run(app, scenario)
    assert len(engine.intake.entries) == 40_000


def test_a_packed_stream_of_chunks(app: Litestar, engine: Any) -> None:
    packed = gzip.compress(ENTRY * 20_000)

    async def parts() -> AsyncIterator[bytes]:
        for at in range(0, len(packed), 100):
            yield packed[at : at + 100]

    async def scenario(client: httpx.AsyncClient) -> None:
        answer = await client.post(
            "/api/v1/logs/batch",
            content=parts(),
            headers={**NDJSON, "Content-Encoding": "gzip"},
        )
        assert answer.json() == {"status": "ok", "count": "20000"}

    run(app, scenario)
    assert len(engine.intake.entries) == 20_000


@pytest.mark.parametrize(
    "head",
    [
        f"Content-Length: {len(ENTRY) * 3}\r\n\r\n{ENTRY.decode()}",
        f"Transfer-Encoding: chunked\r\n\r\n{len(ENTRY):x}\r\n{ENTRY.decode()}\r\n",
    ],
    ids=["length", "chunked"],
)
def test_a_connection_that_breaks_stores_nothing(
    app: Litestar, engine: Any, head: str
) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        _, writer = await connect(client)
        kind = "Content-Type: application/x-ndjson"
        writer.write(
            f"POST /api/v1/logs/batch HTTP/1.1\r\nHost: x\r\n{kind}\r\n{head}".encode()
        )
        await writer.drain()
        writer.close()
        async with asyncio.timeout(150):
            while not engine.intake.discarded:
                assert (await client.get("/healthz")).is_success
        assert (await client.post("/api/v1/logs", content=ENTRY)).is_success

    run(app, scenario)
    assert len(engine.intake.entries) == 1


def test_a_refused_body_that_is_still_sent_has_its_answer(app: Litestar) -> None:
    """The array may have 1 MiB; 30 MiB come without a length. A reset connection would
    lose the 413."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b" " * 1_048_576

    async def scenario(client: httpx.AsyncClient) -> None:
        answer = await client.post(
            "/api/v1/logs/batch",
            content=parts(),
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code == 413
        assert "intake.max_array_bytes" in answer.json()["detail"]

    run(app, scenario)


def test_a_sender_that_asks_first_is_refused_before_it_sends(app: Litestar) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        reader, writer = await connect(client)
        writer.write(
            b"POST /api/v1/logs HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            b"Content-Length: 99999999\r\n\r\n"
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")
        writer.close()

    run(app, scenario)


def test_many_requests_at_once(app: Litestar, engine: Any) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        answers = await asyncio.gather(
            *(client.post("/api/v1/logs", content=ENTRY) for _ in range(200))
        )
        assert all(answer.is_success for answer in answers)

    run(app, scenario)
    assert len(engine.intake.entries) == 200


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01 hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"POST /api/v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"GET /" + b"x" * 600_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_http_does_no_harm(app: Litestar, garbage: bytes) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        reader, writer = await connect(client)
        writer.write(garbage)
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(150):
                await reader.read()
        writer.close()
        assert (await client.post("/api/v1/logs", content=ENTRY)).is_success

    run(app, scenario)


# ---- stopping ----


def test_a_stop_lets_what_runs_end(app: Litestar, engine: Any) -> None:
    async def whole() -> None:
        async with running(app) as client:
            reader, writer = await connect(client)
            writer.write(
                b"POST /api/v1/logs HTTP/1.1\r\nHost: x\r\n"
                b"Content-Length: %d\r\n\r\n" % len(ENTRY)
            )
            await writer.drain()
            assert (await client.get("/healthz")).is_success
            asyncio.get_running_loop().call_later(0.1, writer.write, ENTRY)
        answer = await asyncio.wait_for(reader.read(), 150)
        assert answer.startswith(b"HTTP/1.1 200")
        with pytest.raises(OSError, match="onnect"):
            await connect(client)
        writer.close()

    asyncio.run(whole())
    assert len(engine.intake.entries) == 1


def test_a_stop_gives_up_a_body_that_does_not_come(
    app: Litestar, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logstream.api.server._GRACE_S", 0.05)

    async def whole() -> None:
        async with running(app) as client:
            reader, writer = await connect(client)
            writer.write(
                b"POST /api/v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{"
            )
            await writer.drain()
            assert (await client.get("/healthz")).is_success
        answer = await asyncio.wait_for(reader.read(), 150)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"urn:logstream:not_ready" in answer
        writer.close()

    asyncio.run(whole())
    assert engine.intake.entries == []


def test_servers_follow_one_another(app: Litestar) -> None:
    """A port is free again at once, and no descriptor is left."""

    async def whole() -> None:
        async with running(app) as client:
            port = client.base_url.port or 0
            assert (await client.get("/healthz")).is_success
        for _ in range(3):
            server = asyncio.create_task(
                serve(app, host="127.0.0.1", port=port, on_bound=lambda _: None)
            )
            async with httpx.AsyncClient(timeout=150) as client:
                answer = await client.get(f"http://127.0.0.1:{port}/healthz")
                assert answer.is_success
            server.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(server, 150)

    asyncio.run(whole())


# ---- addresses ----


def test_a_port_in_use_is_told(app: Litestar) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        port = client.base_url.port or 0
        with pytest.raises(ConfigError, match=rf"port {port} is in use.*--port"):
            await serve(app, host="127.0.0.1", port=port, on_bound=pytest.fail)
        assert (await client.get("/healthz")).is_success

    run(app, scenario)


@pytest.mark.parametrize(
    ("host", "words"),
    [("203.0.113.7", "--host"), ("no.such.host.invalid", "no.such.host.invalid")],
)
def test_an_address_that_is_not_ours_is_told(host: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        bind(host, 0)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:"),
        ("0.0.0.0", "http://127.0.0.1:"),
        ("::1", "http://[::1]:"),
        ("::", "http://[::1]:"),
    ],
)
def test_the_url_reaches_the_server_from_here(host: str, url: str) -> None:
    try:
        listener = bind(host, 0)
    except ConfigError:
        assert ":" in host
        pytest.skip("this machine has no IPv6")
    with listener:
        port = listener.getsockname()[1]
        assert url_of(listener) == f"{url}{port}"
        with socket.create_connection((url[7:-1].strip("[]"), port), timeout=150):
            pass
