"""Whatever happens to the files and to us: every line once, and in order."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logstream.collectors import file_discovery, file_source
from tests.collectors.scripted import Clock, Killed, Shelf, follow

PADDING = "x" * 300
"""Lines long enough for one to tell a file from another."""


class Log:
    """A program that writes numbered lines, and whoever rotates its file.

    Every write has its own time, later than all before, as it would on a real day.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.path = folder / "app.log"
        self.count = 0
        self._ticks = 1_700_000_000
        self._owed = ""

    def lines(self, count: int) -> None:
        self._write("".join(self._next() + "\n" for _ in range(count)))

    def half_a_line(self) -> None:
        line = self._next() + "\n"
        self._write(line[:10])
        self._owed = line[10:]

    def rename(self) -> None:
        self._write("")
        self._shift()
        if self.path.exists():
            self.path.rename(self.folder / "app.log.1")

    def copy_and_truncate(self) -> None:
        self._write("")
        self._shift()
        shutil.copyfile(self.path, self.folder / "app.log.1")
        self._tick(self.folder / "app.log.1")
        self._write("", mode="w")

    def delete_the_oldest(self) -> None:
        (self.folder / "app.log.3").unlink(missing_ok=True)

    def has_a_line(self) -> bool:
        return self.path.exists() and b"\n" in self.path.read_bytes()

    def expected(self) -> list[str]:
        done = self.count - (1 if self._owed else 0)
        return [f"{n:06d} {PADDING}" for n in range(1, done + 1)]

    def _next(self) -> str:
        self.count += 1
        return f"{self.count:06d} {PADDING}"

    def _write(self, text: str, *, mode: str = "a") -> None:
        owed, self._owed = self._owed, ""
        with self.path.open(mode) as file:
            file.write(owed + text)
        self._tick(self.path)

    def _shift(self) -> None:
        for n in (3, 2, 1):
            old = self.folder / f"app.log.{n}"
            if old.exists():
                old.rename(self.folder / f"app.log.{n + 1}")

    def _tick(self, path: Path) -> None:
        self._ticks += 1
        os.utime(path, (self._ticks, self._ticks))


def expect_all(shelf: Shelf, log: Log) -> None:
    got = [message[:6] for message in shelf.messages]
    assert got == [message[:6] for message in log.expected()]
    assert shelf.messages == log.expected()


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "logs")


@pytest.mark.parametrize("pattern", ["app.log", "app.log*", "**/*.lo[g]"])
def test_a_renamed_file_is_read_to_its_end_before_the_new_one(
    log: Log, pattern: str
) -> None:
    """The writer may go on with the old file for a while."""
    log.lines(2)
    old: list[Any] = []

    def rename_and_write_to_the_old() -> None:
        old.append(log.path.open("a"))
        log.rename()

    def write_to_the_old() -> None:
        log.count += 1
        old[0].write(f"{log.count:06d} {PADDING}\n")
        old[0].flush()

    shelf = Shelf()
    events: list[Callable[[], object]] = [
        lambda: log.lines(1),
        rename_and_write_to_the_old,
        write_to_the_old,
        lambda: old.pop().close(),
        lambda: log.lines(3),
    ]
    follow(shelf, log.folder / pattern, events=events)
    expect_all(shelf, log)


@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
def test_a_file_renamed_while_nobody_looks_is_finished_after_the_restart(
    log: Log, pattern: str
) -> None:
    log.lines(2)
    shelf = Shelf()
    follow(shelf, log.folder / pattern)
    log.lines(2)
    log.rename()
    log.lines(2)
    follow(shelf, log.folder / pattern)
    expect_all(shelf, log)


@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
@pytest.mark.parametrize("restart", [False, True])
def test_the_rest_of_a_copied_and_truncated_file_is_read_from_the_copy(
    log: Log, pattern: str, *, restart: bool
) -> None:
    log.lines(2)
    shelf = Shelf()

    def rotate() -> None:
        log.lines(2)
        log.copy_and_truncate()
        log.lines(2)

    if restart:
        follow(shelf, log.folder / pattern)
        rotate()
        follow(shelf, log.folder / pattern)
    else:
        follow(shelf, log.folder / pattern, events=[rotate])
    expect_all(shelf, log)
    follow(shelf, log.folder / pattern)
    expect_all(shelf, log)


def test_a_file_rewritten_to_the_same_size_is_read_again(log: Log) -> None:
    log.lines(2)
    shelf = Shelf()
    follow(
        shelf,
        log.path,
        events=[
            lambda: log.path.write_text("y" * (log.path.stat().st_size - 1) + "\n")
        ],
    )
    assert [message[0] for message in shelf.messages] == ["0", "0", "y"]


def test_a_truncated_file_that_grew_past_the_position_is_read_from_its_start(
    log: Log,
) -> None:
    log.lines(1)
    shelf = Shelf()
    follow(shelf, log.path, events=[lambda: log.path.write_text("new\n" * 500)])
    assert shelf.messages[1:] == ["new"] * 500


def test_a_deleted_file_is_closed_once_it_is_quiet(log: Log) -> None:
    """Its last line counts although it has no end."""
    log.lines(1)
    clock = Clock()
    shelf = Shelf()

    def later() -> None:
        clock.s += 61

    def delete() -> None:
        with log.path.open("a") as file:
            file.write("last words")
        log.path.unlink()

    follow(shelf, log.path, events=[delete, later], clock=clock)
    assert shelf.messages[1:] == ["last words"]


def test_an_inode_that_is_used_again_is_another_file(log: Log) -> None:
    """The position of a deleted file says nothing about the next one in its place."""
    log.lines(3)
    shelf = Shelf()
    follow(shelf, log.path)
    (name,) = shelf.stored
    log.path.unlink()
    log.path.write_text("another\nfile\n")
    shelf.stored[f"file:logs:{log.path.stat().st_ino}"] = shelf.stored.pop(name)
    follow(shelf, log.path)
    assert shelf.messages[3:] == ["another", "file"]


def test_a_copy_in_the_making_is_not_read_twice(log: Log) -> None:
    """A pattern may match the copy before it is complete."""
    log.lines(4)
    copy = log.folder / "app.log.1"
    whole = log.path.read_bytes
    shelf = Shelf()

    def copy_a_part() -> None:
        copy.write_bytes(whole()[:700])

    def finish() -> None:
        log.lines(1)
        copy.write_bytes(whole())
        log.path.write_bytes(b"")

    follow(shelf, log.folder / "app.log*", events=[copy_a_part, finish])
    expect_all(shelf, log)


def test_other_files_in_the_folder_are_left_alone(log: Log) -> None:
    """Also when they were once followed under this collector's name."""
    log.lines(1)
    other = log.folder / "application.txt"
    other.write_text("not mine\n")
    shelf = Shelf()
    follow(shelf, log.folder / "*")
    assert len(shelf.entries) == 2
    with other.open("a") as file:
        file.write("still not mine\n")
    follow(shelf, log.path)
    assert len(shelf.entries) == 2


def test_files_of_one_inode_on_two_devices_do_not_share_a_position(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device is not part of a position's name: it changes with every reboot."""
    log.lines(1)
    other = log.folder.parent / "other.txt"
    other.write_text("other\n")
    stat = os.fstat

    def same_inode(descriptor: int) -> os.stat_result:
        found = list(stat(descriptor))
        return os.stat_result([found[0], 7, found[1], *found[3:]])

    monkeypatch.setattr(os, "fstat", same_inode)
    monkeypatch.setattr(
        file_discovery.Discovery,
        "identity",
        lambda _, path: (Path(path).stat().st_ino, 7),
    )
    shelf = Shelf()
    for _ in range(3):
        follow(shelf, log.path, other)
        log.lines(1)
        with other.open("a") as file:
            file.write("other\n")
    follow(shelf, other, log.path)
    assert len(shelf.stored) == 2
    assert sorted(shelf.messages) == [*log.expected(), *["other"] * 4]


def test_a_file_that_changes_all_the_time_does_not_hold_up_the_others(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.lines(2)
    odd = log.folder / "odd.log"
    odd.write_text("x\n")
    hold_in = file_source.Edges.hold_in
    monkeypatch.setattr(
        file_source.Edges,
        "hold_in",
        lambda self, source: source.path != str(odd) and hold_in(self, source),
    )
    shelf = Shelf()
    follow(shelf, odd, log.path, events=[lambda: log.lines(1)])
    expect_all(shelf, log)


def test_a_file_that_can_not_be_read_costs_itself_only(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.lines(2)
    bad = log.folder / "bad.log"
    bad.write_text("x\n")
    read_at = file_source.PlainFile.read_at
    broken = [True]

    def fails(self: file_source.PlainFile, offset: int, count: int) -> bytes:
        if self.path == str(bad) and broken:
            raise OSError(5, "scripted")
        return read_at(self, offset, count)

    monkeypatch.setattr(file_source.PlainFile, "read_at", fails)
    shelf = Shelf()
    follow(shelf, bad, log.path, events=[lambda: log.lines(1), broken.clear])
    assert shelf.messages == [*log.expected(), "x"]


ACTIONS = ("lines", "half", "rename", "copy", "look", "restart", "kill", "lost_ack")


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    actions=st.lists(st.sampled_from(ACTIONS), max_size=25),
    pattern=st.sampled_from(["app.log", "app.log*"]),
)
def test_every_line_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, actions: list[str], pattern: str
) -> None:
    """Random days of a log file, with a collector that dies now and then.

    `lost_ack`: the sink stored, and the collector died before it knew. A file is
    rotated only after a line of it was looked at, and once between two looks: what is
    written and rotated out of the pattern unseen is beyond anybody's reach.
    """
    log = Log(tmp_path_factory.mktemp("day") / "logs")
    shelf = Shelf()
    pending: list[str] = ["lines"]
    looked_at = False
    for action in [*actions, "restart", "look"]:
        if action in {"rename", "copy"}:
            if looked_at:
                pending.append(action)
                looked_at = False
        elif action in {"lines", "half"}:
            pending.append(action)
        else:
            play(shelf, log, pattern, pending, action)
            looked_at = log.has_a_line()
            pending = []
    expect_all(shelf, log)


def play(shelf: Shelf, log: Log, pattern: str, pending: list[str], action: str) -> None:
    todo: dict[str, Callable[[], object]] = {
        "lines": lambda: log.lines(2),
        "half": log.half_a_line,
        "rename": log.rename,
        "copy": log.copy_and_truncate,
    }

    def everything() -> None:
        for each in pending:
            todo[each]()

    if action == "look":
        follow(shelf, log.folder / pattern, events=[everything])
        return
    everything()
    if action != "restart":
        shelf.faults = {shelf.calls + 1: Killed()}
        shelf.after = action == "lost_ack"
        follow(shelf, log.folder / pattern)
        shelf.faults = {}
    follow(shelf, log.folder / pattern)
