"""What is taken in, in which forms, and what is refused with what words."""

import asyncio
import gzip
import json
from collections.abc import Callable
from typing import Any

import brotli  # type: ignore[import-untyped]
import msgspec
import pytest
import zstandard
from litestar.testing import TestClient

from logstream.api.ingest import MAX_LISTED
from logstream.config.settings import IntakeConfig, ServerConfig, Settings
from logstream.core.errors import DiskFull, NotReady, Overloaded, StorageError

ENTRY = {
    "timestamp": "2025-05-13T00:01:15Z",
    "source": "auth",
    "level": "warn",
    "message": "Failed login attempt",
    "fields": {"ip": "192.168.1.100", "username": "admin"},
}
NDJSON = {"Content-Type": "application/x-ndjson"}


def lines(*entries: dict[str, Any]) -> bytes:
    return b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)


def expect_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status)
    assert problem["type"] == f"urn:logstream:{code}"
    assert problem["title"]
    assert problem["detail"]
    return problem


def test_one_entry(client: TestClient[Any], engine: Any) -> None:
    answer = client.post("/api/v1/logs", json=ENTRY)
    assert (answer.status_code, answer.text) == (200, '{"status":"ok"}')
    assert answer.headers["content-type"] == "application/json"
    assert engine.intake.entries == [ENTRY]


def test_an_array(client: TestClient[Any], engine: Any) -> None:
    answer = client.post("/api/v1/logs/batch", json=[ENTRY, ENTRY])
    assert (answer.status_code, answer.text) == (200, '{"status":"ok","count":"2"}')
    assert engine.intake.entries == [ENTRY, ENTRY]


@pytest.mark.parametrize(
    "kind",
    [
        "application/x-ndjson",
        "application/ndjson; charset=utf-8",
        "application/jsonl",
        "Application/X-JsonLines",
    ],
)
def test_lines(client: TestClient[Any], engine: Any, kind: str) -> None:
    answer = client.post(
        "/api/v1/logs/batch",
        content=lines(ENTRY, ENTRY).rstrip(),
        headers={"Content-Type": kind},
    )
    assert answer.json() == {"status": "ok", "count": "2"}
    assert engine.intake.entries == [ENTRY, ENTRY]


@pytest.mark.parametrize("body", [b"[]", b"", b"\n\n"])
def test_a_batch_may_be_empty(client: TestClient[Any], body: bytes) -> None:
    headers = {} if body == b"[]" else NDJSON
    answer = client.post("/api/v1/logs/batch", content=body, headers=headers)
    assert answer.json() == {"status": "ok", "count": "0"}


@pytest.mark.parametrize("kind", ["", "application/x-www-form-urlencoded"])
def test_a_body_without_a_telling_type_is_looked_at(
    client: TestClient[Any], engine: Any, kind: str
) -> None:
    """`curl -d` and `curl --data-binary @file` work as they are."""
    headers = {"Content-Type": kind} if kind else {}
    for body in (json.dumps([ENTRY]).encode(), b"  " + lines(ENTRY)):
        answer = client.post("/api/v1/logs/batch", content=body, headers=headers)
        assert answer.json() == {"status": "ok", "count": "1"}
    assert client.post("/api/v1/logs", content=lines(ENTRY), headers=headers).is_success
    assert engine.intake.entries == [ENTRY] * 3


@pytest.mark.parametrize(
    "kind", ["application/xml", "image/png", "application/json; charset=latin-1"]
)
@pytest.mark.parametrize("path", ["/api/v1/logs", "/api/v1/logs/batch"])
def test_other_types_are_refused(client: TestClient[Any], kind: str, path: str) -> None:
    answer = client.post(path, content=b"<a/>", headers={"Content-Type": kind})
    expect_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("zstd", zstandard.compress),
        ("br", brotli.compress),
        ("identity", bytes),
        ("gzip, zstd", lambda data: zstandard.compress(gzip.compress(data))),
    ],
)
def test_every_ingest_call_takes_packed_bodies(
    client: TestClient[Any], engine: Any, coding: str, pack: Callable[[bytes], bytes]
) -> None:
    headers = {"Content-Encoding": coding}
    one, many = json.dumps(ENTRY).encode(), json.dumps([ENTRY]).encode()
    assert client.post("/api/v1/logs", content=pack(one), headers=headers).is_success
    for body, more in ((many, {}), (lines(ENTRY), NDJSON)):
        answer = client.post(
            "/api/v1/logs/batch", content=pack(body), headers={**headers, **more}
        )
        assert answer.json() == {"status": "ok", "count": "1"}
    assert engine.intake.entries == [ENTRY] * 3


def test_an_unknown_coding_is_told_what_is_known(client: TestClient[Any]) -> None:
    answer = client.post(
        "/api/v1/logs", content=b"x", headers={"Content-Encoding": "compress"}
    )
    expect_problem(answer, 415, "unknown_encoding")
    assert answer.headers["accept-encoding"] == "gzip, deflate, zstd, br"


@pytest.mark.parametrize("coding", ["gzip", "zstd", "br", "deflate"])
def test_a_packed_body_that_is_damaged_stores_nothing(
    client: TestClient[Any], engine: Any, coding: str
) -> None:
    for body in (b"not packed at all, is it?", b""):
        answer = client.post(
            "/api/v1/logs/batch",
            content=body,
            headers={**NDJSON, "Content-Encoding": coding},
        )
        expect_problem(answer, 400, "bad_request")
    assert engine.intake.entries == []


# ---- bad entries ----


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not_json"),
        (b"hello", "not_json"),
        (b'{"message":', "not_json"),
        (b"17", "wrong_type"),
        (b"[]", "wrong_type"),
        (b'{"message":17}', "wrong_type"),
        (b'{"level":"info"}', "missing_message"),
        (b'{"message":"m","fields":3}', "wrong_type"),
        (b'{"message":"m","timestamp":"0000-01-01T00:00:00Z"}', "bad_timestamp"),
        (b'{"message":"m","timestamp":"3000-01-01T00:00:00Z"}', "bad_timestamp"),
        (b'{"message":"m","timestamp":' + b"9" * 400 + b"}", "bad_timestamp"),
        (b'{"message":"\xff"}', "not_utf8"),
        (b'{"message":"m","fields":' + b"[" * 700 + b"]" * 700 + b"}", "too_deep"),
    ],
)
def test_a_bad_entry_is_named_with_its_reason(
    client: TestClient[Any], engine: Any, body: bytes, reason: str
) -> None:
    answer = client.post("/api/v1/logs", content=body)
    problem = expect_problem(answer, 400, "entry_rejected")
    assert (problem["reason"], problem["index"]) == (reason, 0)
    assert engine.intake.refused == [reason]
    assert client.post("/api/v1/logs", json=ENTRY).is_success
    assert engine.intake.entries == [ENTRY]


def test_a_bad_entry_refuses_its_batch(client: TestClient[Any], engine: Any) -> None:
    batch: list[dict[str, Any]] = [ENTRY, {"level": "info"}, ENTRY]
    for body, headers in ((json.dumps(batch).encode(), {}), (lines(*batch), NDJSON)):
        answer = client.post("/api/v1/logs/batch", content=body, headers=headers)
        problem = expect_problem(answer, 400, "entry_rejected")
        assert (problem["index"], problem["reason"]) == (1, "missing_message")
    assert engine.intake.entries == []
    assert engine.intake.refused == ["missing_message"] * 2


def test_partial_stores_the_good_and_lists_the_bad(
    client: TestClient[Any], engine: Any
) -> None:
    batch: list[dict[str, Any]] = [ENTRY, {"level": "info"}, ENTRY]
    for body, headers in ((json.dumps(batch).encode(), {}), (lines(*batch), NDJSON)):
        answer = client.post(
            "/api/v1/logs/batch?partial=true", content=body, headers=headers
        )
        found = answer.json()
        detail = found["rejected"][0].pop("detail")
        assert "message" in detail
        assert found == {
            "status": "ok",
            "count": "2",
            "rejected": [{"index": 1, "reason": "missing_message"}],
            "rejected_total": 1,
        }
    assert engine.intake.entries == [ENTRY] * 4


def test_the_list_of_the_bad_is_bounded(client: TestClient[Any]) -> None:
    found = client.post(
        "/api/v1/logs/batch?partial=true", json=[{}] * (MAX_LISTED + 50)
    ).json()
    assert len(found["rejected"]) == MAX_LISTED
    assert (found["count"], found["rejected_total"]) == ("0", MAX_LISTED + 50)


def test_partial_with_nothing_bad(client: TestClient[Any]) -> None:
    answer = client.post("/api/v1/logs/batch?partial=true", json=[ENTRY])
    assert answer.json() == {
        "status": "ok",
        "count": "1",
        "rejected": [],
        "rejected_total": 0,
    }


def test_nul_characters_are_kept(client: TestClient[Any], engine: Any) -> None:
    client.post("/api/v1/logs", json={"message": "a\0b"})
    assert engine.intake.entries[0]["message"] == "a\0b"


# ---- positions ----


def test_positions_are_stored_with_the_batch(
    client: TestClient[Any], engine: Any
) -> None:
    header = {"LogStream-Positions": '{"file:a":{"at":3},"file:b":"x"}'}
    client.post("/api/v1/logs/batch", json=[ENTRY], headers=header)
    assert engine.intake.positions == {"file:a": {"at": 3}, "file:b": "x"}
    for body, kind in ((b"[]", {}), (b"", NDJSON)):
        moved = {"LogStream-Positions": f'{{"file:a":{len(body)}}}', **kind}
        client.post("/api/v1/logs/batch", content=body, headers=moved)
        assert engine.intake.positions["file:a"] == len(body)


@pytest.mark.parametrize(
    "header",
    ["", "x", "[1]", '{"a":', '{"":1}', '{"%s":1}' % ("n" * 513), '{"\xff":1}'],
)
def test_bad_positions_refuse_the_batch(
    post_chunks: Any, engine: Any, header: str
) -> None:
    said = post_chunks(
        "/api/v1/logs/batch",
        [json.dumps([ENTRY]).encode()],
        headers={"LogStream-Positions": header},
    )
    assert (said.status, said.json["type"]) == (400, "urn:logstream:bad_request")
    assert "LogStream-Positions" in said.json["detail"]
    assert engine.intake.entries == []


# ---- sizes ----


@pytest.fixture
def body_timeout_s() -> float:
    return 150


@pytest.fixture
def settings(body_timeout_s: float) -> Settings:
    return Settings(
        server=ServerConfig(body_timeout_s=body_timeout_s),
        intake=IntakeConfig(
            max_entry_bytes=2048, max_array_bytes=8192, max_batch_bytes=1_048_576
        ),
    )


@pytest.mark.parametrize(
    ("path", "size", "kind", "key"),
    [
        ("/api/v1/logs", 2049, "application/json", "max_entry_bytes"),
        ("/api/v1/logs/batch", 8193, "application/json", "max_array_bytes"),
        ("/api/v1/logs/batch", 8193, "text/plain", "max_array_bytes"),
        ("/api/v1/logs/batch", 1_048_577, "application/x-ndjson", "max_batch_bytes"),
    ],
)
def test_a_body_over_its_cap_names_the_key(
    client: TestClient[Any], engine: Any, path: str, size: int, kind: str, key: str
) -> None:
    for coding, pack in (("identity", bytes), ("gzip", gzip.compress)):
        answer = client.post(
            path,
            content=pack(b" " * size),
            headers={"Content-Type": kind, "Content-Encoding": coding},
        )
        assert key in expect_problem(answer, 413, "too_large")["detail"]
    assert engine.intake.entries == []


def test_an_announced_length_is_refused_before_a_byte_is_read(
    post_chunks: Any,
) -> None:
    async def receive() -> Any:
        raise AssertionError("the body was read")

    headers = {"Content-Length": "9999999", "Expect": "100-continue"}
    for path in ("/api/v1/logs", "/api/v1/logs/batch"):
        headers["Content-Type"] = "application/json"
        said = post_chunks(path, [], headers=headers, receive=receive)
        assert said.status == 413


def test_a_bomb_is_stopped_at_the_cap(post_chunks: Any, engine: Any) -> None:
    """200 MiB in 200 KB: nothing of it is stored, and not all of it is unpacked."""
    bomb = gzip.compress(bytes(200 * 1_048_576))
    said = post_chunks(
        "/api/v1/logs/batch", [bomb], headers={**NDJSON, "Content-Encoding": "gzip"}
    )
    assert (said.status, said.json["type"]) == (413, "urn:logstream:too_large")
    assert sum(engine.intake.fed_bytes) <= 1_048_576
    assert engine.intake.discarded == 1


# ---- streams ----


def test_a_stream_is_fed_in_large_blocks(post_chunks: Any, engine: Any) -> None:
    body = lines(ENTRY) * 5000
    chunks = [body[at : at + 1000] for at in range(0, len(body), 1000)]
    said = post_chunks("/api/v1/logs/batch", chunks, headers=NDJSON)
    assert said.json == {"status": "ok", "count": "5000"}
    assert sum(engine.intake.fed_bytes) == len(body)
    assert len(engine.intake.fed_bytes) == 1


@pytest.mark.parametrize("kind", ["application/x-ndjson", "application/json"])
def test_a_body_that_is_cut_off_stores_nothing(
    post_chunks: Any, engine: Any, kind: str
) -> None:
    """Even when what came is whole lines."""
    said = post_chunks(
        "/api/v1/logs/batch",
        [lines(ENTRY), None],
        headers={"Content-Type": kind},
    )
    assert said.json["type"] == "urn:logstream:body_cut_off"
    assert engine.intake.entries == []


@pytest.mark.parametrize("body_timeout_s", [0.05])
def test_a_body_that_stops_coming_is_given_up(post_chunks: Any, engine: Any) -> None:
    async def receive() -> Any:
        await asyncio.get_running_loop().create_future()

    said = post_chunks("/api/v1/logs/batch", [], headers=NDJSON, receive=receive)
    assert (said.status, said.json["type"]) == (408, "urn:logstream:body_timeout")
    assert "server.body_timeout_s" in said.json["detail"]
    assert engine.intake.discarded == 1


def test_what_follows_a_refusal_is_received_before_the_answer(
    post_chunks: Any, engine: Any
) -> None:
    """A client that writes while the connection closes never sees the answer."""
    engine.intake.fails = Overloaded(queued_bytes=9, capacity_bytes=9)
    pulled = []

    async def receive() -> Any:
        pulled.append(1)
        more = len(pulled) < 4
        return {"type": "http.request", "body": b"x" * 1_100_000, "more_body": more}

    said = post_chunks("/api/v1/logs/batch", [], headers=NDJSON, receive=receive)
    assert said.status == 413 or said.status == 429
    assert len(pulled) == 4


# ---- the other side ----


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Overloaded(queued_bytes=1, capacity_bytes=1), 429, "overloaded"),
        (DiskFull("no room"), 507, "disk_full"),
        (NotReady("stopping"), 503, "not_ready"),
        (StorageError("/secret/path broke"), 503, "storage"),
    ],
)
def test_a_server_that_cannot_take_it_says_when_to_try_again(
    client: TestClient[Any], engine: Any, error: Exception, status: int, code: str
) -> None:
    engine.intake.fails = error
    for path, body in (("logs", ENTRY), ("logs/batch", [ENTRY])):
        answer = client.post(f"/api/v1/{path}", json=body)
        problem = expect_problem(answer, status, code)
        assert int(answer.headers["retry-after"]) >= 1
        assert "secret" not in problem["detail"]
    engine.intake.fails = None
    assert client.post("/api/v1/logs", json=ENTRY).is_success


def test_parameters_that_are_not_known_are_refused(client: TestClient[Any]) -> None:
    answer = client.post("/api/v1/logs/batch?partal=true", json=[ENTRY])
    detail = expect_problem(answer, 400, "bad_request")["detail"]
    assert "did you mean 'partial'" in detail
    answer = client.post("/api/v1/logs?partial=true", json=ENTRY)
    expect_problem(answer, 400, "bad_request")
    answer = client.post("/api/v1/logs/batch?partial=maybe", json=[ENTRY])
    expect_problem(answer, 400, "bad_request")
