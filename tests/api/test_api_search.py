"""What a read asks of the store, and what it answers."""

from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient

from logstream.config.settings import QueryConfig, Settings
from logstream.core.errors import BadRequest, QueryTimeout, StorageError
from logstream.core.sql import TRUE, Sql
from logstream.core.timestamps import NS_PER_S, now_ns, parse_ns
from logstream.telemetry.metrics import REGISTRY

QUERY = "/api/v1/query"


def expect_bad(answer: Any, *words: str) -> None:
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    for word in words:
        assert word in answer.json()["detail"]


def test_entries_have_exactly_the_contracts_keys(
    client: TestClient[Any], engine: Any, make_row: Any
) -> None:
    engine.reader.rows = [make_row("one"), make_row("two", fields=msgspec.Raw(b"{}"))]
    expected = (
        '[{"timestamp":"2025-05-13T00:01:15Z","source":"auth","level":"warn",'
        '"message":"one","fields":{"ip":"192.168.1.100"}},'
        '{"timestamp":"2025-05-13T00:01:15Z","source":"auth","level":"warn",'
        '"message":"two","fields":{}}]'
    )
    for answer in (client.get("/api/v1/logs"), client.post(QUERY, json={})):
        assert (answer.status_code, answer.text) == (200, expected)
        assert answer.headers["content-type"] == "application/json"
        assert "link" not in answer.headers


def test_ids_come_when_asked_for(
    client: TestClient[Any], engine: Any, make_row: Any
) -> None:
    engine.reader.rows = [make_row(id=2**60)]
    for answer in (
        client.get("/api/v1/logs?ids=true"),
        client.post(QUERY, json={"ids": True}),
    ):
        (entry,) = answer.json()
        assert next(iter(entry.items())) == ("id", str(2**60))
        assert list(entry)[1:] == ["timestamp", "source", "level", "message", "fields"]


def test_the_defaults(client: TestClient[Any], engine: Any) -> None:
    client.get("/api/v1/logs")
    client.post(QUERY, json={})
    for asked in engine.reader.asked:
        selection = asked.pop("selection")
        assert (selection.where, selection.from_ns, selection.to_ns) == (
            TRUE,
            None,
            None,
        )
        assert asked == {
            "limit": 100,
            "sort_by": "timestamp",
            "descending": True,
            "cursor": None,
        }
    assert engine.settled == 2


def test_every_condition_arrives_as_a_parameter(
    client: TestClient[Any], engine: Any
) -> None:
    client.get(
        "/api/v1/logs?q=timeout&source=auth&source=we,b&level=WARNING,err&level=5"
        "&from=2025-05-01T00:00:00Z&to=1747094475&limit=7&sort_by=user.name"
        "&sort_order=asc&cursor=abc"
    )
    body = {
        "filter": "timeout",
        "source": ["auth", "we,b"],
        "levels": ["WARNING", "err", "5"],
        "from": "2025-05-01T00:00:00Z",
        "to": 1747094475,
        "limit": 7,
        "sort_by": "user.name",
        "sort_order": "asc",
        "cursor": "abc",
    }
    client.post(QUERY, json=body)
    for asked in engine.reader.asked:
        selection = asked.pop("selection")
        assert selection.where == Sql(
            "(level IN (?, ?, ?)) AND (source IN (?, ?)) AND (message LIKE ?)",
            ("warn", "error", "info", "auth", "we,b", "timeout"),
        )
        assert selection.from_ns == parse_ns("2025-05-01T00:00:00Z")
        assert selection.to_ns == 1747094475 * NS_PER_S
        assert asked == {
            "limit": 7,
            "sort_by": "user.name",
            "descending": False,
            "cursor": "abc",
        }
    assert len(engine.reader.asked) == 2


def test_nothing_given_is_the_same_as_left_out(
    client: TestClient[Any], engine: Any
) -> None:
    """Clients with typed structs send nulls and empty texts."""
    empty: dict[str, Any] = {
        "filter": "",
        "limit": None,
        "from": "",
        "to": None,
        "levels": [],
    }
    more = {"source": "", "cursor": None, "sort_by": "timestamp"}
    assert client.post(QUERY, json={**empty, **more}).status_code == 200
    assert client.get("/api/v1/logs?q=&from=&to=&cursor=").status_code == 200
    for asked in engine.reader.asked:
        assert (asked["selection"].where, asked["cursor"]) == (TRUE, None)


def test_times_may_be_relative(client: TestClient[Any], engine: Any) -> None:
    before = now_ns()
    client.get("/api/v1/logs?from=-15m&to=now")
    selection = engine.reader.asked[0]["selection"]
    assert selection.to_ns - selection.from_ns == 15 * 60 * NS_PER_S
    assert before <= selection.to_ns <= now_ns()


# ---- pages ----


def test_the_link_leads_to_the_next_page(client: TestClient[Any], engine: Any) -> None:
    """With relative times pinned, or the cursor would belong to another query."""
    engine.reader.cursor = "next+one"
    asked = "q=a%20b&source=x&level=warn&level=error&limit=2&sort_by=n&sort_order=asc"
    answer = client.get(f"/api/v1/logs?{asked}&ids=true&from=-1h")
    url = answer.links["next"]["url"]
    assert url.startswith("/api/v1/logs?q=a+b&")
    engine.reader.cursor = None
    following = client.get(url)
    assert "link" not in following.headers
    first, second = engine.reader.asked
    assert second.pop("cursor") == "next+one"
    assert first.pop("cursor") is None
    assert first == second


def test_a_query_is_repeated_to_the_link(client: TestClient[Any], engine: Any) -> None:
    engine.reader.cursor = "c2"
    body = {"filter": "x", "from": "-1h", "cursor": "c1"}
    answer = client.post(QUERY, json=body)
    url = answer.links["next"]["url"]
    assert url.startswith("/api/v1/query?")
    client.post(url, json=body)
    first, second = engine.reader.asked
    assert (first.pop("cursor"), second.pop("cursor")) == ("c1", "c2")
    assert first == second


# ---- bad requests ----


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limt=5", ("'limt'", "did you mean 'limit'", "sort_order")),
        ("limit=0", ("limit", "10000")),
        ("limit=10001", ("query.max_limit",)),
        ("limit=-1", ("limit",)),
        ("limit=five", ("limit", "int")),
        ("limit=99999999999999999999999", ("limit",)),
        ("limit=1&limit=2", ("'limit'", "twice")),
        ("sort_order=up", ("sort_order", "asc or desc")),
        ("sort_by=", ("Sort",)),
        ("sort_by=" + "x" * 513, ("512",)),
        ("level=%21%21", ("'!!'", "level")),
        ("level=", ("level",)),
        ("from=yesteryear", ("'from'", "yesteryear", "-15m")),
        ("to=3000-01-01T00:00:00Z", ("'to'", "2262")),
        ("from=2025-01-02&to=2025-01-01", ("swap",)),
        ("ids=maybe", ("ids",)),
        ("q=%ff", ("UTF-8",)),
        ("&".join(["source=a"] * 1001), ("1000",)),
    ],
)
def test_bad_parameters(
    client: TestClient[Any], query: str, words: tuple[str, ...]
) -> None:
    expect_bad(client.get(f"/api/v1/logs?{query}"), *words)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", ("empty",)),
        (b"{", ("not JSON",)),
        (b'{"limit": 5,\n  x}', ("line 2, column 3",)),
        (b"17", ("expected `object`", "`int`")),
        (b"[]", ("expected `object`",)),
        (b'{"fliter":"x"}', ("did you mean 'filter'", "sort_by")),
        (b'{"limit":"5"}', ("'limit'", "int")),
        (b'{"limit":5.5}', ("'limit'",)),
        (b'{"levels":"error"}', ("'levels'", "array")),
        (b'{"levels":[3]}', ("'levels[0]'",)),
        (b'{"sort_order":"up"}', ("asc or desc",)),
        (b'{"filter":"\xff"}', ("not JSON",)),
        (b'{"from":true}', ("'from'",)),
        (b'{"from":1e400}', ("'from'",)),
        (b'{"from":-5}', ("'from'", "1970")),
        (b'{"filter":' + b"[" * 9000, ("filter",)),
    ],
)
def test_bad_bodies(
    client: TestClient[Any], body: bytes, words: tuple[str, ...]
) -> None:
    expect_bad(client.post(QUERY, content=body), *words)


def test_a_query_that_does_not_parse_has_its_offset(client: TestClient[Any]) -> None:
    for answer in (
        client.get("/api/v1/logs?q=ab((c"),
        client.post(QUERY, json={"filter": "ab((c"}),
    ):
        expect_bad(answer, "expected a word")
        assert answer.json()["type"] == "urn:logstream:query_syntax"
        assert answer.json()["offset"] == 2


def test_a_query_body_has_a_fixed_cap(client: TestClient[Any]) -> None:
    answer = client.post(QUERY, content=b" " * 1_048_577)
    assert answer.status_code == 413


def test_errors_of_the_store_reach_the_caller(
    client: TestClient[Any], engine: Any
) -> None:
    for error, status, told in (
        (QueryTimeout("It took longer than 30 s."), 504, "30 s"),
        (BadRequest("The cursor is of another query."), 400, "cursor"),
        (StorageError("/srv/secret.duckdb is broken"), 503, "log says why"),
        (RuntimeError("secret"), 500, "log says why"),
    ):
        engine.reader.fails = error
        answer = client.get("/api/v1/logs")
        assert answer.status_code == status
        assert told in answer.json()["detail"]
        assert "secret" not in answer.text
    engine.reader.fails = None
    assert client.get("/api/v1/logs").is_success


# ---- one entry, sources ----


def test_an_entry_by_its_id(
    client: TestClient[Any], engine: Any, make_row: Any
) -> None:
    row = make_row()
    engine.reader.rows = [row]
    found = client.get(f"/api/v1/logs/{row.id}").json()
    assert (found["id"], found["message"]) == (str(row.id), "hello")


@pytest.mark.parametrize("entry_id", ["0", "-1", "abc", "1.5", "9" * 19, "²", "9" * 99])
def test_an_id_that_no_entry_has(client: TestClient[Any], entry_id: str) -> None:
    answer = client.get(f"/api/v1/logs/{entry_id}")
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:logstream:not_found"


def test_sources_are_sorted(client: TestClient[Any], engine: Any) -> None:
    engine.reader.found_sources = ["web", "auth"]
    assert client.get("/api/v1/logs/sources").json() == ["auth", "web"]


# ---- limits ----


class TestWithSmallLimits:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(query=QueryConfig(default_limit=2, max_limit=3))

    def test_they_come_from_the_config(
        self, client: TestClient[Any], engine: Any
    ) -> None:
        client.get("/api/v1/logs")
        assert engine.reader.asked[0]["limit"] == 2
        assert client.get("/api/v1/logs?limit=3").is_success
        expect_bad(client.get("/api/v1/logs?limit=4"), "1 to 3")


def test_queries_are_timed(client: TestClient[Any]) -> None:
    name = "logstream_query_duration_seconds_count"
    before = REGISTRY.get_sample_value(name) or 0
    client.get("/api/v1/logs")
    assert REGISTRY.get_sample_value(name) == before + 1
