"""Saved queries: kept whole or not at all, bounded, and never written over damage."""

import errno
import os
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from logstream.core.errors import (
    AlreadyThere,
    BadRequest,
    DiskFull,
    NotFound,
    QuerySyntaxError,
    StorageError,
)
from logstream.core.findings import Report
from logstream.storage import saved_queries
from logstream.storage.saved_queries import SavedQueries, verify_saved


def compile_query(text: str) -> None:
    if "((" in text:
        raise QuerySyntaxError("expected a word", offset=text.index("(("))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "saved.json"


def opened(path: Path | None) -> SavedQueries:
    return SavedQueries(path, compile_query=compile_query, wall_ns=lambda: 10**18)


def test_what_was_saved_is_there_after_a_restart(path: Path) -> None:
    saved = opened(path)
    b = saved.add("b", 'level:error "ü" | top source', description="Errors")
    a = saved.add("A-1.x_y", "*")
    assert b.created == "2001-09-09T01:46:40Z"
    for one in (saved, opened(path)):
        assert one.all() == [a, b]
        assert one.get("b") == b
    assert saved.remove("b") == b
    assert opened(path).all() == [a]
    assert [file.name for file in path.parent.iterdir()] == ["saved.json"]


def test_in_memory_nothing_is_written(tmp_path: Path) -> None:
    saved = opened(None)
    made = saved.add("a", "*")
    assert saved.all() == [made]


def test_the_same_again_changes_nothing_and_another_needs_to_replace(
    path: Path,
) -> None:
    saved = opened(path)
    made = saved.add("a", "level:error")
    before = path.stat().st_ino
    assert saved.add("a", "level:error") == made
    assert path.stat().st_ino == before
    with pytest.raises(AlreadyThere, match="level:error"):
        saved.add("a", "level:warn")
    assert saved.add("a", "level:warn", replace=True).query == "level:warn"
    assert [one.query for one in opened(path).all()] == ["level:warn"]


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/b", "a b", "-a", ".a", "ä", "a\n", "a\0", "a" * 65, "\ud800"],
)
def test_names_that_are_none_are_refused(path: Path, name: str) -> None:
    with pytest.raises(BadRequest, match="name"):
        opened(path).add(name, "*")
    assert not path.exists()


def test_wrong_queries_are_refused(path: Path) -> None:
    saved = opened(path)
    with pytest.raises(QuerySyntaxError) as refused:
        saved.add("a", "x ((")
    assert refused.value.offset == 2
    for query in ("", " \n", "x" * 8193, "\ud800"):
        with pytest.raises(BadRequest, match="query"):
            saved.add("a", query)
    with pytest.raises(BadRequest, match="description"):
        saved.add("a", "*", description="x" * 1001)
    assert saved.all() == []
    assert not path.exists()


def test_there_are_only_so_many(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_queries, "MAX_QUERIES", 2)
    saved = opened(path)
    saved.add("a", "*")
    saved.add("b", "*")
    with pytest.raises(BadRequest, match="remove"):
        saved.add("c", "*")
    saved.add("b", "x", replace=True)
    saved.remove("a")
    saved.add("c", "*")


def test_one_that_is_not_there_is_said_with_its_neighbour(path: Path) -> None:
    saved = opened(path)
    saved.add("slow-pages", "*")
    for call in (saved.get, saved.remove):
        with pytest.raises(NotFound, match="did you mean 'slow-pages'"):
            call("slow-page")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_what_cannot_be_written_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, code: int, call: str
) -> None:
    saved = opened(path)
    made = saved.add("a", "*")

    def fail(*_: Any) -> Any:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail)
        with pytest.raises(StorageError) as refused:
            saved.add("b", "*")
        with pytest.raises(StorageError):
            saved.remove("a")
    assert isinstance(refused.value, DiskFull) == (code == errno.ENOSPC)
    assert saved.all() == opened(path).all() == [made]
    saved.add("b", "*")
    assert len(opened(path).all()) == 2


def test_adds_at_the_same_time_are_all_kept(path: Path) -> None:
    saved = opened(path)
    refused: list[str] = []
    ready = threading.Barrier(8)

    def add(number: int) -> None:
        ready.wait(150)
        for at in range(10):
            saved.add(f"q-{number}-{at}", "*")
        try:
            saved.add("same", f"n:{number}")
        except AlreadyThere:
            refused.append("same")

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(150)
    assert len(saved.all()) == 81
    assert opened(path).all() == saved.all()
    assert len(refused) == 7


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"format":9,"queries":[]}',
        b'{"queries":[{"name":"a/b","query":"*","created":"x"}]}',
    ],
)
def test_a_damaged_file_is_told_and_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    saved = opened(path)
    for call in (saved.all, lambda: saved.get("a"), lambda: saved.add("a", "*")):
        with pytest.raises(StorageError, match=r"saved\.json"):
            call()
    assert path.read_bytes() == content
    report = Report()
    verify_saved(path, report, compile_query=compile_query)
    assert [one.where for one in report.problems] == ["saved.json"]


def test_verifying_finds_queries_that_do_not_compile(path: Path) -> None:
    report = Report()
    verify_saved(path, report, compile_query=compile_query)
    opened(path).add("a", "*")
    verify_saved(path, report, compile_query=compile_query)
    assert report.problems == []
    kept = msgspec.json.decode(path.read_bytes())
    kept["queries"][0]["query"] = "(("
    path.write_bytes(msgspec.json.encode(kept))
    verify_saved(path, report, compile_query=compile_query)
    (problem,) = report.problems
    assert problem.what.startswith("'a' does not compile")
