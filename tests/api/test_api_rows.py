"""Entries in files' formats over HTTP: of a whole store, streamed, and stopped."""

import asyncio
import csv
import io
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import nanoarrow
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from logstream.api.app import build_app
from logstream.api.reading import ReadGate, watch
from logstream.api.streaming_parts import Sink, stream_parts
from logstream.config.settings import QueryConfig, Settings, StorageConfig
from logstream.core.errors import BadRequest, QueryCancelled
from logstream.plugins.manager import load_plugins
from logstream.runtime.building import open_engine
from logstream.runtime.builtins import BUILTINS

COUNT = 500


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient[Litestar]]:
    """A whole engine, with entries of two days."""
    settings = Settings(
        storage=StorageConfig(path=str(tmp_path_factory.mktemp("data"))),
        query=QueryConfig(max_stream_rows=COUNT),
    )
    plugins = load_plugins(settings.plugins, builtins=BUILTINS)
    with (
        open_engine(settings, plugins=plugins) as (engine, _),
        TestClient(build_app(engine, settings=settings, version="1")) as found,
    ):
        lines = [
            {
                "timestamp": f"2025-05-0{n % 2 + 1}T10:00:00.{n:03}Z",
                "source": "web",
                "level": "info",
                "message": f"message {n}, said",
                "fields": {"n": n},
            }
            for n in range(COUNT)
        ]
        answer = found.post("/api/v1/logs/batch", json=lines)
        assert answer.status_code == 200, answer.text
        yield found


def entries(client: TestClient[Litestar]) -> list[Any]:
    found: list[Any] = client.get("/api/v1/logs", params={"limit": COUNT}).json()
    assert len(found) == COUNT
    return found


def ask(client: TestClient[Litestar], how: str, **more: Any) -> Any:
    asked = {"limit": 0, "format": how, "from": "2025-01-01T00:00:00Z", **more}
    answer = client.post("/api/v1/query", json=asked)
    assert answer.status_code == 200, answer.text
    return answer


def test_csv_holds_the_entries(client: TestClient[Litestar]) -> None:
    answer = ask(client, "csv")
    assert answer.headers["content-type"].startswith("text/csv")
    read = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    shown = [{**row, "fields": json.loads(row["fields"])} for row in read]
    assert shown == entries(client)


def test_table_holds_the_entries(client: TestClient[Litestar]) -> None:
    found = ask(client, "table").json()
    names = [column["name"] for column in found["columns"]]
    rows = [dict(zip(names, row, strict=True)) for row in found["rows"]]
    assert rows == entries(client)


def test_arrow_and_parquet_hold_the_entries(client: TestClient[Litestar]) -> None:
    expected = [entry["message"] for entry in entries(client)]
    raw = ask(client, "arrow").content
    with nanoarrow.ArrayStream.from_readable(raw) as stream:
        assert stream.read_all().child(3).to_pylist() == expected
    parquet = ask(client, "parquet").content
    assert parquet[:4] == parquet[-4:] == b"PAR1"


def test_accept_chooses_as_format_does(client: TestClient[Litestar]) -> None:
    answer = client.get("/api/v1/logs", headers={"Accept": "text/csv"})
    assert answer.text.startswith("timestamp,source,level,message,fields\r\n")
    refused = client.get("/api/v1/logs", headers={"Accept": "image/png"})
    assert refused.status_code == 406
    assert refused.json()["type"] == "urn:logstream:not_acceptable"


@pytest.mark.parametrize("more", [{"sort_by": "source", "limit": 5}, {"cursor": "x"}])
def test_other_orders_are_refused(
    client: TestClient[Litestar], more: dict[str, Any]
) -> None:
    asked = {"format": "csv", **more}
    assert client.post("/api/v1/query", json=asked).status_code == 400


def test_a_whole_that_is_too_much_is_told_first(client: TestClient[Litestar]) -> None:
    """A file that ends early would look whole."""
    line = {"timestamp": "2024-01-01T00:00:00Z", "message": "one more"}
    client.post("/api/v1/logs", json=line)
    asked: dict[str, Any] = {"format": "csv", "limit": 0}
    answer = client.post("/api/v1/query", json=asked)
    assert answer.status_code == 413
    asked["from"] = "2025-01-01T00:00:00Z"
    assert client.post("/api/v1/query", json=asked).status_code == 200


class Gone:
    """A request whose client hangs up when told to."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.scope: dict[str, Any] = {}

    async def receive(self) -> dict[str, str]:
        await self.event.wait()
        return {"type": "http.disconnect"}


class Settled:
    async def settle(self) -> int:
        """At once."""
        return 0


def run_with(write: Any, then: Any) -> None:
    async def run() -> None:
        engine: Any = SimpleNamespace(settle=Settled().settle)
        gate = ReadGate(engine, QueryConfig(max_running=1))
        request: Any = Gone()
        try:
            await then(gate, request, write)
        finally:
            watch(request).cancel()
            gate.close()

    asyncio.run(run())


def test_parts_are_sent_while_more_are_made() -> None:
    """The writer is never far ahead of who reads, and all of it arrives."""
    made: list[int] = []

    def write(sink: Sink) -> None:
        for n in range(50):
            made.append(n)
            sink(b"x" * 300_000)

    async def then(gate: ReadGate, request: Any, write: Any) -> None:
        answer = await stream_parts(
            gate, request, write, media_type="text/csv", timeout_s=150
        )
        total = 0
        async for part in answer._lines:
            assert len(made) <= total // 300_000 + 8
            total += len(part)
        assert total == 50 * 300_000

    run_with(write, then)


def test_the_writer_stops_when_the_client_goes() -> None:
    ended: list[BaseException] = []

    def write(sink: Sink) -> None:
        try:
            while True:
                sink(b"x" * 300_000)
        except BaseException as error:
            ended.append(error)
            raise

    async def then(gate: ReadGate, request: Any, write: Any) -> None:
        await stream_parts(gate, request, write, media_type="text/csv", timeout_s=150)
        request.event.set()
        await watch(request)
        # The only turn is free again once the writer has ended.
        assert await gate.run(lambda: 1, settled=True) == 1
        assert isinstance(ended[0], QueryCancelled)

    run_with(write, then)


def test_an_error_before_the_first_part_is_told() -> None:
    def write(_: Sink) -> None:
        raise BadRequest("no")

    async def then(gate: ReadGate, request: Any, write: Any) -> None:
        with pytest.raises(BadRequest, match="no"):
            await stream_parts(gate, request, write, media_type="x/y", timeout_s=150)

    run_with(write, then)


def test_an_error_behind_it_cuts_the_answer_off() -> None:
    def write(sink: Sink) -> None:
        sink(b"x" * 300_000)
        raise BadRequest("no")

    async def then(gate: ReadGate, request: Any, write: Any) -> None:
        answer = await stream_parts(
            gate, request, write, media_type="x/y", timeout_s=150
        )
        assert await anext(answer._lines)
        with pytest.raises(BadRequest, match="no"):
            await anext(answer._lines)

    run_with(write, then)
