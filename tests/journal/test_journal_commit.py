"""The journal: an ack means fsynced, and what fails is told to those it concerns."""

import errno
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from logstream.core.errors import BadRequest, DiskFull, StorageError
from logstream.journal.files import DiskFiles, SegmentFile
from logstream.journal.journal import Journal
from logstream.journal.positions import Positions
from logstream.journal.recovery import recover
from logstream.journal.segment import Segment
from logstream.journal.tickets import Ticket

WAIT_S = 150.0


class ScriptedFile(SegmentFile):
    """A real file that fails on the nth call, or waits in it."""

    script: "Script"

    def write(self, pieces: list[bytes]) -> None:
        self.script.call("write", self)
        super().write(pieces)

    def sync(self, size: int) -> None:
        self.script.call("sync", self)
        super().sync(size)

    def cut_back(self) -> None:
        self.script.call("cut_back", self)
        super().cut_back()


class Script:
    """What happens on the nth call of each kind."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.faults: dict[tuple[str, int], Callable[[], None]] = {}

    def call(self, kind: str, file: SegmentFile) -> None:
        self.calls.append((kind, file.number))
        fault = self.faults.get((kind, self.count(kind)))
        if fault is not None:
            fault()

    def count(self, kind: str) -> int:
        return sum(called == kind for called, _ in self.calls)


def fails(code: int) -> Callable[[], None]:
    def fail() -> None:
        raise OSError(code, os.strerror(code))

    return fail


class ScriptedFiles(DiskFiles):
    def __init__(self, folder: Path, script: Script) -> None:
        super().__init__(folder)
        self._script = script

    def create(self) -> SegmentFile:
        file = super().create()
        file.__class__ = ScriptedFile
        assert isinstance(file, ScriptedFile)
        file.script = self._script
        self._script.call("create", file)
        return file


class Desk:
    """A journal, and what it told."""

    def __init__(self, folder: Path, script: Script) -> None:
        self.segments: list[Segment] = []
        self.groups: list[list[str]] = []
        self.errors: dict[str, StorageError | None] = {}
        self.changed = threading.Condition()
        self.journal = Journal(
            ScriptedFiles(folder / "journal", script),
            Positions(folder / "positions.json"),
            segment_bytes=1_000_000,
            linger_s=3600,
            on_segment=self.segments.append,
            on_group=self._group,
        )

    def _group(self, group: Sequence[Ticket], outcome: Segment | StorageError) -> None:
        error = outcome if isinstance(outcome, StorageError) else None
        with self.changed:
            self.groups.append([ticket.done for ticket in group])
            self.errors.update((ticket.done, error) for ticket in group)
            self.changed.notify_all()

    def send(self, name: str, positions: dict[str, Any] | None = None) -> None:
        payload = b'{"message":"%s"}\n' % name.encode()
        self.journal.append(
            Ticket(payload=payload, lines=1, positions=positions or {}, done=name)
        )

    def answer(self, name: str) -> StorageError | None:
        with self.changed:
            assert self.changed.wait_for(lambda: name in self.errors, WAIT_S)
            return self.errors[name]

    def ask(self, name: str) -> StorageError | None:
        self.send(name)
        return self.answer(name)


@contextmanager
def a_desk(folder: Path, script: Script | None = None) -> Iterator[Desk]:
    desk = Desk(folder, script or Script())
    with desk.journal:
        yield desk


def messages_on_disk(folder: Path) -> list[str]:
    """In whole frames of all segments, as a start would find them."""
    found = []
    for number, path in DiskFiles(folder / "journal").existing():
        recover(number, path)
        found += [
            line.split(b'"')[3].decode()
            for line in path.read_bytes().splitlines()
            if not line.startswith(b'{"_frame"')
        ]
    return found


def test_requests_that_wait_share_one_fsync(tmp_path: Path) -> None:
    """While the first fsync runs twenty come; one fsync makes them all durable."""
    script, started, go = Script(), threading.Event(), threading.Event()

    def wait() -> None:
        started.set()
        assert go.wait(WAIT_S)

    script.faults["sync", 1] = wait
    with a_desk(tmp_path, script) as desk:
        desk.send("first")
        assert started.wait(WAIT_S)
        names = [f"n{n}" for n in range(20)]
        for name in names:
            desk.send(name)
        go.set()
        assert [desk.answer(name) for name in names] == [None] * 20
        assert script.count("sync") == 2
        assert desk.groups == [["first"], names]
    assert messages_on_disk(tmp_path) == ["first", *names]


def test_no_ack_comes_before_its_fsync(tmp_path: Path) -> None:
    script, seen = Script(), list[bool]()
    with a_desk(tmp_path, script) as desk:
        script.faults["sync", 1] = lambda: seen.append("a" in desk.errors)
        assert desk.ask("a") is None
    assert seen == [False]


def test_a_file_whose_fsync_failed_is_never_acked_from_again(tmp_path: Path) -> None:
    """The kernel may drop the pages, and call the next fsync of that file a success."""
    script = Script()
    script.faults["sync", 2] = fails(errno.EIO)
    with a_desk(tmp_path, script) as desk:
        assert desk.ask("a") is None
        assert isinstance(desk.ask("b"), StorageError)
        assert desk.ask("c") is None
        synced = [number for kind, number in script.calls if kind == "sync"]
        assert synced[0] == synced[1] != synced[2]
        assert [segment.entries for segment in desk.segments] == [1]
    assert messages_on_disk(tmp_path) == ["a", "c"]


def test_a_full_disk_is_told_and_the_half_frame_is_cut_off(tmp_path: Path) -> None:
    script = Script()
    script.faults["write", 2] = fails(errno.ENOSPC)
    with a_desk(tmp_path, script) as desk:
        assert desk.ask("a") is None
        assert isinstance(desk.ask("b"), DiskFull)
        (segment,) = desk.segments
        assert segment.file.path.stat().st_size == segment.size
        assert desk.ask("c") is None
    assert messages_on_disk(tmp_path) == ["a", "c"]


def test_a_file_that_cannot_be_made_fails_those_who_asked_only(tmp_path: Path) -> None:
    script = Script()
    script.faults["create", 1] = fails(errno.EMFILE)
    with a_desk(tmp_path, script) as desk:
        assert isinstance(desk.ask("a"), StorageError)
        assert desk.ask("b") is None
        assert desk.journal.held_bytes() == sum(
            segment.size for segment in desk.journal.outstanding()
        )


def test_a_tail_that_cannot_be_cut_is_not_counted(tmp_path: Path) -> None:
    """The segment says how far it is good; its reader looks no further."""
    script = Script()
    script.faults["sync", 2] = fails(errno.EIO)
    script.faults["cut_back", 1] = fails(errno.EIO)
    with a_desk(tmp_path, script) as desk:
        assert desk.ask("a") is None
        assert isinstance(desk.ask("b"), StorageError)
        (segment,) = desk.segments
        assert segment.entries == 1
        assert segment.size < segment.file.path.stat().st_size


def test_a_position_that_is_no_json_is_refused_to_its_sender(tmp_path: Path) -> None:
    """And the journal goes on."""
    with a_desk(tmp_path) as desk:
        with pytest.raises(BadRequest, match="position"):
            desk.send("a", {"x": object()})
        with pytest.raises(BadRequest, match="position"):
            desk.send("a", {"x": "\ud800"})
        assert desk.ask("b") is None


def test_an_unexpected_failure_is_an_answer_too(tmp_path: Path) -> None:
    """A thread that dies would leave everybody waiting."""
    script = Script()

    def break_down() -> None:
        raise RuntimeError("what nobody thought of")

    script.faults["write", 1] = break_down
    with a_desk(tmp_path, script) as desk:
        assert isinstance(desk.ask("a"), StorageError)
        assert desk.ask("b") is None


def test_closing_writes_what_waits_and_refuses_what_comes(tmp_path: Path) -> None:
    with a_desk(tmp_path) as desk:
        for n in range(5):
            desk.send(f"n{n}")
        desk.journal.close()
        assert len(desk.errors) == 5
        assert [segment.entries for segment in desk.segments] == [5]
        with pytest.raises(StorageError, match="closed"):
            desk.send("late")
        desk.journal.close()


def test_what_is_held_is_counted_until_it_is_retired(tmp_path: Path) -> None:
    """Queued, written, staged: all of it is what the capacity is about."""
    with a_desk(tmp_path) as desk:
        assert desk.ask("a") is None
        staging = desk.journal.stage()
        staging.write(b'{"message":"s"}\n', lines=1)
        dropped = desk.journal.stage()
        dropped.write(b'{"message":"t"}\n', lines=1)
        before = desk.journal.held_bytes()
        dropped.discard()
        assert desk.journal.held_bytes() < before
        staging.commit()
        desk.journal.close()
        assert len(desk.segments) == 2
        assert desk.journal.held_bytes() == sum(s.size for s in desk.segments)
        for segment in desk.segments:
            desk.journal.retire(segment)
            desk.journal.retire(segment)
        assert desk.journal.held_bytes() == 0
    assert not [*(tmp_path / "journal").rglob("*.ndjson")]
    assert not [*(tmp_path / "journal").glob("batch-*")]
