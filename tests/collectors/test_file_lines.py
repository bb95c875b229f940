"""Bytes to lines to entries, for one file."""

import asyncio
import gzip
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstream.collectors.file import SPEC, FileCollector, FileOptions
from logstream.collectors.file_paths import is_matched, options_of_url, source_of
from logstream.collectors.file_source import open_source
from logstream.collectors.file_tail import MAX_LINES, Tail, as_json, from_json
from logstream.collectors.file_watch import FolderWatch
from logstream.collectors.plugin import logstream_collectors
from logstream.core.errors import ConfigError, EntryRejected
from tests.collectors.scripted import Context, Killed, Shelf, follow, read_once

LOGHUB = Path(__file__).resolve().parents[2].parent / "shared/data/loghub"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


def append(file: Path, text: str) -> Callable[[], None]:
    def go() -> None:
        with file.open("a", newline="") as out:
            out.write(text)

    return go


def read(file: Path, **options: Any) -> Shelf:
    shelf = Shelf()
    read_once(shelf, file, **options)
    return shelf


@pytest.mark.parametrize(
    ("raw", "lines"),
    [
        (b"", []),
        (b"a", ["a"]),
        (b"a\n", ["a"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\r", ["a"]),
        (b"a\n\nb", ["a", "", "b"]),
        (b"\n", [""]),
        (b"a\rb\x0bc\x1cd\xc2\x85e\xe2\x80\xa8f\n", ["a\rb\x0bc\x1cd\x85e\u2028f"]),
        (b"\0a\0\n", ["\0a\0"]),
        (b"\xef\xbb\xbfa\n", ["a"]),
        (b"\xef\xbb\xbf", []),
    ],
)
def test_a_line_ends_in_a_newline_and_nothing_else(
    file: Path, raw: bytes, lines: list[str]
) -> None:
    file.write_bytes(raw)
    assert read(file).messages == lines


def test_an_entry_says_where_it_was_read(file: Path) -> None:
    file.write_text("2026-11-20T09:00:00Z ERROR no\nplain\n")
    first, second = read(file).entries
    assert (first.timestamp, first.level) == ("2026-11-20T09:00:00Z", "error")
    assert (first.source, first.fields) == ("app", {"file": str(file)})
    assert (second.level, second.message) == ("info", "plain")


def test_a_field_of_the_line_is_not_overwritten(file: Path) -> None:
    file.write_text('{"message":"m","file":"main.c","service":"auth"}\n')
    (entry,) = read(file, source="mine").entries
    assert entry.fields == {"file": "main.c"}
    assert entry.source == "auth"


def test_lines_without_a_time_stay_with_the_line_before(file: Path) -> None:
    """A stack trace belongs to its error; live lines happen when they are read."""
    file.write_text("first\n2026-11-20T09:00:00Z ERROR no\n  at a\n")
    shelf = Shelf()
    follow(shelf, file, events=[append(file, "live\n")])
    assert [entry.timestamp for entry in shelf.entries] == [
        "2026-11-20T10:00:00Z",
        "2026-11-20T09:00:00Z",
        "2026-11-20T09:00:00Z",
        "2026-11-20T10:00:00Z",
    ]


def test_bytes_that_are_not_utf8_are_replaced_and_counted(file: Path) -> None:
    """A character that is U+FFFD itself is not broken."""
    file.write_bytes(b"ok\na" + b"\xff\xfe" + "b\n\ufffd\n".encode())
    ok, broken, odd = read(file).entries
    assert (broken.message, broken.fields["invalid_utf8"]) == ("a\ufffd\ufffdb", 2)
    assert "invalid_utf8" not in ok.fields
    assert "invalid_utf8" not in odd.fields


def test_an_unfinished_line_waits_for_its_end(file: Path) -> None:
    shelf = Shelf()
    file.write_text("a\nb")
    events = [append(file, "c"), append(file, "d\r"), append(file, "\ne\n")]
    follow(shelf, file, events=events)
    assert shelf.messages == ["a", "bcd", "e"]
    assert shelf.batches == [1, 2]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_the_end_of_a_line_that_was_taken_without_it_is_no_line(
    file: Path, ending: str
) -> None:
    """`--once` takes an unfinished line; a newline that comes later adds none."""
    shelf = Shelf()
    file.write_text("a")
    read_once(shelf, file)
    append(file, ending)()
    read_once(shelf, file)
    append(file, "b\n")()
    read_once(shelf, file)
    assert shelf.messages == ["a", "b"]


def test_a_long_line_is_cut_and_nothing_of_it_is_lost(file: Path) -> None:
    text = "é" * 5000
    file.write_text(f"before\n{text}\nafter\n")
    shelf = read(file, max_line_bytes=1024)
    before, *parts, after = shelf.entries
    assert (before.message, after.message) == ("before", "after")
    assert "".join(part.message for part in parts) == text
    assert [part.fields["line_part"] for part in parts] == list(
        range(1, len(parts) + 1)
    )
    assert all(len(part.message.encode()) <= 1024 for part in parts)
    assert "line_part" not in after.fields


def test_a_long_line_goes_on_after_a_restart(file: Path) -> None:
    """Its parts keep counting, and keep the time and level of the first."""
    shelf = Shelf()
    file.write_text("2026-11-20T09:00:00Z ERROR " + "x" * 2500)
    follow(shelf, file, max_line_bytes=1024)
    append(file, "y" * 2000 + "\nnext\n")()
    follow(shelf, file, max_line_bytes=1024)
    *parts, last = shelf.entries
    assert "".join(p.message for p in parts)[27:] == "x" * 2500 + "y" * 2000
    assert [p.fields["line_part"] for p in parts] == list(range(1, len(parts) + 1))
    assert [p.level for p in parts[:2]] == ["error", "error"]
    assert parts[1].timestamp == "2026-11-20T09:00:00Z"
    assert last.message == "next"


def test_the_json_of_a_line_keeps_to_the_limit_too(file: Path) -> None:
    """NUL is one byte in the file and six in JSON."""
    file.write_bytes(b"\0" * 4000 + b"\n" + b"\xff" * 2000 + b"\n")
    shelf = read(file, max_line_bytes=1024)
    for entry in shelf.entries:
        assert len(msgspec.json.encode(entry.message)) <= 1026
    text = "".join(shelf.messages)
    assert (text.count("\0"), text.count("\ufffd")) == (4000, 2000)
    assert sum(e.fields.get("invalid_utf8", 0) for e in shelf.entries) == 2000


def test_a_line_longer_than_any_buffer(file: Path) -> None:
    file.write_bytes(b"z" * 5_000_000 + b"\nend\n")
    shelf = read(file)
    assert "".join(shelf.messages) == "z" * 5_000_000 + "end"
    assert shelf.messages[-1] == "end"


def test_a_megabyte_of_empty_lines_is_sent_in_pieces(file: Path) -> None:
    file.write_bytes(b"\n" * (MAX_LINES * 2 + 5))
    shelf = read(file)
    assert shelf.batches == [MAX_LINES, MAX_LINES, 5]


def test_the_hole_before_a_careless_writer_is_skipped(file: Path) -> None:
    """It kept its offset while its file was truncated."""
    with file.open("wb") as out:
        out.seek(1 << 30)
        out.write(b"after the hole\n")
    shelf = Shelf()
    follow(shelf, file, events=[append(file, "more\n")])
    assert shelf.messages == ["after the hole", "more"]


@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(1, 9))
def test_however_it_is_cut_the_lines_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], step: int
) -> None:
    """Reading as the file grows gives what reading it whole gives."""
    file = tmp_path_factory.mktemp("cut") / "a.log"
    whole = b"\n".join(pieces) + b"\n"
    file.write_bytes(b"")
    source = open_source(str(file))
    tail = Tail(source, path=str(file), name="n", max_line_bytes=1024)
    lines: list[str] = []
    for at in range(0, len(whole), step):
        with file.open("ab") as out:
            out.write(whole[at : at + step])
        while (chunk := tail.read(last=False)) is not None:
            lines += chunk.lines
            tail.accept(chunk)
            stored = from_json(as_json(tail.position()))
            assert stored is not None
            assert tail.resume(stored)
    source.close()
    body = whole.removeprefix(b"\xef\xbb\xbf").removesuffix(b"\n")
    expected = [raw.removesuffix(b"\r") for raw in body.split(b"\n")]
    assert lines == [raw.decode(errors="replace") for raw in expected]


def test_gzip_files_are_read_once_and_left_when_following(tmp_path: Path) -> None:
    path = tmp_path / "app.log.2.gz"
    path.write_bytes(gzip.compress(b"a\n") + gzip.compress(b"b"))
    shelf = Shelf()
    follow(shelf, path)
    assert shelf.entries == []
    context = read_once(shelf, path)
    read_once(shelf, path)
    assert shelf.messages == ["a", "b"]
    assert shelf.entries[0].source == "app"
    size = path.stat().st_size
    assert context.progressed[-1] == (str(path), size, size, "bytes")


@pytest.mark.parametrize("damage", [b"", b"garbage in the middle"])
def test_a_damaged_gzip_is_read_up_to_the_damage(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "app.gz"
    body = b"".join(
        b"%d %s\n" % (n, os.urandom(30).hex().encode()) for n in range(9999)
    )
    packed = gzip.compress(body)
    half = len(packed) // 2
    path.write_bytes(packed[:half] + damage)
    shelf = read(path)
    got = "\n".join(shelf.messages).encode()
    assert len(got) > len(body) // 3
    assert body.startswith(got[: len(got) // 2])


def test_from_end_takes_only_what_comes(file: Path) -> None:
    """Also a line that is not finished yet, and files that appear later."""
    shelf = Shelf()
    file.write_text("old\nhalf")
    other = file.with_name("b.log")
    options: dict[str, Any] = {"from": "end"}
    events = [append(file, " and half\n"), append(other, "new file\n")]
    follow(shelf, file.parent / "*.log", events=events, **options)
    third = file.with_name("c.log")
    third.write_text("written while nobody looked\n")
    append(file, "after\n")()
    follow(shelf, file.parent / "*.log", **options)
    assert sorted(shelf.messages) == [
        "after",
        "half and half",
        "new file",
        "written while nobody looked",
    ]


def test_progress_is_told_in_bytes(file: Path) -> None:
    file.write_text("a\nb")
    context = read_once(Shelf(), file)
    assert context.progressed == [
        (str(file), 2, 3, "bytes"),
        (str(file), 3, 3, "bytes"),
    ]


def test_once_names_what_could_not_be_read(tmp_path: Path) -> None:
    """And reads the rest before."""
    good = tmp_path / "good.log"
    good.write_text("a\n")
    shelf = Shelf()
    with pytest.raises(ConfigError, match=r"none\.log, .*/\*\.txt"):
        read_once(shelf, tmp_path / "none.log", good, tmp_path / "*.txt")
    assert shelf.messages == ["a"]
    with pytest.raises(ConfigError, match="Not read"):
        read_once(shelf, tmp_path)


def test_pipes_and_folders_are_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.log")
    (tmp_path / "folder.log").mkdir()
    (tmp_path / "link.log").symlink_to(tmp_path / "nowhere")
    good = tmp_path / "good.log"
    good.write_text("a\n")
    os.link(good, tmp_path / "same.log")
    shelf = Shelf()
    follow(shelf, tmp_path / "*.log")
    assert shelf.messages == ["a"]


def test_a_pattern_finds_files_that_come_later_at_any_depth(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"

    def appear() -> None:
        deep.mkdir(parents=True)
        (deep / "x.log").write_text("deep\n")

    shelf = Shelf()
    follow(shelf, tmp_path / "**" / "*.log", events=[appear])
    assert shelf.messages == ["deep"]


def test_a_name_that_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    odd = tmp_path / "[app].log"
    odd.write_text("a\n")
    assert read(odd).messages == ["a"]


def test_a_failed_send_is_read_again_by_the_next_run(file: Path) -> None:
    file.write_text("a\nb\n")
    shelf = Shelf({1: OSError("scripted")})
    collector = FileCollector(FileOptions(paths=(str(file),)), Context(once=True))
    with pytest.raises(OSError, match="scripted"):
        asyncio.run(collector.run(shelf))
    asyncio.run(collector.run(shelf))
    assert shelf.messages == ["a", "b"]


def test_many_lines_that_the_store_refuses_cost_few_sends(file: Path) -> None:
    class Picky(Shelf):
        async def send(self, entries: Any, *, positions: Any) -> None:
            self.calls += 1
            for index, entry in enumerate(entries):
                if "x" in entry.fields:
                    raise EntryRejected("no", index=index, reason="too_deep")
            await super().send(entries, positions=positions)

    file.write_text('{"x":1}\n' * 5000)
    shelf = Picky()
    read_once(shelf, file)
    assert len(shelf.entries) == 5000
    assert shelf.calls < 20


def test_a_parser_that_fails_costs_no_line(file: Path) -> None:
    class Broken:
        def parse(self, lines: Any) -> Any:
            raise RuntimeError("scripted")

    class World(Context):
        def parser(self, name: str, options: Any) -> Any:
            return Broken()

    file.write_text("a\nb\n")
    shelf = Shelf()
    collector = FileCollector(FileOptions(paths=(str(file),)), World(once=True))
    asyncio.run(collector.run(shelf))
    assert shelf.messages == ["a", "b"]


@pytest.mark.parametrize(
    "stored",
    [5, "x", {}, {"offset": "1"}, {"offset": -1, "fingerprint": "", "path": ""}],
)
def test_a_position_that_is_not_ours_counts_for_nothing(
    file: Path, stored: Any
) -> None:
    file.write_text("a\n")
    shelf = Shelf()
    shelf.stored[f"file:logs:{file.stat().st_ino}"] = stored
    read_once(shelf, file)
    assert shelf.messages == ["a"]


@pytest.mark.skipif(not LOGHUB.is_dir(), reason="the loghub samples are not there")
def test_every_line_of_real_logs_is_an_entry() -> None:
    shelf = Shelf()
    read_once(shelf, LOGHUB / "**" / "*.log")
    assert len(shelf.entries) == 8 * 2000


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///var/log/syslog", "/var/log/syslog"),
        ("file://localhost/var/log/a%20b.log", "/var/log/a b.log"),
        ("file:///var/log/**/*.log", "/var/log/**/*.log"),
        ("file:///a/app-?.log", "/a/app-?.log"),
        ("file:logs/app.log", "logs/app.log"),
        ("file://./logs/app.log", "./logs/app.log"),
        ("file://~/app.log", "~/app.log"),
    ],
)
def test_a_url_carries_the_path(url: str, path: str) -> None:
    assert options_of_url(url) == {"paths": [path]}


@pytest.mark.parametrize("url", ["file://", "file:///", "file://host/x", "file:a%00"])
def test_a_url_without_a_path_here_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        options_of_url(url)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("/var/log/syslog", "syslog"),
        ("/var/log/syslog.1", "syslog"),
        ("/var/log/nginx/access.log.12.gz", "access"),
        ("/var/log/app-20261120.log", "app"),
        ("/var/log/app.log-2026-11-20", "app"),
        ("/x/web.access.log", "web.access"),
        ("/x/.log", ".log"),
        ("/x/Android_2k.log", "Android_2k"),
    ],
)
def test_a_source_is_the_name_without_its_endings(path: str, source: str) -> None:
    assert source_of(path) == source


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("/a/*.log", "/a/x.log", "/a/b/x.log"),
        ("/a/**/x.log", "/a/x.log", "/a/x.txt"),
        ("/a/**/x.log", "/a/b/c/x.log", "/b/x.log"),
        ("/a/x.log", "/a/x.log", "/a/x.log.1"),
    ],
)
def test_patterns_match_paths_that_do_not_exist(
    pattern: str, yes: str, no: str
) -> None:
    assert is_matched(yes, (pattern,))
    assert not is_matched(no, (pattern,))


def test_an_unknown_parser_is_refused_at_once() -> None:
    options = FileOptions(paths=("x",), parser="klingon")
    with pytest.raises(ConfigError, match="klingon"):
        SPEC.build(options, Context())


def test_the_built_in_collectors_are_offered() -> None:
    assert [spec.name for spec in logstream_collectors()] == [
        "file",
        "http",
        "generate",
    ]


def test_a_change_is_noticed_by_the_real_watch(file: Path) -> None:
    """Without waiting for the next regular look, which would be in an hour."""
    file.write_text("a\n")

    class Told(Shelf):
        async def send(self, entries: Any, *, positions: Any) -> None:
            await super().send(entries, positions=positions)
            if len(self.entries) == 1:
                threading.Thread(target=append(file, "b\n")).start()
            if len(self.entries) == 2:
                raise Killed

    shelf = Told()
    collector = FileCollector(FileOptions(paths=(str(file),), poll_s=3600), Context())
    with pytest.raises(Killed):
        asyncio.run(collector.run(shelf))
    assert shelf.messages == ["a", "b"]


def test_the_real_watch_ends_its_waits(tmp_path: Path) -> None:
    """By itself, for folders that can not be watched; and it leaves no task behind."""

    async def watch() -> None:
        async with FolderWatch(poll_s=0.01) as folders:
            await folders.wait({str(tmp_path): False})
            await folders.wait({str(tmp_path / "none"): True})
            await folders.wait({})
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(watch())
