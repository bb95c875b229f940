"""Entries as lines: in pages, in bounded memory, and honest about how they end."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from logstream.api.app import build_app
from logstream.api.server import serve
from logstream.config.settings import QueryConfig, Settings
from logstream.core.errors import QueryTimeout
from logstream.storage.control import current_control
from logstream.storage.rows import Page

Client = TestClient[Litestar]
LINES = {"Accept": "application/x-ndjson"}


@pytest.fixture
def settings() -> Settings:
    return Settings(query=QueryConfig(max_limit=50, max_stream_rows=5000))


@pytest.fixture
def pages(engine: Any, make_row: Any, monkeypatch: pytest.MonkeyPatch) -> "Pages":
    found = Pages([make_row(f"m{n}") for n in range(4000)])
    monkeypatch.setattr(engine.reader, "entries", found.entries)
    return found


class Pages:
    """Rows behind cursors that are their number. `fails` is raised at the nth page."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows
        self.limits: list[int] = []
        self.fails: tuple[int, Exception] | None = None
        self.loses: dict[int, date] = {}
        """Days that the nth page finds that it cannot read."""

    def entries(self, _: object, *, limit: int, cursor: str | None, **__: Any) -> Page:
        self.limits.append(limit)
        if self.fails is not None and len(self.limits) == self.fails[0]:
            raise self.fails[1]
        if (lost := self.loses.get(len(self.limits))) is not None:
            control = current_control()
            assert control is not None
            control.left_out.add(lost)
        begin = int(cursor or 0)
        end = begin + limit
        more = str(end) if end < len(self.rows) else None
        return Page(self.rows[begin:end], more)


def messages(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line)["message"] for line in answer.text.splitlines()]


def test_a_stream_has_all_rows_in_pages(client: Client, pages: Pages) -> None:
    answer = client.get("/api/v1/logs?limit=0", headers=LINES)
    assert messages(answer) == [f"m{n}" for n in range(4000)]
    assert len(pages.limits) > 1
    assert max(pages.limits) < 5000
    assert "link" not in answer.headers


def test_a_day_that_is_lost_behind_the_first_page_ends_the_stream(
    client: Client, pages: Pages
) -> None:
    """The header is long sent, so what would be less is an error."""
    pages.loses = {1: date(2026, 1, 1), 2: date(2026, 1, 1), 3: date(2026, 1, 2)}
    answer = client.get("/api/v1/logs?limit=0", headers=LINES)
    assert answer.headers["logstream-left-out"] == "2026-01-01"
    *lines, last = map(json.loads, answer.text.splitlines())
    assert [line["message"] for line in lines] == [f"m{n}" for n in range(len(lines))]
    assert last["error"]["type"] == "urn:logstream:unreadable_days"
    assert "2026-01-02" in last["error"]["detail"]
    assert "2026-01-01" not in last["error"]["detail"]


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/api/v1/logs?limit=1500", None, LINES),
        ("/api/v1/logs?limit=1500&format=ndjson", None, {}),
        ("/api/v1/query", {"limit": 1500}, LINES),
        ("/api/v1/query", {"limit": 1500, "format": "ndjson"}, {}),
    ],
)
def test_a_stream_ends_at_its_limit(
    client: Client,
    pages: Pages,
    path: str,
    body: dict[str, Any] | None,
    headers: dict[str, str],
) -> None:
    method = "POST" if body else "GET"
    answer = client.request(method, path, json=body, headers=headers)
    assert messages(answer) == [f"m{n}" for n in range(1500)]


def test_json_can_be_asked_for_all_the_same(client: Client, pages: Pages) -> None:
    answer = client.get("/api/v1/logs?limit=2&format=json", headers=LINES)
    assert [row["message"] for row in answer.json()] == ["m0", "m1"]


def test_lines_have_ids_when_asked(client: Client, pages: Pages) -> None:
    answer = client.get("/api/v1/logs?limit=1&ids=true", headers=LINES)
    assert answer.json()["id"] == str(pages.rows[0].id)


def test_nothing_found_is_an_empty_stream(client: Client, pages: Pages) -> None:
    pages.rows = []
    assert messages(client.get("/api/v1/logs", headers=LINES)) == []


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("limit=5001", "query.max_stream_rows"),
        ("limit=51&sort_by=level", "query.max_limit"),
        ("limit=0&sort_by=level", "query.max_limit"),
    ],
)
def test_a_limit_over_the_ceiling_is_refused(
    client: Client, query: str, key: str
) -> None:
    answer = client.get(f"/api/v1/logs?{query}", headers=LINES)
    assert answer.status_code == 400
    assert key in answer.json()["detail"]


def test_an_error_of_the_first_page_is_the_answer(client: Client, pages: Pages) -> None:
    pages.fails = 1, QueryTimeout("too slow")
    answer = client.get("/api/v1/logs", headers=LINES)
    assert answer.status_code == 504
    assert answer.json()["type"] == "urn:logstream:query_timeout"


def test_an_error_in_the_middle_is_the_last_line(client: Client, pages: Pages) -> None:
    pages.fails = 2, QueryTimeout("too slow")
    answer = client.get("/api/v1/logs?limit=0", headers=LINES)
    *rows, last = answer.text.splitlines()
    assert len(rows) == pages.limits[0]
    problem = json.loads(last)["error"]
    assert problem["type"] == "urn:logstream:query_timeout"
    assert problem["detail"] == "too slow"


def test_all_is_never_silently_a_part(
    client: Client, pages: Pages, make_row: Any
) -> None:
    pages.rows = pages.rows + pages.rows
    answer = client.get("/api/v1/logs?limit=0", headers=LINES)
    *rows, last = answer.text.splitlines()
    assert len(rows) == 5000
    assert "cursor=5000" in json.loads(last)["error"]["detail"]


def test_pages_get_smaller_when_entries_are_large(
    client: Client, pages: Pages, make_row: Any
) -> None:
    pages.rows = [make_row("x" * 100_000) for _ in range(1100)]
    answer = client.get("/api/v1/logs?limit=0", headers=LINES)
    assert len(messages(answer)) == 1100
    assert max(pages.limits[1:]) < 100


# ---- over real sockets ----


@contextlib.asynccontextmanager
async def running(app: Litestar) -> AsyncIterator[int]:
    urls: asyncio.Queue[str] = asyncio.Queue()
    server = asyncio.create_task(
        serve(app, host="127.0.0.1", port=0, on_bound=urls.put_nowait)
    )
    url = await asyncio.wait_for(urls.get(), 150)
    try:
        yield int(url.rpartition(":")[2])
    finally:
        server.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(server, 150)


REQUEST = (
    b"GET /api/v1/logs?limit=0 HTTP/1.1\r\nHost: x\r\n"
    b"Accept: application/x-ndjson\r\n\r\n"
)


async def _settled(pages: Pages) -> int:
    """How many pages were read, once no more are for a while; on a busy machine some
    more may be under way.
    """
    count = -1
    while count != len(pages.limits):
        count = len(pages.limits)
        await asyncio.sleep(0.3)
    return count


def test_a_client_that_does_not_read_holds_up_its_stream(
    engine: Any, pages: Pages, make_row: Any
) -> None:
    """What is not taken is not read: memory is bounded by the pages on their way."""
    large = Settings(query=QueryConfig(max_stream_rows=1_000_000))
    app = build_app(engine.as_engine(), settings=large, version="1")
    pages.rows = [make_row("x" * 1000)] * 400_000

    async def whole() -> None:
        async with running(app) as port:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, limit=65_536
            )
            writer.write(REQUEST)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            stalled = await _settled(pages)
            assert sum(pages.limits) < 200_000
            taken = 0
            while len(pages.limits) <= stalled:
                taken += len(await reader.read(65_536))
            assert taken > 0
            writer.close()
            writer.transport.abort()
            await _settled(pages)
        assert sum(pages.limits) < 400_000

    asyncio.run(asyncio.wait_for(whole(), 150))


def test_a_connection_goes_on_behind_a_stream(app: Litestar, pages: Pages) -> None:
    async def whole() -> None:
        async with (
            running(app) as port,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
        ):
            for _ in range(3):
                answer = await client.get("/api/v1/logs?limit=0", headers=LINES)
                assert len(messages(answer)) == 4000

    asyncio.run(asyncio.wait_for(whole(), 150))
