"""The contract, call by call, against the whole engine on a real folder."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from logstream.api.app import build_app
from logstream.config.settings import PluginsConfig, Settings, StorageConfig
from logstream.plugins.manager import load_plugins
from logstream.runtime.building import open_engine

AUTH = {
    "timestamp": "2025-05-13T00:01:15Z",
    "source": "auth",
    "level": "warn",
    "message": "Failed login attempt",
    "fields": {"ip": "192.168.1.100", "username": "admin"},
}
WEB = {
    "timestamp": "2025-05-13T00:02:00.25Z",
    "source": "web",
    "level": "error",
    "message": "GET /cart took 2.1 s",
    "fields": {"status": 503, "request": {"id": "a1", "user": {"name": "ann"}}},
}
CACHE = {
    "timestamp": "2025-05-14T12:00:00.123456789Z",
    "source": "cache",
    "level": "info",
    "message": "evicted 12 keys",
    "fields": {},
}
STORED = [AUTH, WEB, CACHE]

LONG_LINE = msgspec.json.encode({**AUTH, "message": "long " * 200}) + b"\n"
"""Some thousands of these are more than one piece of a stream, and are staged."""

Client = TestClient[Litestar]


@pytest.fixture(params=["folder", ":memory:"])
def live(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    """A client of an app on a real engine, without plugins."""
    memory = request.param == ":memory:"
    path = ":memory:" if memory else str(tmp_path / "data")
    settings = Settings(storage=StorageConfig(path=path))
    plugins = load_plugins(PluginsConfig(), builtins=())
    with open_engine(settings, plugins=plugins) as (engine, _):
        app = build_app(engine, settings=settings, version="1.0.0")
        with TestClient(app) as client:
            yield client


@pytest.fixture
def filled(live: Client) -> Client:
    assert live.post("/api/v1/logs/batch", json=STORED).is_success
    return live


def test_an_entry_is_found_as_it_was_sent(live: Client) -> None:
    assert live.post("/api/v1/logs", json=AUTH).text == '{"status":"ok"}'
    assert live.get("/api/v1/logs").json() == [AUTH]


def test_a_batch_is_found_newest_first(filled: Client) -> None:
    assert filled.get("/api/v1/logs").json() == [CACHE, WEB, AUTH]
    assert filled.get("/api/v1/logs?sort_order=asc").json() == [AUTH, WEB, CACHE]


def test_every_ack_is_seen_by_the_next_query(live: Client) -> None:
    for count in range(1, 20):
        live.post("/api/v1/logs", json=AUTH)
        assert live.get("/api/v1/logs/stats").json()["TotalEntries"] == count


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"filter": "source:auth"}, [AUTH]),
        ({"filter": "login"}, [AUTH]),
        ({"filter": "status:>=500"}, [WEB]),
        ({"filter": "request.user.name:ann"}, [WEB]),
        ({"levels": ["warn", "ERROR"]}, [WEB, AUTH]),
        ({"source": ["auth", "cache"]}, [CACHE, AUTH]),
        ({"filter": "NOT login", "levels": ["error"]}, [WEB]),
        ({"from": "2025-05-13T00:02:00.25Z"}, [CACHE, WEB]),
        ({"to": "2025-05-13T00:02:00.25Z"}, [AUTH]),
        ({"from": "2025-05-14", "to": "2025-05-15"}, [CACHE]),
        ({"from": "-15m"}, []),
        ({"limit": 2}, [CACHE, WEB]),
        ({"sort_by": "source", "sort_order": "asc"}, [AUTH, CACHE, WEB]),
        ({"sort_by": "level"}, [AUTH, CACHE, WEB]),
        ({"sort_by": "status", "limit": 1}, [WEB]),
    ],
)
def test_queries(filled: Client, asked: Any, found: Any) -> None:
    answer = filled.post("/api/v1/query", json=asked)
    assert answer.json() == found
    names = {"filter": "q", "levels": "level"}
    parameters = {names.get(key, key): value for key, value in asked.items()}
    assert filled.get("/api/v1/logs", params=parameters).json() == found


def test_pages_are_followed_to_the_end(live: Client) -> None:
    sent = [
        {**AUTH, "timestamp": f"2025-05-{13 + n % 3}T00:00:00Z", "message": str(n)}
        for n in range(25)
    ]
    live.post("/api/v1/logs/batch", json=sent)
    for sort_by in ("timestamp", "message", "username"):
        seen: list[str] = []
        url = f"/api/v1/logs?limit=7&sort_by={sort_by}&from=2025-05-01"
        while url:
            answer = live.get(url)
            seen += [entry["message"] for entry in answer.json()]
            url = answer.links.get("next", {}).get("url", "")
        assert sorted(seen, key=int) == [str(n) for n in range(25)], sort_by


def test_a_query_is_paged_by_repeating_it(filled: Client) -> None:
    body = {"limit": 2, "from": "2025-05-01", "to": "now"}
    first = filled.post("/api/v1/query", json=body)
    second = filled.post(first.links["next"]["url"], json=body)
    assert first.json() + second.json() == [CACHE, WEB, AUTH]
    assert "next" not in second.links


def test_a_cursor_of_another_query_is_refused(filled: Client) -> None:
    first = filled.get("/api/v1/logs?limit=1")
    url = first.links["next"]["url"] + "&level=warn"
    answer = filled.get(url)
    assert (answer.status_code, answer.json()["status"]) == (400, 400)
    for cursor in ("x", "%00", "é", "a" * 5000):
        assert filled.get(f"/api/v1/logs?cursor={cursor}").status_code == 400


def test_entries_have_ids_that_lead_to_them(filled: Client) -> None:
    for entry in filled.get("/api/v1/logs?ids=true").json():
        assert filled.get(f"/api/v1/logs/{entry['id']}").json() == entry
    assert filled.get("/api/v1/logs/123").status_code == 404


def test_frequencies(filled: Client) -> None:
    span = {"from": "2025-05-13T00:00:00Z", "to": "2025-05-15T00:00:00Z"}
    analysis = {"type": "frequency", "time_range": span, "group_by": "source"}
    found = filled.post("/api/v1/query/analyze", json={"analysis": analysis})
    assert found.json() == {
        "type": "frequency",
        "time_range": span,
        "count": 3,
        "frequency": {"auth": 1, "cache": 1, "web": 1},
    }
    analysis = {"type": "frequency", "group_by": "request.user.name"}
    found = filled.post("/api/v1/query/analyze", json={"analysis": analysis})
    assert (found.json()["count"], found.json()["frequency"]) == (3, {"ann": 1})
    assert found.json()["time_range"] == {
        "from": AUTH["timestamp"],
        "to": CACHE["timestamp"],
    }


def test_sources_and_stats(filled: Client) -> None:
    assert filled.get("/api/v1/logs/sources").json() == ["auth", "cache", "web"]
    found = filled.get("/api/v1/logs/stats").json()
    size, ratio = found.pop("StorageSize"), found.pop("CompressionRatio")
    assert isinstance(size, int)
    assert ratio > 0
    assert found == {
        "TotalEntries": 3,
        "OldestEntry": AUTH["timestamp"],
        "NewestEntry": CACHE["timestamp"],
        "EntriesBySource": {"auth": 1, "cache": 1, "web": 1},
        "EntriesByLevel": {"error": 1, "info": 1, "warn": 1},
    }


def test_an_empty_store(live: Client) -> None:
    assert live.get("/api/v1/logs").json() == []
    assert live.get("/api/v1/logs/sources").json() == []
    found = live.get("/api/v1/logs/stats").json()
    assert (found["TotalEntries"], found["OldestEntry"]) == (0, None)
    answer = live.post(
        "/api/v1/query/analyze", json={"analysis": {"type": "frequency"}}
    )
    assert (answer.json()["count"], answer.json()["frequency"]) == (0, {})


def test_a_long_stream_is_stored_whole(live: Client) -> None:
    body = gzip.compress(LONG_LINE * 9000, compresslevel=1)
    headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
    answer = live.post("/api/v1/logs/batch", content=body, headers=headers)
    assert answer.json() == {"status": "ok", "count": "9000"}
    assert live.get("/api/v1/logs/stats").json()["TotalEntries"] == 9000


def test_a_long_stream_with_one_bad_line_is_not_stored_at_all(live: Client) -> None:
    body = LONG_LINE * 9000 + b"{}\n" + LONG_LINE * 10
    headers = {"Content-Type": "application/x-ndjson"}
    answer = live.post("/api/v1/logs/batch", content=body, headers=headers)
    assert (answer.status_code, answer.json()["index"]) == (400, 9000)
    assert live.get("/api/v1/logs/stats").json()["TotalEntries"] == 0
    answer = live.post("/api/v1/logs/batch?partial=1", content=body, headers=headers)
    assert (answer.json()["count"], answer.json()["rejected_total"]) == ("9010", 1)
    assert answer.json()["rejected"][0]["index"] == 9000
    assert live.get("/api/v1/logs/stats").json()["TotalEntries"] == 9010


def test_positions_are_stored_with_their_batch(live: Client) -> None:
    def post(body: bytes, positions: str) -> Any:
        return live.post(
            "/api/v1/logs/batch",
            content=body,
            headers={
                "Content-Type": "application/x-ndjson",
                "LogStream-Positions": positions,
            },
        )

    line = msgspec.json.encode(AUTH) + b"\n"
    ask = "/api/v1/positions?name=file:a&name=file:b"
    assert post(line, '{"file:a": 1}').is_success
    assert live.get(ask).json() == {"positions": {"file:a": 1}}
    assert post(b"", '{"file:b": {"at": 2}}').json()["count"] == "0"
    assert post(b"{}\n", '{"file:a": 99}').status_code == 400
    assert post(LONG_LINE * 9000, '{"file:a": 3}').is_success
    expected = {"positions": {"file:a": 3, "file:b": {"at": 2}}}
    assert live.get(ask).json() == expected


def test_the_rest_answers(live: Client) -> None:
    assert live.get("/api/v1/health").text == '{"status":"ok","version":"1.0.0"}'
    assert live.get("/readyz").is_success
    assert live.get("/api/v1/queue").json()["capacity_bytes"] > 0
    assert live.get("/api/v1/dead-letters").json() == {"count": 0, "dead_letters": []}
    answer = live.post("/api/v1/dead-letters/replay", json={"all": True})
    assert answer.json() == {"status": "ok", "count": "0"}


def test_a_filter_that_does_not_parse(live: Client) -> None:
    answer = live.post("/api/v1/query", json={"filter": "level:error AND"})
    assert (answer.status_code, answer.json()["offset"]) == (400, 15)
