"""A request with a key that is sent again stores nothing, and is answered as before."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from logstream.api.app import build_app
from logstream.config.settings import IntakeConfig, Settings, StorageConfig
from logstream.core.errors import DiskFull
from logstream.plugins.manager import load_plugins
from logstream.runtime.building import open_engine
from logstream.runtime.builtins import BUILTINS

Client = TestClient[Litestar]
Post = Callable[..., httpx.Response]

LINES = b'{"message":"one"}\n{"message":"two"}\n'
ARRAY = b'[{"message":"one"},{"message":"two"}]'
NDJSON = {"Content-Type": "application/x-ndjson"}


def key(name: str = "k1", **more: str) -> dict[str, str]:
    return {"Idempotency-Key": name, **more}


SENT = [
    ("/api/v1/logs", b'{"message":"one"}', {}, 1),
    ("/api/v1/logs/batch", ARRAY, {}, 2),
    ("/api/v1/logs/batch", LINES, NDJSON, 2),
    ("/api/v1/logs/batch", LINES, {}, 2),
    ("/api/v1/logs/batch?partial=true", LINES + b"{}\n", NDJSON, 2),
    ("/api/v1/logs/batch?partial=true", b"[{}, 7]", {}, 0),
]


@pytest.mark.parametrize(("path", "body", "headers", "count"), SENT)
def test_a_repeated_request_is_answered_as_the_first_and_stores_nothing(
    client: Client,
    engine: Any,
    path: str,
    body: bytes,
    headers: dict[str, str],
    count: int,
) -> None:
    first = client.post(path, content=body, headers={**headers, **key()})
    assert first.status_code == 200
    assert "idempotency-replayed" not in first.headers
    again = client.post(path, content=body, headers={**headers, **key()})
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["idempotency-replayed"] == "true"
    assert len(engine.intake.entries) == count


def test_another_key_is_another_request(client: Client, engine: Any) -> None:
    for name in ("a", "b"):
        answer = client.post("/api/v1/logs/batch", content=ARRAY, headers=key(name))
        assert "idempotency-replayed" not in answer.headers
    assert len(engine.intake.entries) == 4


def test_a_packed_repetition_is_the_same_request(client: Client, engine: Any) -> None:
    client.post("/api/v1/logs/batch", content=LINES, headers={**NDJSON, **key()})
    packed = {**NDJSON, **key(), "Content-Encoding": "gzip"}
    again = client.post(
        "/api/v1/logs/batch", content=gzip.compress(LINES), headers=packed
    )
    assert again.headers["idempotency-replayed"] == "true"
    assert len(engine.intake.entries) == 2


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/api/v1/logs/batch", ARRAY + b" ", {}),
        ("/api/v1/logs/batch?partial=true", ARRAY, {}),
        ("/api/v1/logs/batch", ARRAY, {"LogStream-Positions": '{"a":1}'}),
        ("/api/v1/logs", b'{"message":"one"}', {}),
    ],
    ids=["body", "partial", "positions", "path"],
)
def test_a_key_of_another_request_is_refused(
    client: Client, engine: Any, path: str, body: bytes, headers: dict[str, str]
) -> None:
    client.post("/api/v1/logs/batch", content=ARRAY, headers=key())
    answer = client.post(path, content=body, headers={**headers, **key()})
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:logstream:idempotency_mismatch"
    assert len(engine.intake.entries) == 2


def test_a_request_that_is_refused_does_not_use_up_its_key(
    client: Client, engine: Any
) -> None:
    def post(body: bytes) -> httpx.Response:
        return client.post("/api/v1/logs/batch", content=body, headers=key())

    assert post(b'[{"message":7}]').status_code == 400
    engine.intake.fails = DiskFull("full")
    assert post(ARRAY).status_code == 507
    engine.intake.fails = None
    assert post(ARRAY).json() == {"status": "ok", "count": "2"}
    assert post(ARRAY).headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize("name", ["", "x" * 256, "ä", "a\tb"])
def test_a_key_that_is_none_is_refused(client: Client, name: str) -> None:
    headers = httpx.Headers({b"Idempotency-Key": name.encode("latin-1")})
    answer = client.post("/api/v1/logs", content=b'{"message":"m"}', headers=headers)
    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json()["detail"]


def test_a_repeated_body_over_the_limit_is_refused(client: Client) -> None:
    client.post("/api/v1/logs", content=b'{"message":"m"}', headers=key())
    large = b'{"message":"%s"}' % (b"x" * 1_048_576)
    answer = client.post("/api/v1/logs", content=large, headers=key())
    assert answer.status_code == 413


# ---- at the same time ----


def _race(engine: Any, settings: Settings, scenario: Any) -> None:
    app = build_app(engine.as_engine(), settings=settings, version="1")

    async def whole() -> None:
        transport = httpx.ASGITransport(cast("Any", app))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://x", timeout=150
        ) as client:
            engine.intake.holds = asyncio.Event()
            await asyncio.wait_for(scenario(client, engine.intake.holds), 150)

    asyncio.run(whole())


async def _started(*tasks: asyncio.Task[Any]) -> None:
    for _ in range(200):
        await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)


def test_of_two_at_the_same_time_the_second_waits_for_the_first(
    engine: Any, settings: Settings
) -> None:
    async def scenario(client: httpx.AsyncClient, release: asyncio.Event) -> None:
        def post(name: str) -> asyncio.Task[httpx.Response]:
            sent = client.post("/api/v1/logs/batch", content=ARRAY, headers=key(name))
            return asyncio.create_task(sent)

        same = [post("same") for _ in range(5)]
        other = post("other")
        await _started(*same, other)
        release.set()
        answers = await asyncio.gather(*same, other)
        replayed = [a.headers.get("idempotency-replayed") for a in answers]
        assert sorted(map(str, replayed)) == ["None", "None", *["true"] * 4]
        assert replayed[-1] is None
        assert {answer.content for answer in answers} == {
            b'{"status":"ok","count":"2"}'
        }

    _race(engine, settings, scenario)
    assert len(engine.intake.entries) == 4


def test_when_the_first_fails_the_second_takes_its_place(
    engine: Any, settings: Settings
) -> None:
    async def scenario(client: httpx.AsyncClient, release: asyncio.Event) -> None:
        async def post() -> httpx.Response:
            return await client.post("/api/v1/logs/batch", content=ARRAY, headers=key())

        first = asyncio.create_task(post())
        await _started(first)
        second = asyncio.create_task(post())
        await _started(second)
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first
        release.set()
        answer = await second
        assert answer.status_code == 200
        assert "idempotency-replayed" not in answer.headers

    _race(engine, settings, scenario)
    assert len(engine.intake.entries) == 2


def test_who_waits_too_long_is_told_to_try_again(
    engine: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = Settings(server=type(settings.server)(body_timeout_s=0.05))

    async def scenario(client: httpx.AsyncClient, release: asyncio.Event) -> None:
        async def post() -> httpx.Response:
            return await client.post("/api/v1/logs/batch", content=ARRAY, headers=key())

        first = asyncio.create_task(post())
        await _started(first)
        second = await post()
        assert second.status_code == 409
        assert second.json()["type"] == "urn:logstream:idempotency_in_use"
        assert second.headers["retry-after"]
        release.set()
        assert (await first).status_code == 200

    _race(engine, short, scenario)


# ---- with a real engine ----


def _settings(folder: Path, **intake: Any) -> Settings:
    return Settings(
        storage=StorageConfig(path=str(folder), min_free_bytes=0),
        intake=IntakeConfig(**intake),
    )


@contextlib.contextmanager
def _serving(settings: Settings) -> Any:
    plugins = load_plugins(settings.plugins, builtins=BUILTINS)
    with open_engine(settings, plugins=plugins) as (engine, _):
        app = build_app(engine, settings=settings, version="1")
        with TestClient(app) as client:
            yield client


def _total(client: Client) -> int:
    return int(client.get("/api/v1/logs/stats").json()["TotalEntries"])


def _large() -> bytes:
    """Above the size that goes through staging."""
    line = json.dumps({"message": "x" * 1000}).encode() + b"\n"
    return line * 6000


@pytest.mark.parametrize("large", [False, True], ids=["framed", "staged"])
def test_a_key_is_known_after_a_restart(tmp_path: Path, large: bool) -> None:
    body = _large() if large else LINES
    headers = {**NDJSON, **key()}
    with _serving(_settings(tmp_path)) as client:
        first = client.post("/api/v1/logs/batch", content=body, headers=headers)
        stored = _total(client)
    for _ in range(2):
        with _serving(_settings(tmp_path)) as client:
            again = client.post("/api/v1/logs/batch", content=body, headers=headers)
            assert again.headers["idempotency-replayed"] == "true"
            assert again.content == first.content
            assert _total(client) == stored == body.count(b"\n")


def test_without_a_window_keys_mean_nothing(tmp_path: Path) -> None:
    with _serving(_settings(tmp_path, idempotency_window_s=0)) as client:
        for _ in range(2):
            answer = client.post("/api/v1/logs/batch", content=ARRAY, headers=key())
            assert "idempotency-replayed" not in answer.headers
        assert _total(client) == 4


def test_an_answer_of_nothing_stored_is_kept_as_well(tmp_path: Path) -> None:
    """All entries were bad: there is nothing in the frame but the answer."""
    path = "/api/v1/logs/batch?partial=true"
    with _serving(_settings(tmp_path)) as client:
        first = client.post(path, content=b"[{}]", headers=key())
        assert first.json()["count"] == "0"
    with _serving(_settings(tmp_path)) as client:
        again = client.post(path, content=b"[{}]", headers=key())
        assert again.headers["idempotency-replayed"] == "true"
        assert again.content == first.content
