"""The commands' questions as calls of the REST contract."""

from typing import Any

import pytest

from logstream.cli.backend import Search
from logstream.cli.http_backend import HttpBackend, answers
from logstream.core.errors import (
    AlreadyThere,
    BadRequest,
    ConfigError,
    LogStreamError,
    NotFound,
    NotReady,
    QuerySyntaxError,
    QueryTimeout,
    ServerUnreachable,
    StorageCorrupt,
    TooLarge,
    TooManyQueries,
)


def an_entry(message: str) -> dict[str, Any]:
    return {
        "timestamp": "2025-05-13T00:01:15Z",
        "source": "web",
        "level": "info",
        "message": message,
        "fields": {"status": 200},
    }


def messages(stub: Any, **search: Any) -> list[str]:
    with HttpBackend(stub.url) as backend:
        return [found.message for found in backend.search(Search(**search))]


def test_a_search_is_a_query_of_the_contract(stub: Any) -> None:
    stub.on("POST /api/v1/query", [an_entry("a")])
    found = messages(
        stub,
        text="level:error",
        sources=("web", "auth"),
        levels=("warn",),
        from_ns=0,
        to_ns=1_500_000_000,
        limit=7,
        sort_by="status",
        descending=False,
        ids=True,
    )
    assert found == ["a"]
    assert stub.asked == [
        (
            "POST /api/v1/query",
            {
                "filter": "level:error",
                "source": ["web", "auth"],
                "levels": ["warn"],
                "from": "1970-01-01T00:00:00Z",
                "to": "1970-01-01T00:00:01.5Z",
                "limit": 7,
                "sort_by": "status",
                "sort_order": "asc",
                "ids": True,
            },
        )
    ]


def paged(stub: Any, total: int, largest: int | None = None) -> None:
    """Entries 0 to total, in pages as the server gives them."""

    def answer(body: Any, path: str) -> tuple[int, dict[str, str], Any]:
        asked = body.get("limit", 3)
        if largest is not None and asked > largest:
            detail = f"'limit' is {asked}; it can be 1 to {largest} (query.max_limit)."
            return 400, {}, {"type": "urn:logstream:bad_request", "detail": detail}
        begin = int(path.rpartition("cursor=")[2] or 0) if "cursor=" in path else 0
        end = min(begin + asked, total)
        link = f'</api/v1/query?to=2025-05-14T00%3A00%3A00Z&cursor={end}>; rel="next"'
        headers = {"Link": link} if end < total else {}
        return 200, headers, [an_entry(str(i)) for i in range(begin, end)]

    stub.answers["POST /api/v1/query"] = answer


def test_a_search_without_a_limit_follows_the_pages_to_the_end(stub: Any) -> None:
    paged(stub, 2_400)
    assert messages(stub, limit=0) == [str(i) for i in range(2_400)]
    assert len(stub.asked) == 3
    assert "to=2025-05-14T00%3A00%3A00Z" in stub.asked[1][0]


def test_a_limit_above_a_page_is_kept_to(stub: Any) -> None:
    paged(stub, 2_400)
    assert len(messages(stub, limit=1_500)) == 1_500
    assert [body["limit"] for _, body in stub.asked] == [1_000, 500]


def test_a_server_that_gives_smaller_pages_is_taken_at_its_own(stub: Any) -> None:
    paged(stub, 20, largest=4)
    assert messages(stub, limit=10) == [str(i) for i in range(10)]
    assert messages(stub, limit=0) == [str(i) for i in range(20)]


def test_pages_are_asked_for_as_they_are_taken(stub: Any) -> None:
    """`| head` on everything costs one page."""
    paged(stub, 1_000_000)
    with HttpBackend(stub.url) as backend:
        assert next(iter(backend.search(Search(limit=0)))).message == "0"
    assert len(stub.asked) == 1


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "bad_request", BadRequest),
        (404, "not_found", NotFound),
        (409, "already_there", AlreadyThere),
        (413, "too_large", TooLarge),
        (422, "idempotency_mismatch", BadRequest),
        (429, "too_many_queries", TooManyQueries),
        (500, "internal", LogStreamError),
        (500, "storage_corrupt", StorageCorrupt),
        (503, "not_ready", NotReady),
        (504, "query_timeout", QueryTimeout),
    ],
)
def test_a_problem_is_the_error_that_it_was(
    stub: Any, status: int, code: str, error: type[LogStreamError]
) -> None:
    problem = {"type": f"urn:logstream:{code}", "status": status, "detail": "why"}
    stub.on("GET /api/v1/logs/stats", problem, status=status)
    with HttpBackend(stub.url) as backend, pytest.raises(error, match="why") as caught:
        backend.totals()
    assert type(caught.value) is error


def test_a_syntax_error_keeps_its_place(stub: Any) -> None:
    problem = {"type": "urn:logstream:query_syntax", "detail": "no", "offset": 5}
    stub.on("POST /api/v1/query", problem, status=400)
    with pytest.raises(QuerySyntaxError) as caught:
        messages(stub, text="level:")
    assert caught.value.offset == 5


def test_something_else_that_answers_is_no_server(stub: Any) -> None:
    stub.on("GET /api/v1/logs/sources", b"<html>hello</html>")
    stub.on("GET /api/v1/logs/stats", b"<html>not found</html>", status=404)
    with HttpBackend(stub.url) as backend:
        with pytest.raises(ServerUnreachable):
            backend.sources()
        with pytest.raises(ServerUnreachable, match="404"):
            backend.totals()


def test_no_answer_is_told_with_what_to_do() -> None:
    nobody = HttpBackend("http://127.0.0.1:9")
    with nobody, pytest.raises(ServerUnreachable, match="logstream serve"):
        nobody.sources()


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(ConfigError, match="http://"):
        HttpBackend("localhost:8000")


def test_a_server_is_known_by_its_health(stub: Any) -> None:
    assert not answers(stub.url)
    stub.on("GET /api/v1/health", {"status": "ok", "version": "1.0.0"})
    assert answers(stub.url)
    assert not answers("http://127.0.0.1:9")
    assert not answers("nonsense")
