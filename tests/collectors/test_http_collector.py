"""Against a real server on this machine that answers by a script."""

import asyncio
import contextlib
import gzip
import threading
from collections.abc import Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import msgspec
import pytest

from logstream.collectors.http import SPEC, HttpCollector
from logstream.collectors.http_answer import pause_s, retry_after_s
from logstream.collectors.http_options import HttpOptions
from logstream.core.errors import ConfigError, EntryRejected, ServerUnreachable
from logstream.core.timestamps import parse_ns
from tests.collectors.scripted import NOW, Context, Killed, Shelf


class Reply(NamedTuple):
    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = {}
    cut: int = 0
    """Bytes at the end that are announced and not sent."""


class Server:
    """Answers with one reply after the other, and keeps the requests."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.requests: list[Any] = []
        self.url = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests.append(handler.headers)
        reply = self.replies.pop(0)
        body = reply.body[: len(reply.body) - reply.cut]
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        if reply.status not in {204, 304}:
            handler.send_header("Content-Length", str(len(reply.body)))
        handler.end_headers()
        if body:
            handler.wfile.write(body)


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        server.url = f"http://127.0.0.1:{listening.server_port}/logs"
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


def poll(
    server: Server,
    shelf: Shelf,
    replies: Iterable[Reply],
    *,
    once: bool = False,
    **options: Any,
) -> list[float]:
    """Run until the replies are used up; returns how long was slept each time."""
    server.replies = list(replies)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if not server.replies:
            raise Killed

    collector = HttpCollector(
        msgspec.convert({"url": server.url, **options}, HttpOptions),
        Context(once=once, name="feed"),
        sleep=sleep,
        jitter=lambda: 1.0,
        now=lambda: NOW,
    )
    with contextlib.suppress(Killed):
        asyncio.run(collector.run(shelf))
    assert server.replies == []
    return slept


def as_json(*records: object) -> Reply:
    body = msgspec.json.encode(list(records))
    return Reply(body, headers={"Content-Type": "application/json"})


def at(second: int, message: str) -> dict[str, str]:
    return {"time": f"2026-11-20T10:00:{second:02d}Z", "message": message}


def test_an_array_becomes_entries(server: Server) -> None:
    shelf = Shelf()
    record = {**at(1, "hello"), "level": "WARN", "service": "auth", "user": {"id": 7}}
    slept = poll(server, shelf, [as_json(record, "a bare line", None, 5)])
    first, second, third = shelf.entries
    assert (first.timestamp, first.level) == ("2026-11-20T10:00:01Z", "warn")
    assert (first.source, first.message) == ("auth", "hello")
    assert first.fields == {"user": {"id": 7}}
    assert (second.source, second.message) == ("127.0.0.1", "a bare line")
    assert third.message == "5"
    assert slept == [30.0]


def test_only_what_is_new_in_the_next_answer_is_taken(server: Server) -> None:
    """A window that moves on, in either order."""
    shelf = Shelf()
    a, b, c, d = (at(n, name) for n, name in enumerate("abcd"))
    poll(server, shelf, [as_json(a, b), as_json(b, c), as_json(d, c, b), as_json()])
    assert shelf.messages == ["a", "b", "c", "d"]


def test_equal_lines_in_one_answer_are_as_many_entries(server: Server) -> None:
    shelf = Shelf()
    x = at(1, "x")
    poll(server, shelf, [as_json(x, x), as_json(x, x, x), as_json(x)])
    assert shelf.messages == ["x", "x", "x"]


def test_a_record_with_a_time_is_known_again_after_an_empty_answer(
    server: Server,
) -> None:
    shelf = Shelf()
    poll(server, shelf, [as_json(at(1, "x")), as_json(), as_json(at(1, "x"))])
    assert shelf.messages == ["x"]


def test_a_line_without_a_time_may_happen_again(server: Server) -> None:
    shelf = Shelf()
    replies = [Reply(b"up\n"), Reply(b"up\n"), Reply(b"down\n"), Reply(b"up\n")]
    poll(server, shelf, replies)
    assert shelf.messages == ["up", "down", "up"]


def test_repeats_are_known_after_a_restart(server: Server) -> None:
    shelf = Shelf()
    poll(server, shelf, [as_json(at(1, "a"), at(2, "b"))])
    poll(server, shelf, [as_json(at(2, "b"), at(3, "c"))])
    assert shelf.messages == ["a", "b", "c"]


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_the_ack_neither_loses_nor_doubles(
    server: Server, *, after: bool
) -> None:
    shelf = Shelf({1: Killed()}, after=after)
    poll(server, shelf, [as_json(at(1, "a"))])
    poll(server, shelf, [as_json(at(1, "a"), at(2, "b"))])
    assert shelf.messages == ["a", "b"]


def test_another_url_starts_anew(server: Server) -> None:
    shelf = Shelf()
    poll(server, shelf, [as_json(at(1, "a"))])
    poll(server, shelf, [as_json(at(1, "a"))], url=server.url + "?other")
    assert shelf.messages == ["a", "a"]


@pytest.mark.parametrize("stored", [5, {"url_hash": 1}, {"seen": "x"}, "", []])
def test_a_position_that_is_not_ours_counts_for_nothing(
    server: Server, stored: Any
) -> None:
    shelf = Shelf()
    shelf.stored["http:feed"] = stored
    poll(server, shelf, [as_json(at(1, "a"))])
    assert shelf.messages == ["a"]


def test_an_unchanged_answer_is_not_sent_again(server: Server) -> None:
    """ETag and Last-Modified go back as they came, also after a restart."""
    shelf = Shelf()
    tags = {"ETag": 'W/"1"', "Last-Modified": "Fri, 20 Nov 2026 10:00:00 GMT"}
    poll(server, shelf, [Reply(b"a\n", headers=tags), Reply(status=304)])
    poll(server, shelf, [Reply(status=304)])
    assert shelf.messages == ["a"]
    assert shelf.calls == 1
    assert [r["If-None-Match"] for r in server.requests] == [None, 'W/"1"', 'W/"1"']
    assert server.requests[2]["If-Modified-Since"] == tags["Last-Modified"]


def test_failures_are_asked_again_ever_more_slowly(server: Server) -> None:
    shelf = Shelf()
    fail = Reply(b"oops", status=500)
    slept = poll(server, shelf, [fail, fail, fail, as_json(at(1, "a")), fail])
    assert slept == [1.0, 2.0, 4.0, 30.0, 1.0]
    assert shelf.messages == ["a"]


def test_retry_after_is_kept_to(server: Server) -> None:
    shelf = Shelf()
    replies = [
        Reply(status=429, headers={"Retry-After": "7"}),
        Reply(status=503, headers={"Retry-After": "100000"}),
        Reply(status=429, headers={"Retry-After": "soon"}),
        as_json(at(1, "a")),
    ]
    slept = poll(server, shelf, replies)
    assert slept == [7.7, 3601.0, 4.0, 30.0]


def test_retry_after_may_be_a_date() -> None:
    now = parse_ns("2026-11-20T10:00:00Z")
    assert retry_after_s("Fri, 20 Nov 2026 10:01:30 GMT", now) == 90.0
    assert retry_after_s("Fri, 20 Nov 2026 09:00:00 GMT", now) == 0.0
    assert retry_after_s("Fri, 20 Nov 2026 10:01:30 -0000", now) == 90.0
    assert retry_after_s("Fri, 99 Nov 2026 10:01:30 GMT", now) is None
    assert retry_after_s(None, now) is None


def test_pauses_are_bounded() -> None:
    assert pause_s(1000, None, jitter=lambda: 1.0) == 300.0
    assert pause_s(1000, None, jitter=lambda: 0.0) == 150.0


@pytest.mark.parametrize(
    "bad",
    [
        Reply(b'[{"message":"a"}]', cut=5),
        Reply(b'[{"message":"a"}', headers={"Content-Type": "application/json"}),
        Reply(b"\xff\xfe", headers={"Content-Type": "application/json"}),
        Reply(b'"text"', headers={"Content-Type": "application/json"}),
        Reply(b"[" * 100_000, headers={"Content-Type": "application/json"}),
        Reply(b"no gzip", headers={"Content-Encoding": "gzip"}),
        Reply(gzip.compress(b"x" * 9000)[:-9], headers={"Content-Encoding": "gzip"}),
        Reply(gzip.compress(bytes(2_000_000)), headers={"Content-Encoding": "gzip"}),
        Reply(b"x" * 1_000_001),
        Reply(b"x", headers={"Content-Encoding": "br"}),
        Reply(status=302, headers={"Location": "ftp://127.0.0.1/"}),
        Reply(status=404),
    ],
    ids=[
        *("cut off", "half an array", "no UTF-8", "a text", "too deep", "no gzip"),
        *("half a gzip", "a bomb", "too large", "unknown encoding", "elsewhere"),
        "not found",
    ],
)
def test_a_bad_answer_is_left_and_the_next_good_one_taken(
    server: Server, bad: Reply
) -> None:
    shelf = Shelf()
    good = as_json(at(1, "good"))
    slept = poll(server, shelf, [bad, good], max_body_bytes=1_000_000)
    assert slept == [1.0, 30.0]
    assert shelf.messages == ["good"]


def test_redirects_end_somewhere(server: Server) -> None:
    shelf = Shelf()
    again = Reply(status=302, headers={"Location": "/logs"})
    assert poll(server, shelf, [again] * 6) == [1.0]
    poll(server, shelf, [again, as_json(at(1, "there"))])
    assert shelf.messages == ["there"]


def test_secrets_come_from_the_environment_and_stay_with_the_host(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEED_TOKEN", "s3cret")
    monkeypatch.setenv("FEED_KEY", "k3y")
    options: dict[str, Any] = {
        "token_env": "FEED_TOKEN",
        "headers_env": {"X-Key": "FEED_KEY"},
        "headers": {"X-Who": "me"},
    }
    elsewhere = server.url.replace("127.0.0.1", "localhost")
    away = Reply(status=302, headers={"Location": elsewhere})
    poll(server, Shelf(), [away, as_json()], **options)
    first, second = server.requests
    assert first["Authorization"] == "Bearer s3cret"
    assert (first["X-Key"], first["X-Who"]) == ("k3y", "me")
    assert second["Authorization"] is None
    assert (second["X-Key"], second["X-Who"]) == (None, None)


def test_gzip_is_unpacked(server: Server) -> None:
    shelf = Shelf()
    packed = gzip.compress(b"a\nb\n")
    poll(server, shelf, [Reply(packed, headers={"Content-Encoding": "gzip"})])
    assert shelf.messages == ["a", "b"]
    assert server.requests[0]["Accept-Encoding"] == "gzip"


JSON = {"Content-Type": "application/json; charset=utf-8"}
NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.mark.parametrize(
    ("reply", "options", "messages"),
    [
        (Reply(b'{"message":"a"}\n{"message":"b"}', headers=NDJSON), {}, ["a", "b"]),
        (Reply(b'{"message":"a"}\n{"message":"b"}\n', headers=JSON), {}, ["a", "b"]),
        (Reply(b'{"message":"a"}\n{"message":"b"}\n'), {}, ["a", "b"]),
        (Reply(b'{"message":"a"}\nbroken', headers=NDJSON), {}, ["a", "broken"]),
        (Reply(b'[{"message":\n"a"}]'), {}, ["a"]),
        (Reply(b'{"ok":1,"logs":[{"message":"a"}]}', headers=JSON), {}, ["a"]),
        (Reply(b'{ "ok": 1 }', headers=JSON), {}, ['{"ok":1}']),
        (
            Reply(b'{"data":{"items":[{"message":"a"}]}}'),
            {"entries_path": "data.items"},
            ["a"],
        ),
        (Reply(b"[error] a\r\n\r\n[error] b"), {}, ["[error] a", "[error] b"]),
        (Reply(b"[1]\n"), {"format": "lines"}, ["[1]"]),
        (Reply(b'{"a":1}'), {"parser": "text"}, ['{"a":1}']),
        (
            Reply(b"gr\xfcn\n", headers={"Content-Type": "text/x; charset=latin-1"}),
            {},
            ["grün"],
        ),
        (Reply(b"\xef\xbb\xbf[]"), {}, []),
        (Reply(b" \n"), {}, []),
        (Reply(status=204), {}, []),
    ],
)  # fmt: skip
def test_bodies_of_all_kinds(
    server: Server, reply: Reply, options: dict[str, Any], messages: list[str]
) -> None:
    shelf = Shelf()
    assert poll(server, shelf, [reply], **options) == [30.0]
    assert shelf.messages == messages


@pytest.mark.parametrize("path", ["data", "data.none", "data.text.more"])
def test_a_path_that_leads_nowhere_is_an_error(server: Server, path: str) -> None:
    shelf = Shelf()
    reply = Reply(b'{"data":{"text":"x"}}')
    assert poll(server, shelf, [reply], entries_path=path) == [1.0]
    assert shelf.entries == []


def test_broken_text_is_marked_and_long_lines_are_cut(server: Server) -> None:
    shelf = Shelf()
    poll(server, shelf, [Reply(b"a\xff\xfeb\n" + b"y" * 1_500_000 + b"\n")])
    marked, first, second = shelf.entries
    assert (marked.message, marked.fields) == ("a\ufffd\ufffdb", {"invalid_utf8": 2})
    assert [e.fields["line_part"] for e in (first, second)] == [1, 2]
    assert first.message + second.message == "y" * 1_500_000


def test_an_entry_that_the_store_refuses_costs_no_other(server: Server) -> None:
    """It goes in as the bare line with the reason; refused again, it is left out."""

    class Picky(Shelf):
        async def send(self, entries: Any, *, positions: Any) -> None:
            for index, entry in enumerate(entries):
                if "deep" in entry.fields or "never" in entry.message:
                    raise EntryRejected("scripted", index=index, reason="too_deep")
            await super().send(entries, positions=positions)

    shelf = Picky()
    deep = {"message": "d", "deep": 1}
    poll(server, shelf, [as_json(at(1, "a"), deep, at(2, "never"), at(3, "b"))])
    a, bare, b = shelf.entries
    assert (a.message, b.message) == ("a", "b")
    assert bare.message == '{"message":"d","deep":1}'
    assert bare.fields == {"rejected": "too_deep"}


def test_once_asks_once(server: Server) -> None:
    shelf = Shelf()
    assert poll(server, shelf, [as_json(at(1, "a"))], once=True) == []
    assert shelf.messages == ["a"]


def test_once_gives_up_and_says_so(server: Server) -> None:
    with pytest.raises(ServerUnreachable, match="the server answered 500"):
        poll(server, Shelf(), [Reply(status=500)] * 5, once=True)
    with pytest.raises(ServerUnreachable, match=r"/logs: the server answered 404\.$"):
        poll(server, Shelf(), [Reply(status=404)], once=True, url=server.url + "?k=s")


def test_a_server_that_is_not_there_is_asked_again() -> None:
    with serving() as gone:
        pass
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            raise Killed

    options = HttpOptions(url=gone.url)
    collector = HttpCollector(options, Context(), sleep=sleep, jitter=lambda: 1.0)
    with pytest.raises(Killed):
        asyncio.run(collector.run(Shelf()))
    assert slept == [1.0, 2.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "ftp://x/"}, "expected http"),
        ({"url": "http://"}, "expected http"),
        ({"url": "http://u:secret@/?k=secret"}, "^http:///: expected"),
        ({"url": "http://x:99999/"}, "[Pp]ort"),
        ({"url": "http://[x/"}, "IPv6"),
        ({"token_env": "NOT_SET_ANYWHERE"}, "NOT_SET_ANYWHERE is not set"),
        ({"headers": {"a b": "c"}}, "no HTTP header"),
        ({"headers": {"a": "b\r\nc: d"}}, "no HTTP header"),
        ({"parser": "klingon"}, "klingon"),
    ],
)
def test_options_that_can_not_work_are_refused_at_once(
    options: dict[str, Any], message: str
) -> None:
    checked = msgspec.convert({"url": "http://x/", **options}, HttpOptions)
    with pytest.raises(ConfigError, match=message) as refused:
        SPEC.build(checked, Context())
    assert "secret" not in str(refused.value)


def test_certificates_that_are_not_there_are_named(tmp_path: Any) -> None:
    options = HttpOptions(url="https://x/", ca_file=str(tmp_path / "none.pem"))
    with pytest.raises(ConfigError, match=r"none\.pem"):
        asyncio.run(HttpCollector(options, Context()).run(Shelf()))


def test_urls_come_here_by_their_schemes() -> None:
    assert SPEC.schemes == ("http", "https")
    assert SPEC.options_of_url is not None
    assert SPEC.options_of_url("https://a/b?c") == {"url": "https://a/b?c"}
