"""Saved queries over HTTP, on a real engine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from logstream.api.app import build_app
from logstream.config.settings import PluginsConfig, Settings, StorageConfig
from logstream.plugins.manager import load_plugins
from logstream.runtime.building import open_engine

Client = TestClient[Litestar]
SLOW = {"name": "slow", "query": "took:>1s | top path", "description": "Too long"}


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Client]:
    settings = Settings(storage=StorageConfig(path=str(tmp_path / "data")))
    plugins = load_plugins(PluginsConfig(), builtins=())
    with open_engine(settings, plugins=plugins) as (engine, _):
        app = build_app(engine, settings=settings, version="1.0.0")
        with TestClient(app) as client:
            yield client


def test_queries_are_saved_listed_and_removed(live: Client, tmp_path: Path) -> None:
    assert live.get("/api/v1/saved").json() == []
    made = live.post("/api/v1/saved", json=SLOW)
    assert made.status_code == 200
    found = made.json()
    assert list(found) == ["name", "query", "description", "created"]
    assert {**found, "created": ""} == {**SLOW, "created": ""}
    assert live.get("/api/v1/saved").json() == [found]
    assert live.get("/api/v1/saved/slow").json() == found
    assert (tmp_path / "data" / "saved.json").exists()
    gone = live.delete("/api/v1/saved/slow")
    assert gone.json() == {"status": "ok", "removed": found}
    assert live.get("/api/v1/saved").json() == []


def test_a_name_that_is_taken_is_a_conflict(live: Client) -> None:
    made = live.post("/api/v1/saved", json=SLOW).json()
    assert live.post("/api/v1/saved", json=SLOW).json() == made
    other = {**SLOW, "query": "took:>2s"}
    refused = live.post("/api/v1/saved", json=other)
    assert refused.status_code == 409
    assert refused.json()["type"] == "urn:logstream:already_there"
    replaced = live.post("/api/v1/saved", json={**other, "replace": True})
    assert replaced.json()["query"] == "took:>2s"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"name": "a/b"}, "name"),
        ({"name": 5}, "name"),
        ({"query": ""}, "query"),
        ({"query": "level:"}, ""),
        ({"query": "* | nothing"}, ""),
        ({"query": "* | stats nothing()"}, ""),
        ({"query": "x" * 8200}, "8192"),
        ({"description": "x" * 2000}, "1000"),
        ({"querying": "*"}, "did you mean 'query'"),
    ],
)
def test_wrong_ones_are_refused(
    live: Client, changed: dict[str, Any], says: str
) -> None:
    refused = live.post("/api/v1/saved", json={**SLOW, **changed})
    assert refused.status_code == 400
    assert says in refused.json()["detail"]
    assert live.get("/api/v1/saved").json() == []


def test_one_that_is_not_there_is_not_found(live: Client) -> None:
    for call in (live.get, live.delete):
        answer = call("/api/v1/saved/none")
        assert answer.status_code == 404
        assert answer.json()["type"] == "urn:logstream:not_found"
