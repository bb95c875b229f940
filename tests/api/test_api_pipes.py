"""Queries with pipes over the API: rows in every format, limits, and `explain`."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import nanoarrow
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from logstream.api.app import build_app
from logstream.config.settings import QueryConfig, Settings, StorageConfig
from logstream.plugins.manager import load_plugins
from logstream.runtime.building import open_engine
from logstream.runtime.builtins import BUILTINS

BY_SOURCE = "level:error | stats count() as n by source"
ROWS = [{"source": "auth", "n": 3}, {"source": "web", "n": 5}]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient[Litestar]]:
    settings = Settings(
        storage=StorageConfig(path=str(tmp_path_factory.mktemp("data"))),
        query=QueryConfig(default_limit=5, max_limit=20, max_stream_rows=25),
    )
    plugins = load_plugins(settings.plugins, builtins=BUILTINS)
    entries = [
        {
            "timestamp": f"2026-01-01T00:00:{second:02d}Z",
            "source": "web" if second % 3 else "auth",
            "level": "error" if second % 4 == 0 else "info",
            "message": f"request {second}",
            "fields": {"took": second},
        }
        for second in range(30)
    ]
    with (
        open_engine(settings, plugins=plugins) as (engine, _),
        TestClient(build_app(engine, settings=settings, version="1")) as found,
    ):
        assert found.post("/api/v1/logs/batch", json=entries).status_code == 200
        yield found


def ask(client: TestClient[Litestar], text: str, **body: Any) -> Any:
    answer = client.post("/api/v1/query", json={"filter": text, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_rows_are_objects(client: TestClient[Litestar]) -> None:
    assert ask(client, BY_SOURCE) == ROWS
    assert client.get("/api/v1/logs", params={"q": BY_SOURCE}).json() == ROWS


def test_conditions_beside_the_query_hold_too(client: TestClient[Litestar]) -> None:
    counted = "| stats count() as n"
    assert ask(client, counted, levels=["ERROR"], source="web") == [{"n": 5}]
    span = {"from": "2026-01-01T00:00:10Z", "to": "2026-01-01T00:00:20Z"}
    assert ask(client, counted, **span) == [{"n": 10}]
    asked = {"q": counted, "level": "error,warn", "source": ["auth", "db"]}
    assert client.get("/api/v1/logs", params=asked).json() == [{"n": 3}]


def test_a_quoted_bar_is_no_pipe(client: TestClient[Litestar]) -> None:
    assert ask(client, '"a | b"') == []


def test_entries_stay_entries(client: TestClient[Litestar]) -> None:
    found = ask(client, "took:29 | eval double = took * 2", ids=True)
    identity = found[0].pop("id")
    assert identity.isdecimal()
    assert found == [
        {
            "timestamp": "2026-01-01T00:00:29Z",
            "source": "web",
            "level": "info",
            "message": "request 29",
            "fields": {"took": 29, "double": 58.0},
        }
    ]


def test_limits(client: TestClient[Litestar]) -> None:
    assert len(ask(client, "* | eval a = 1")) == 5
    assert len(ask(client, "* | fields took")) == 20
    assert len(ask(client, "* | fields took", limit=7)) == 7
    refused = client.post("/api/v1/query", json={"filter": "|head", "limit": 21})
    assert refused.status_code == 400
    assert len(ask_all(client, "took:<25 | fields took", "csv").text.split()) == 26


def ask_all(client: TestClient[Litestar], text: str, how: str) -> Any:
    body = {"filter": text, "limit": 0, "format": how}
    return client.post("/api/v1/query", json=body)


@pytest.mark.parametrize("how", ["ndjson", "csv", "arrow", "parquet"])
@pytest.mark.parametrize("pipe", ["fields took", "where took >= 0"])
def test_all_rows_are_never_a_part_of_them(
    client: TestClient[Litestar], pipe: str, how: str
) -> None:
    fits = ask_all(client, f"took:<25 | {pipe}", how)
    assert fits.status_code == 200
    refused = ask_all(client, f"* | {pipe}", how)
    assert refused.status_code == 413
    assert "query.max_stream_rows" in refused.json()["detail"]


@pytest.mark.parametrize("how", ["json", "ndjson", "csv", "arrow", "table"])
def test_every_format(client: TestClient[Litestar], how: str) -> None:
    answer = client.get("/api/v1/logs", params={"q": BY_SOURCE, "format": how})
    assert answer.status_code == 200
    match how:
        case "json":
            assert answer.json() == ROWS
        case "ndjson":
            assert answer.text.splitlines() == [
                '{"source":"auth","n":3}',
                '{"source":"web","n":5}',
            ]
        case "csv":
            found = list(csv.DictReader(io.StringIO(answer.text)))
            assert found == [{"source": "auth", "n": "3"}, {"source": "web", "n": "5"}]
        case "arrow":
            stream = nanoarrow.ipc.InputStream.from_readable(io.BytesIO(answer.content))
            table = nanoarrow.ArrayStream(stream).read_all()
            assert table.to_pylist() == ROWS
        case _:
            assert answer.json() == {
                "columns": [
                    {"name": "source", "kind": "text"},
                    {"name": "n", "kind": "integer"},
                ],
                "rows": [["auth", 3], ["web", 5]],
            }


def test_a_text_in_csv_has_no_quotes_of_json(client: TestClient[Litestar]) -> None:
    answer = ask_all(client, "took:1 | eval a = source, b = took | fields a, b", "csv")
    assert answer.text == "a,b\r\nweb,1\r\n"
    answer = ask_all(client, 'took:1 | stats values(source) as a, max("x") as b', "csv")
    assert answer.text.startswith('a,b\r\n"[""web""]"')


def test_a_table_says_when_there_is_more(client: TestClient[Litestar]) -> None:
    found = ask(client, "* | fields took", format="table", limit=2)
    assert found["truncated"] is True
    assert len(found["rows"]) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("* | stast count()", "did you mean stats"),
        ("* | stats count() by source | where x > 1", "no column 'x'"),
        ("* | where message ~ '('", "regular expression"),
        ("* | format", "no pipe"),
    ],
)
def test_a_mistake_is_400(client: TestClient[Litestar], text: str, said: str) -> None:
    answer = client.post("/api/v1/query", json={"filter": text})
    assert answer.status_code == 400
    assert said in answer.json()["detail"]


def test_pages_do_not_go_with_pipes(client: TestClient[Litestar]) -> None:
    answer = client.get("/api/v1/logs", params={"q": "|head", "sort_by": "took"})
    assert answer.status_code == 400
    assert "| sort by" in answer.json()["detail"]


def test_explain_tells_what_would_be_done(client: TestClient[Litestar]) -> None:
    found = ask(client, BY_SOURCE, explain=True)
    assert found["query"] == BY_SOURCE
    assert [one["day"] for one in found["days"]["s0"]] == ["2026-01-01"]
    level = {"node": "match", "field": "level", "glob": "error"}
    assert found["tree"]["filter"] == level
    assert [pipe["node"] for pipe in found["tree"]["pipes"]] == ["stats"]
    assert "GROUP BY" in found["sql"]
    assert "Projection" in found["plan"]
    plain = client.get("/api/v1/logs", params={"q": "level:error", "explain": "true"})
    assert plain.json()["query"] == "level:error"


def analyse(client: TestClient[Litestar], **analysis: Any) -> Any:
    return client.post("/api/v1/query/analyze", json={"analysis": analysis})


def test_buckets_are_as_long_as_the_range_needs(client: TestClient[Litestar]) -> None:
    answer = analyse(client, type="histogram")
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["rows"]) > 10  # of seconds; of an hour it were one


@pytest.mark.parametrize(
    ("analysis", "names", "first"),
    [
        (
            {"type": "histogram", "span": "10s"},
            ["timestamp", "count"],
            ["2026-01-01T00:00:00Z", 10],
        ),
        (
            {"type": "timechart", "span": "10s", "aggregates": ["max(took) as most"]},
            ["timestamp", "most"],
            ["2026-01-01T00:00:00Z", 9.0],
        ),
        (
            {"type": "top", "group_by": ["source", "level"], "limit": 1},
            ["source", "level", "count", "percent"],
            ["web", "info", 15, 50.0],
        ),
        (
            {"type": "stats", "group_by": "source", "aggregates": ["avg(took) as a"]},
            ["source", "a"],
            ["auth", 13.5],
        ),
        (
            {"type": "patterns", "filter": "level:error"},
            ["pattern", "count", "percent", "first", "last", "sample", "trend"],
            None,
        ),
        (
            {"type": "anomalies", "span": "5s"},
            ["timestamp", "count", "expected", "score", "is_anomaly", "explanation"],
            None,
        ),
        ({"type": "facets"}, ["field", "value", "count", "percent"], None),
    ],
)
def test_analyses(
    client: TestClient[Litestar], analysis: Any, names: list[str], first: Any
) -> None:
    answer = analyse(client, **analysis)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["type"] == analysis["type"]
    assert [column["name"] for column in found["columns"]] == names
    assert first is None or found["rows"][0] == first
    again = ask(client, found["query"], format="table")
    assert again["rows"] == found["rows"]


@pytest.mark.parametrize(
    "analysis",
    [
        {"type": "top"},
        {"type": "histogram", "group_by": ["a", "b"]},
        {"type": "stats", "aggregates": ["nothing()"]},
        {"type": "histogram", "span": "soon"},
        {"type": "frequency", "group_by": ["a", "b"]},
        {"type": "unknown"},
    ],
)
def test_an_analysis_that_cannot_be_is_400(
    client: TestClient[Litestar], analysis: Any
) -> None:
    assert analyse(client, **analysis).status_code == 400


def test_frequency_takes_a_list_of_one(client: TestClient[Litestar]) -> None:
    found = analyse(client, type="frequency", group_by=["level"]).json()
    assert found["frequency"] == {"info": 22, "error": 8}
