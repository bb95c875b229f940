"""Bad input over real HTTP: what and where is told, and the next request works."""

import contextlib
import gzip
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.fault.server_process import Answer, ServerProcess, ask

GOOD = b'{"message":"good"}'
PEAK_BYTES = 600 * 1_048_576

_JSON = {"Content-Type": "application/json"}
_NDJSON = {"Content-Type": "application/x-ndjson"}
_ONE, _BATCH = "/api/v1/logs", "/api/v1/logs/batch"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("bad-input")
    config = {"server": {"body_timeout_s": 2}}
    with ServerProcess(folder, config=config).wait_until_serving() as server:
        yield server


@pytest.fixture(autouse=True)
def stored(server: ServerProcess) -> Iterator[list[int]]:
    """How many entries a test stores: none, but for what it puts in here."""
    before = server.total()
    stored: list[int] = []
    yield stored
    answer = server.ask("POST", _ONE, GOOD, _JSON)
    assert (answer.status, answer.json()) == (200, {"status": "ok"})
    assert server.total() == before + 1 + sum(stored)
    assert server.peak_bytes() < PEAK_BYTES


class Case(NamedTuple):
    name: str
    body: bytes
    says: str
    reason: str


def _nested(depth: int) -> bytes:
    return b'{"message":"m","fields":{"a":' + b"[" * depth + b"]" * depth + b"}}"


CASES = (
    Case("not-json", b"hello", "not JSON", "not_json"),
    Case("empty", b"", "empty", "not_json"),
    Case("cut-json", b'{"message":"m"', "not JSON", "not_json"),
    Case("nan", b'{"message":"m","fields":{"a":NaN}}', "not JSON", "not_json"),
    Case("number", b"7", "expected an object, got a number", "wrong_type"),
    Case("text", b'"message"', "expected an object, got text", "wrong_type"),
    Case("null", b"null", "expected an object, got null", "wrong_type"),
    Case("no-message", b'{"level":"info"}', "message: is missing", "missing_message"),
    Case("message-number", b'{"message":1}', "message: expected text", "wrong_type"),
    Case(
        "fields-number",
        b'{"message":"m","fields":7}',
        "fields: expected an object, got a number",
        "wrong_type",
    ),
    Case(
        "source-list",
        b'{"message":"m","source":[1]}',
        "source: expected text, got an array",
        "wrong_type",
    ),
    Case("level-object", b'{"message":"m","level":{}}', "level: ", "wrong_type"),
    Case("level-number", b'{"message":"m","level":99}', "level: 99", "bad_level"),
    Case("bytes", b'{"message":"\xff\xfe"}', "not UTF-8", "not_utf8"),
    Case("surrogate", b'{"message":"\\ud800"}', "", "not_json"),
    Case("deep", _nested(100_000), "nested deeper", "too_deep"),
    Case("somewhat-deep", _nested(600), "nested deeper", "too_deep"),
    Case(
        "year-0",
        b'{"message":"m","timestamp":"0000-01-01T00:00:00Z"}',
        "timestamp: '0000-01-01T00:00:00Z'",
        "bad_timestamp",
    ),
    Case(
        "year-3000",
        b'{"message":"m","timestamp":"3000-01-01T00:00:00Z"}',
        "timestamp: '3000-01-01T00:00:00Z'",
        "bad_timestamp",
    ),
    Case(
        "timestamp-true",
        b'{"message":"m","timestamp":true}',
        "timestamp: expected text or a number",
        "bad_timestamp",
    ),
)


def _is_problem(answer: Answer, status: int) -> dict[str, Any]:
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    return problem


def _check(answer: Answer, case: Case, index: int) -> None:
    problem = _is_problem(answer, 400)
    assert problem["type"] == "urn:logstream:entry_rejected"
    assert problem["index"] == index
    assert problem["reason"] == case.reason
    assert case.says in problem["detail"]
    assert f"Entry {index}" in problem["detail"]
    assert len(problem["detail"]) < 500


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_entry_that_is_bad_is_refused_with_what_and_where(
    server: ServerProcess, case: Case
) -> None:
    connection = server.connect()
    _check(ask(connection, "POST", _ONE, case.body, _JSON), case, 0)
    answer = ask(connection, "GET", "/healthz")  # the same connection goes on
    assert answer.status == 200
    connection.close()


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.body], ids=lambda case: case.name
)
def test_a_bad_line_in_a_stream_is_refused_with_its_index_and_nothing_is_stored(
    server: ServerProcess, case: Case
) -> None:
    body = b"\n".join([GOOD, GOOD, case.body, GOOD])
    connection = server.connect()
    _check(ask(connection, "POST", _BATCH, body, _NDJSON), case, 2)
    assert ask(connection, "GET", "/healthz").status == 200
    connection.close()


def test_a_bad_line_after_megabytes_of_good_ones_is_refused_with_all_of_them(
    server: ServerProcess,
) -> None:
    lines = [b'{"message":"%s"}' % (b"x" * 1000)] * 20_000
    body = b"\n".join([*lines, b'{"level":"info"}'])
    problem = _is_problem(server.ask("POST", _BATCH, body, _NDJSON), 400)
    assert problem["index"] == 20_000
    journal = server.data / "journal"
    assert not list(journal.glob("staging-*"))
    assert not list(journal.glob("batch-*"))


@pytest.mark.parametrize("case", CASES[3:], ids=lambda case: case.name)
def test_a_bad_element_of_an_array_is_refused(
    server: ServerProcess, case: Case
) -> None:
    body = b"[" + GOOD + b"," + case.body + b"]"
    problem = _is_problem(server.ask("POST", _BATCH, body, _JSON), 400)
    assert problem["reason"] == case.reason
    if case.name not in {"nan", "bytes", "surrogate", "deep"}:  # no whole array
        assert problem["index"] == 1


@pytest.mark.parametrize("body", [b"{}", b"7", b"[7", b""], ids=repr)
def test_a_body_that_is_no_array_is_refused(server: ServerProcess, body: bytes) -> None:
    _is_problem(server.ask("POST", _BATCH, body, _JSON), 400)


@pytest.mark.parametrize("kind", [_JSON, _NDJSON], ids=["json", "ndjson"])
@pytest.mark.parametrize("path", [_ONE, _BATCH], ids=["one", "batch"])
def test_a_line_of_100_mb_is_refused(
    server: ServerProcess, path: str, kind: dict[str, str]
) -> None:
    line = b'{"message":"%s"}' % (b"x" * 100_000_000)
    body = b"[" + line + b"]" if kind is _JSON and path is _BATCH else line
    problem = server.ask("POST", path, body, kind).json()
    assert problem["status"] in {400, 413}, problem
    assert "intake.max_" in problem["detail"]


@pytest.mark.parametrize("path", [_ONE, _BATCH], ids=["one", "batch"])
def test_a_gzip_bomb_is_refused_in_bounded_memory(
    server: ServerProcess, path: str
) -> None:
    packed = gzip.compress(b" " * 300_000_000, 1)
    assert len(packed) < 2_000_000
    headers = {**_JSON, "Content-Encoding": "gzip"}
    problem = _is_problem(server.ask("POST", path, packed, headers), 413)
    assert "max_" in problem["detail"]


def test_a_gzip_bomb_of_one_line_in_a_stream_is_refused(server: ServerProcess) -> None:
    packed = gzip.compress(b'{"message":"' + b"x" * 300_000_000, 1)
    headers = {**_NDJSON, "Content-Encoding": "gzip"}
    problem = _is_problem(server.ask("POST", _BATCH, packed, headers), 400)
    assert problem["index"] == 0
    assert "max_entry_bytes" in problem["detail"]


def test_what_is_not_gzip_but_says_so_is_refused(server: ServerProcess) -> None:
    headers = {**_JSON, "Content-Encoding": "gzip"}
    problem = _is_problem(server.ask("POST", _ONE, GOOD, headers), 400)
    assert "gzip" in problem["detail"]


def test_a_gzip_body_that_ends_too_soon_is_refused(server: ServerProcess) -> None:
    headers = {**_NDJSON, "Content-Encoding": "gzip"}
    packed = gzip.compress(b"\n".join([GOOD] * 1000))[:-8]
    problem = _is_problem(server.ask("POST", _BATCH, packed, headers), 400)
    assert "cut off" in problem["detail"]


def test_an_unknown_encoding_is_refused_and_the_known_ones_are_named(
    server: ServerProcess,
) -> None:
    headers = {**_JSON, "Content-Encoding": "lzw"}
    problem = _is_problem(server.ask("POST", _ONE, GOOD, headers), 415)
    assert "'lzw'" in problem["detail"]
    assert "zstd" in problem["detail"]


@pytest.mark.parametrize("kind", ["text/csv", "application/json; charset=utf-16"])
def test_another_content_type_or_charset_is_refused(
    server: ServerProcess, kind: str
) -> None:
    _is_problem(server.ask("POST", _ONE, GOOD, {"Content-Type": kind}), 415)


@pytest.mark.parametrize("sent", [b"", b'{"message":"half"}\n' * 50_000], ids=len)
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("path", [_ONE, _BATCH], ids=["one", "batch"])
def test_a_body_that_is_cut_off_half_way_is_not_stored(
    server: ServerProcess, path: str, chunked: bool, sent: bytes
) -> None:
    host, _, port = server.address.partition(":")
    how = "Transfer-Encoding: chunked" if chunked else "Content-Length: 9000000"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
    with socket.create_connection((host, int(port)), 30) as raw:
        raw.sendall(f"{head}{how}\r\n\r\n".encode())
        if sent:
            frame = b"%x\r\n%s\r\n" % (len(sent), sent) if chunked else sent
            with contextlib.suppress(OSError):
                raw.sendall(frame)
        with contextlib.suppress(OSError):  # too long by its length: hung up on
            raw.shutdown(socket.SHUT_RDWR)


def test_a_body_that_stops_arriving_is_given_up(server: ServerProcess) -> None:
    connection = server.connect()
    connection.putrequest("POST", _BATCH)
    connection.putheader("Content-Type", "application/x-ndjson")
    connection.putheader("Content-Length", "9000")
    connection.endheaders()
    connection.send(b'{"message":"half"}\n')
    answer = connection.getresponse()
    assert answer.status == 408
    assert "body_timeout_s" in json.loads(answer.read())["detail"]
    connection.close()


def test_nul_bytes_are_refused_raw_and_kept_when_escaped(
    server: ServerProcess, stored: list[int]
) -> None:
    raw = _is_problem(server.ask("POST", _ONE, b'{"message":"a\0b"}', _JSON), 400)
    assert raw["reason"] == "not_json"
    body = rb'{"message":"nul a\u0000b","fields":{"k\u0000":"\u0000v"}}'
    assert server.ask("POST", _BATCH, body + b"\n" + body, _NDJSON).status == 200
    stored.append(2)
    rows = server.query('"nul a"')
    assert [row["message"] for row in rows] == ["nul a\0b"] * 2
    assert rows[0]["fields"] == {"k\0": "\0v"}


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/logs?limit=-1",
        "/api/v1/logs?limit=many",
        "/api/v1/logs?q=level%3A",
        "/api/v1/logs?q=%28",
        "/api/v1/logs?from=yesteryear",
        "/api/v1/logs?cursor=rubbish",
        "/api/v1/logs?limt=3",
        "/api/v1/dead-letters?before_id=x",
    ],
)
def test_a_bad_question_is_answered_with_what_is_wrong(
    server: ServerProcess, path: str
) -> None:
    _is_problem(server.ask("GET", path), 400)


@pytest.mark.parametrize(
    "request_line",
    [b"rubbish\r\n\r\n", b"POST /api/v1/logs HTTP/1.1\r\nContent-Length: x\r\n\r\n"],
    ids=["no-http", "no-length"],
)
def test_what_is_not_http_is_hung_up_on(
    server: ServerProcess, request_line: bytes
) -> None:
    host, _, port = server.address.partition(":")
    with socket.create_connection((host, int(port)), 30) as raw:
        raw.sendall(request_line)
        said = raw.recv(100)
        assert said == b"" or b" 400 " in said


def test_unknown_paths_and_methods_are_problems_too(server: ServerProcess) -> None:
    _is_problem(server.ask("GET", "/api/v1/nothing"), 404)
    _is_problem(server.ask("PATCH", _ONE), 405)


def test_the_journal_holds_nothing_of_what_was_refused(
    server: ServerProcess, tmp_path: Path
) -> None:
    _is_problem(server.ask("POST", _ONE, b'{"message":5}'), 400)
    server.total()
    assert not list((server.data / "journal").glob("staging-*"))
    assert server.metrics()['logstream_rejected_entries_total{reason="wrong_type"}'] > 0
