"""Frequencies and totals, to the letter of the contract."""

from typing import Any

import pytest
from litestar.testing import TestClient

from logstream.core.sql import Sql
from logstream.core.timestamps import parse_ns
from logstream.storage.overview import Stats

ANALYZE = "/api/v1/query/analyze"
SPAN = {"from": "2025-05-01T00:00:00Z", "to": "2025-06-01T00:00:00Z"}


def test_a_frequency(client: TestClient[Any], engine: Any) -> None:
    engine.reader.found_frequency = {"auth": 2, "cache": 1, "web": 1}
    analysis = {"type": "frequency", "time_range": SPAN, "group_by": "source"}
    answer = client.post(ANALYZE, json={"analysis": analysis})
    assert answer.text == (
        '{"type":"frequency","time_range":{"from":"2025-05-01T00:00:00Z",'
        '"to":"2025-06-01T00:00:00Z"},"count":4,'
        '"frequency":{"auth":2,"cache":1,"web":1}}'
    )
    asked = engine.reader.asked[0]
    assert asked["group_by"] == "source"
    assert asked["selection"].from_ns == parse_ns(SPAN["from"])
    assert asked["selection"].to_ns == parse_ns(SPAN["to"])


def test_a_frequency_of_some_by_a_field(client: TestClient[Any], engine: Any) -> None:
    engine.reader.found_frequency = {"a": 3, "b": 2, "c": 1}
    analysis = {
        "type": "frequency",
        "filter": "timeout",
        "group_by": "user.name",
        "limit": 2,
    }
    found = client.post(ANALYZE, json={"analysis": analysis}).json()
    assert (found["count"], found["frequency"]) == (6, {"a": 3, "b": 2})
    assert engine.reader.asked[0]["group_by"] == "user.name"
    assert engine.reader.asked[0]["selection"].where == Sql(
        "message LIKE ?", ("timeout",)
    )


def test_an_open_range_is_told_as_what_there_is(
    client: TestClient[Any], engine: Any
) -> None:
    engine.reader.found_stats = a_stats()
    body: dict[str, Any] = {"analysis": {"type": "frequency"}}
    found = client.post(ANALYZE, json=body).json()
    oldest, newest = "2025-05-13T00:01:15Z", "2025-05-13T00:09:02.5Z"
    assert found["time_range"] == {"from": oldest, "to": newest}
    body["analysis"]["time_range"] = {"from": "2025-05-01", "to": None}
    found = client.post(ANALYZE, json=body).json()
    assert found["time_range"] == {"from": "2025-05-01T00:00:00Z", "to": newest}


def test_a_frequency_of_nothing(client: TestClient[Any]) -> None:
    found = client.post(ANALYZE, json={"analysis": {"type": "frequency"}}).json()
    assert found == {
        "type": "frequency",
        "time_range": {"from": None, "to": None},
        "count": 0,
        "frequency": {},
    }


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "analysis"),
        ({"analysis": {}}, "type"),
        ({"analysis": {"type": "median"}}, "invalid enum value"),
        ({"analysis": {"type": "frequency", "groupby": "x"}}, "'group_by'"),
        ({"analysis": {"type": "frequency", "group_by": ""}}, "512"),
        ({"analysis": {"type": "frequency", "limit": 0}}, "limit"),
        ({"analysis": {"type": "frequency", "time_range": {"form": 1}}}, "'from'"),
        ({"analysis": {"type": "frequency", "time_range": {"to": "soon"}}}, "soon"),
        ({"analisys": {}}, "did you mean 'analysis'"),
    ],
)
def test_bad_analyses(client: TestClient[Any], body: Any, word: str) -> None:
    answer = client.post(ANALYZE, json=body)
    assert answer.status_code == 400
    assert word in answer.json()["detail"]


def a_stats(**changed: Any) -> Stats:
    values = {
        "entries": 5,
        "oldest_ns": parse_ns("2025-05-13T00:01:15Z"),
        "newest_ns": parse_ns("2025-05-13T00:09:02.5Z"),
        "by_source": {"auth": 3, "web": 2},
        "by_level": {"info": 4, "warn": 1},
        "stored_bytes": 2500,
        "raw_bytes": 2500,
    }
    return Stats(**{**values, **changed})


def test_stats(client: TestClient[Any], engine: Any) -> None:
    engine.reader.found_stats = a_stats(raw_bytes=8000)
    assert client.get("/api/v1/logs/stats").text == (
        '{"TotalEntries":5,"OldestEntry":"2025-05-13T00:01:15Z",'
        '"NewestEntry":"2025-05-13T00:09:02.5Z",'
        '"EntriesBySource":{"auth":3,"web":2},"EntriesByLevel":{"info":4,"warn":1},'
        '"StorageSize":2500,"CompressionRatio":3.2}'
    )


def test_stats_of_nothing(client: TestClient[Any]) -> None:
    assert client.get("/api/v1/logs/stats").text == (
        '{"TotalEntries":0,"OldestEntry":null,"NewestEntry":null,'
        '"EntriesBySource":{},"EntriesByLevel":{},'
        '"StorageSize":0,"CompressionRatio":1}'
    )
