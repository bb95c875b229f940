"""`POST /api/v1/sql`, on an engine in memory."""

from collections.abc import Iterator
from typing import Any

import pytest
from litestar.testing import TestClient

from logstream.api.app import build_app
from logstream.config.settings import QueryConfig, Settings, StorageConfig
from logstream.plugins.manager import load_plugins
from logstream.runtime.building import open_engine
from logstream.runtime.builtins import BUILTINS

SQL = "/api/v1/sql"


@pytest.fixture(scope="module")
def sql_client() -> Iterator[TestClient[Any]]:
    settings = Settings(
        storage=StorageConfig(path=":memory:"), query=QueryConfig(max_limit=5)
    )
    plugins = load_plugins(settings.plugins, builtins=BUILTINS)
    with open_engine(settings, plugins=plugins) as (engine, _):
        app = build_app(engine, settings=settings, version="1")
        with TestClient(app) as client:
            entries = [
                {
                    "timestamp": f"2026-11-20T10:00:0{at}Z",
                    "source": "web" if at % 2 else "db",
                    "message": f"m{at}",
                    "fields": {"status": 200 + at, "http": {"path": "/"}},
                }
                for at in range(8)
            ]
            client.post("/api/v1/logs/batch", json=entries).raise_for_status()
            yield client


def ask(client: TestClient[Any], sql: str, **more: Any) -> Any:
    return client.post(SQL, json={"sql": sql, **more})


def test_rows_are_objects(sql_client: TestClient[Any]) -> None:
    text = (
        "SELECT source, count(*) AS n, max(fields.status::int) AS worst "
        "FROM logs WHERE fields.status::int > ? GROUP BY source ORDER BY source"
    )
    answer = ask(sql_client, text, params=[201])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == [
        {"source": "db", "n": 3, "worst": 206},
        {"source": "web", "n": 3, "worst": 207},
    ]
    assert "logstream-truncated" not in answer.headers


def test_the_tables_are_listed(sql_client: TestClient[Any]) -> None:
    assert sql_client.get(f"{SQL}/tables").json() == ["logs"]


def test_all_columns_of_an_entry(sql_client: TestClient[Any]) -> None:
    text = "SELECT * EXCLUDE (id) FROM logs ORDER BY timestamp LIMIT 1"
    assert ask(sql_client, text).json() == [
        {
            "timestamp": "2026-11-20T10:00:00Z",
            "source": "db",
            "level": "info",
            "message": "m0",
            "fields": {"http": {"path": "/"}, "status": 200},
        }
    ]


def test_a_range_and_a_limit(sql_client: TestClient[Any]) -> None:
    text = "SELECT message FROM logs ORDER BY timestamp"
    span = {"from": "2026-11-20T10:00:02Z", "to": "2026-11-20T10:00:06Z"}
    found = ask(sql_client, text, limit=3, **span)
    assert [row["message"] for row in found.json()] == ["m2", "m3", "m4"]
    assert found.headers["logstream-truncated"] == "true"
    found = ask(sql_client, text, limit=4, **span)
    assert "logstream-truncated" not in found.headers
    assert len(ask(sql_client, text).json()) == 5
    assert "query.max_limit" in ask(sql_client, text, limit=6).json()["detail"]


def test_formats(sql_client: TestClient[Any]) -> None:
    text = "SELECT source, fields.http AS http FROM logs ORDER BY timestamp LIMIT 1"
    assert ask(sql_client, text, format="table").json() == {
        "columns": [
            {"name": "source", "kind": "text"},
            {"name": "http", "kind": "json"},
        ],
        "rows": [["db", {"path": "/"}]],
    }
    lines = ask(sql_client, text, format="ndjson")
    assert lines.text == '{"source":"db","http":{"path":"/"}}\n'
    wanted = {"Accept": "text/csv"}
    values = sql_client.post(SQL, json={"sql": text}, headers=wanted)
    assert values.headers["content-type"].startswith("text/csv")
    assert values.text == 'source,http\r\ndb,"{""path"":""/""}"\r\n'


@pytest.mark.parametrize(
    ("text", "offset", "words"),
    [
        ("SELECT nope FROM logs", 7, "nope"),
        ("SELECTT 1", 0, "syntax error"),
        ("SELECT * FROM read_csv('/etc/passwd')", 14, "read_csv"),
        ("SELECT 1; DROP TABLE logs", 0, "one SELECT"),
        ("DELETE FROM logs", 0, "Only SELECT"),
        ("SELECT 'x'::int", 10, "Could not convert"),
    ],
)
def test_mistakes_are_problems_that_point(
    sql_client: TestClient[Any], text: str, offset: int, words: str
) -> None:
    answer = ask(sql_client, text)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "urn:logstream:query_syntax"
    assert problem["offset"] == offset
    assert words in problem["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"sql": 1},
        {"sql": "SELECT 1", "parameters": []},
        {"sql": "SELECT ?", "params": [[1]]},
        {"sql": "SELECT ?", "params": {"a": 1}},
        {"sql": "SELECT ?", "params": []},
        {"sql": "SELECT 1", "format": "xml"},
        {"sql": "SELECT 1", "limit": 0},
        {"sql": "SELECT 1", "timeout_s": 0},
        {"sql": "SELECT 1", "from": "2026-11-21", "to": "2026-11-20"},
        {"sql": "SELECT '\ud800'"},
        {"sql": "SELECT ?", "params": ["\ud800"]},
        {"sql": "SELECT ?", "params": [10**40]},
    ],
)
def test_a_body_that_cannot_be_used(
    sql_client: TestClient[Any], body: dict[str, Any]
) -> None:
    import json

    answer = sql_client.post(SQL, content=json.dumps(body).encode())
    assert answer.status_code == 400, answer.text


def test_what_takes_too_long_is_stopped(sql_client: TestClient[Any]) -> None:
    text = "SELECT count(*) FROM range(1000000000000) AS a, range(1000000000000) AS b"
    answer = ask(sql_client, text, timeout_s=0.2)
    assert answer.status_code == 504
    assert ask(sql_client, "SELECT 1 AS a").json() == [{"a": 1}]
