"""The remote sink against a real server that fails on the nth call."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import zstandard

from logstream.collectors.remote import RemoteSink
from logstream.core.entry import Entry
from logstream.core.errors import (
    ConfigError,
    EntryRejected,
    ServerUnreachable,
    TooLarge,
)

BEFORE, AFTER = "drop before storing", "drop after storing"
Fault = str | tuple[int, dict[str, str], dict[str, Any]]


class Shelf:
    """What the server stored, and what it does on the nth batch or question."""

    def __init__(
        self,
        faults: dict[int, Fault] | None = None,
        ask_faults: dict[int, Fault] | None = None,
    ) -> None:
        self.faults = faults or {}
        self.ask_faults = ask_faults or {}
        self.posts = 0
        self.asks = 0
        self.messages: list[str] = []
        self.positions: dict[str, Any] = {}
        self.encodings: list[str | None] = []

    def store(self, body: bytes, headers: Any) -> None:
        self.encodings.append(headers.get("Content-Encoding"))
        if headers.get("Content-Encoding") == "zstd":
            body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
        self.messages += [json.loads(line)["message"] for line in body.splitlines()]
        self.positions.update(json.loads(headers.get("LogStream-Positions", "{}")))


def handler(shelf: Shelf) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            shelf.posts += 1
            fault = shelf.faults.get(shelf.posts)
            if fault is None or fault == AFTER:
                shelf.store(body, self.headers)
            self._finish(fault, {"status": "ok", "count": "1"})

        def do_GET(self) -> None:
            shelf.asks += 1
            names = parse_qs(urlsplit(self.path).query)["name"]
            found = {n: shelf.positions[n] for n in names if n in shelf.positions}
            self._finish(shelf.ask_faults.get(shelf.asks), {"positions": found})

        def _finish(self, fault: Fault | None, answer: dict[str, Any]) -> None:
            if isinstance(fault, str):
                self.close_connection = True
                self.connection.shutdown(2)
                return
            status, headers, body = fault or (200, {}, answer)
            content = json.dumps(body).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextmanager
def serving(shelf: Shelf, port: int = 0) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", port), handler(shelf))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Pauses:
    """A sleep that returns at once, remembers, and may do something meanwhile."""

    def __init__(self, during: Callable[[int], None] = lambda _: None) -> None:
        self.seconds: list[float] = []
        self.during = during

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.during(len(self.seconds))
        await asyncio.sleep(0)


def an_entry(message: str, **fields: Any) -> Entry:
    return Entry(
        timestamp="2025-05-13T00:01:15Z",
        source="web",
        level="info",
        message=message,
        fields=fields,
    )


def send(
    url: str, *batches: list[Entry], pauses: Pauses | None = None, named: bool = True
) -> Pauses:
    """Send batches with the positions 1, 2, … of the input `in`."""
    pauses = pauses or Pauses()

    async def run() -> None:
        async with RemoteSink(url, sleep=pauses.sleep, jitter=lambda: 1.0) as sink:
            for number, batch in enumerate(batches, 1):
                await sink.send(batch, positions={"in": number} if named else {})

    asyncio.run(run())
    return pauses


def test_entries_and_positions_arrive_in_one_request() -> None:
    shelf = Shelf()
    with serving(shelf) as url:
        send(url, [an_entry("a"), an_entry("b")], [an_entry("c")])
    assert shelf.messages == ["a", "b", "c"]
    assert shelf.positions == {"in": 2}
    assert shelf.encodings == [None, None]


def test_larger_bodies_are_compressed() -> None:
    shelf = Shelf()
    with serving(shelf) as url:
        send(url, [an_entry(f"line {i}") for i in range(200)])
    assert shelf.encodings == ["zstd"]
    assert len(shelf.messages) == 200


@pytest.mark.parametrize("fault", [BEFORE, AFTER])
def test_a_lost_connection_neither_loses_nor_doubles(fault: str) -> None:
    """The stored positions tell whether the batch arrived."""
    shelf = Shelf({2: fault})
    with serving(shelf) as url:
        send(url, [an_entry("a")], [an_entry("b")], [an_entry("c")])
    assert shelf.messages == ["a", "b", "c"]
    assert shelf.positions == {"in": 3}


def test_an_answer_lost_again_and_again_still_counts_once() -> None:
    """The question may fail too; it is asked until it is answered."""
    lost: Fault = (503, {}, {})
    shelf = Shelf({1: AFTER}, ask_faults={1: lost, 2: BEFORE})
    with serving(shelf) as url:
        pauses = send(url, [an_entry("a")])
    assert shelf.messages == ["a"]
    assert shelf.posts == 1
    assert shelf.asks == 3
    assert len(pauses.seconds) == 3


def test_a_batch_that_moves_no_position_is_sent_again() -> None:
    """Twice rather than never, where nothing can tell."""
    shelf = Shelf({1: AFTER})
    with serving(shelf) as url:
        send(url, [an_entry("a")], named=False)
    assert shelf.messages == ["a", "a"]


def test_a_server_that_is_full_is_asked_again_when_it_says() -> None:
    shelf = Shelf({1: (429, {"Retry-After": "7"}, {}), 2: (503, {}, {})})
    with serving(shelf) as url:
        pauses = send(url, [an_entry("a")])
    assert shelf.messages == ["a"]
    assert pauses.seconds == [7.0, 1.0]


def test_pauses_grow_up_to_a_limit() -> None:
    shelf = Shelf({n: (503, {}, {}) for n in range(1, 10)})
    with serving(shelf) as url:
        pauses = send(url, [an_entry("a")])
    assert pauses.seconds == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_retry_after_may_be_a_date() -> None:
    past = {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}
    far = {"Retry-After": "Wed, 21 Oct 2115 07:28:00 GMT"}
    shelf = Shelf({1: (429, past, {}), 2: (429, far, {}), 3: (429, {}, {})})
    with serving(shelf) as url:
        pauses = send(url, [an_entry("a")])
    assert pauses.seconds == [0.5, 300.0, 2.0]


def test_nothing_is_lost_while_the_server_restarts() -> None:
    """It is away for the first attempts, then comes up on the same port."""
    shelf = Shelf()
    with serving(shelf) as url:
        send(url, [an_entry("a")])
    port = int(url.rsplit(":", 1)[1])
    stack = serving(shelf, port)

    def during(pause: int) -> None:
        if pause == 3:
            stack.__enter__()

    pauses = send(url, [an_entry("b")], pauses=Pauses(during))
    stack.__exit__(None, None, None)
    assert shelf.messages == ["a", "b"]
    assert len(pauses.seconds) == 3


def test_a_rejected_entry_is_named() -> None:
    problem = {
        "type": "urn:logstream:entry_rejected",
        "detail": "has no message",
        "index": 1,
        "reason": "missing_message",
    }
    shelf = Shelf({1: (400, {}, problem)})
    with serving(shelf) as url, pytest.raises(EntryRejected, match="no message") as it:
        send(url, [an_entry("a"), an_entry("b")])
    assert it.value.index == 1
    assert it.value.reason == "missing_message"
    assert shelf.posts == 1


def test_a_body_that_the_network_cut_off_is_sent_again() -> None:
    """The server says 400 or 408; the entries are as good as before."""
    cut_off = {"type": "urn:logstream:body_cut_off", "detail": "was cut off"}
    shelf = Shelf({1: (400, {}, cut_off), 2: (408, {}, {})})
    with serving(shelf) as url:
        send(url, [an_entry("a")])
    assert shelf.messages == ["a"]


def test_what_can_never_succeed_is_not_tried_again() -> None:
    shelf = Shelf({1: (413, {}, {"detail": "over 1 MiB"}), 2: (404, {}, {})})
    with serving(shelf) as url:
        with pytest.raises(TooLarge, match="over 1 MiB"):
            send(url, [an_entry("a")])
        with pytest.raises(ServerUnreachable, match="404"):
            send(url, [an_entry("a")])
    assert shelf.posts == 2


def test_positions_wait_for_the_server_and_may_be_of_any_alphabet() -> None:
    shelf = Shelf(ask_faults={1: BEFORE, 2: (503, {}, {})})
    name = "files//var/log/größe.log"
    pauses = Pauses()

    async def run(url: str) -> dict[str, Any]:
        async with RemoteSink(url, sleep=pauses.sleep) as sink:
            await sink.send([], positions={name: {"offset": 7}})
            return await sink.positions([name, "other"])

    with serving(shelf) as url:
        assert asyncio.run(run(url)) == {name: {"offset": 7}}
    assert len(pauses.seconds) == 2


def test_an_answer_that_is_not_ours_is_no_server() -> None:
    shelf = Shelf(ask_faults={1: (200, {}, {"hello": "world"})})

    async def run(url: str) -> None:
        async with RemoteSink(url) as sink:
            await sink.positions(["in"])

    with serving(shelf) as url, pytest.raises(ServerUnreachable, match="no LogStream"):
        asyncio.run(run(url))


def test_the_ids_of_entries_stay_at_home() -> None:
    entry = Entry(
        id=5, timestamp="2025-05-13T00:01:15Z", source="", level="", message="a"
    )
    shelf = Shelf()
    with serving(shelf) as url:
        send(url, [entry])
    assert shelf.messages == ["a"]


def test_every_wait_is_reported() -> None:
    shelf = Shelf({1: (503, {}, {})})
    told: list[str] = []

    async def run(url: str) -> None:
        async with RemoteSink(url, report=told.append, sleep=Pauses().sleep) as sink:
            await sink.send([an_entry("a")], positions={"in": 1})

    with serving(shelf) as url:
        asyncio.run(run(url))
    assert len(told) == 1
    assert "503" in told[0]
    assert "trying again" in told[0]


def test_what_is_no_url_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="http://"):
        RemoteSink("localhost:8000")
