"""Every error has one shape, and no error tells more than it should."""

import inspect
import logging
from typing import Any

import pytest
from litestar import Litestar, get
from litestar.exceptions import HTTPException
from litestar.params import FromQuery
from litestar.testing import TestClient

from logstream.api import errors as api_errors
from logstream.api.app import build_app
from logstream.api.problems import TITLES, problem_of
from logstream.config.settings import Settings
from logstream.core import errors as core_errors
from logstream.core.errors import LogStreamError, PluginError

KINDS = [
    kind
    for module in (core_errors, api_errors)
    for _, kind in inspect.getmembers(module, inspect.isclass)
    if issubclass(kind, LogStreamError)
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_has_a_title(kind: type[LogStreamError]) -> None:
    assert TITLES[kind.code]


def test_there_is_no_title_too_many() -> None:
    assert set(TITLES) == {kind.code for kind in KINDS}


def test_errors_of_ours_hide_their_text() -> None:
    problem = problem_of(core_errors.StorageCorrupt("/srv/x.duckdb is damaged"))
    assert (problem.status, problem.type) == (500, "urn:logstream:storage_corrupt")
    assert "duckdb" not in problem.detail


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing/here", 404, "not_found"),
        ("GET", "/api/v1/", 404, "not_found"),
        ("GET", "/schema/other.json", 404, "not_found"),
        ("GET", "/docs/../etc/passwd", 404, "not_found"),
        ("GET", "/docs/other.js", 404, "not_found"),
        ("PUT", "/api/v1/logs", 405, "method_not_allowed"),
        ("GET", "/api/v1/query", 405, "method_not_allowed"),
        ("DELETE", "/metrics", 405, "method_not_allowed"),
    ],
)
def test_routing_errors_are_problems_too(
    client: TestClient[Litestar], method: str, path: str, status: int, code: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:logstream:{code}"
    assert ("allow" in answer.headers) == (status == 405)


@get("/plugin/broken")
async def broken() -> None:
    raise RuntimeError("the secret of the plugin")


@get("/plugin/refuses")
async def refuses() -> None:
    raise HTTPException("Not for you.", status_code=403)


@get("/plugin/hello")
async def hello(name: FromQuery[str] = "you") -> dict[str, str]:
    """Greet somebody."""
    return {"hello": name}


@pytest.fixture
def plugin_client(engine: Any, settings: Settings) -> Any:
    routes = [broken, refuses, hello]
    app = build_app(engine, settings=settings, plugin_routes=routes, version="1")
    with TestClient(app) as client:
        yield client


def test_an_unexpected_error_is_logged_once_and_not_told(
    plugin_client: TestClient[Litestar], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = plugin_client.get("/plugin/broken")
    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:logstream:internal"
    assert "secret" not in answer.text
    told = [one for one in caplog.records if "secret" in str(one.exc_info)]
    assert [one.name for one in told] == ["logstream.api"]


def test_a_plugins_own_refusal_keeps_its_status(
    plugin_client: TestClient[Litestar],
) -> None:
    answer = plugin_client.get("/plugin/refuses")
    assert (answer.status_code, answer.json()["status"]) == (403, 403)
    assert answer.json()["detail"] == "Not for you."


def test_plugins_routes_are_documented(plugin_client: TestClient[Litestar]) -> None:
    document = plugin_client.get("/schema").json()
    operation = document["paths"]["/plugin/hello"]["get"]
    assert operation["tags"] == ["Plugins"]
    assert "/plugin/hello" in plugin_client.get("/docs").text.replace("<wbr>", "")
    assert plugin_client.get("/plugin/hello?name=ann").json() == {"hello": "ann"}


def test_a_path_that_is_taken_is_an_error_at_start(
    engine: Any, settings: Settings
) -> None:
    @get("/api/v1/health")
    async def mine() -> None: ...

    with pytest.raises(PluginError, match="/api/v1/health"):
        build_app(engine, settings=settings, plugin_routes=[mine], version="1")
