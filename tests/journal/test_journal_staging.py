"""Staging and numbers: a large batch counts as a whole, and a number is given once."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import logstream.journal.files as files_module
from logstream.core import durable
from logstream.core.errors import DiskFull, StorageError
from logstream.journal.files import DiskFiles, MemoryFiles, SegmentFiles
from logstream.journal.recovery import recover
from logstream.journal.segment import Segment
from logstream.journal.staging import Staging

LINE = b'{"message":"m"}\n'


class Taken:
    """What was committed, and how many bytes the staging says it holds."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.bytes = 0

    def stage(self, files: SegmentFiles) -> Staging:
        return Staging(
            files,
            segment_bytes=200,
            stamp=lambda positions: {n: (1, v) for n, v in positions.items()},
            on_bytes=self._hold,
            on_commit=self._take,
        )

    def _hold(self, size: int) -> None:
        self.bytes += size

    def _take(self, segments: Sequence[Segment]) -> None:
        self.segments.extend(segments)


def found(folder: Path) -> int:
    """Entries that the next start finds."""
    return sum(recover(n, path).entries for n, path in DiskFiles(folder).existing())


@pytest.mark.parametrize("kind", ["disk", "memory"])
def test_a_committed_batch_counts_as_a_whole(tmp_path: Path, kind: str) -> None:
    files: SegmentFiles = DiskFiles(tmp_path) if kind == "disk" else MemoryFiles()
    taken = Taken()
    staging = taken.stage(files)
    for _ in range(20):
        staging.write(LINE, lines=1)
    assert taken.segments == []
    staging.commit()
    staging.discard()
    assert sum(segment.entries for segment in taken.segments) == 20
    assert len(taken.segments) > 2
    assert len({segment.number for segment in taken.segments}) == len(taken.segments)
    for segment in taken.segments:
        assert segment.file.path.read_bytes().count(LINE) == segment.entries
        segment.file.delete()
    assert not [*tmp_path.glob("batch-*")]


def test_a_crash_before_the_commit_leaves_nothing(tmp_path: Path) -> None:
    staging = Taken().stage(DiskFiles(tmp_path))
    staging.write(LINE, lines=1)
    assert [*tmp_path.glob("staging-*")]
    assert found(tmp_path) == 0
    assert not [*tmp_path.glob("staging-*")]


def test_a_number_that_was_half_reserved_is_dropped(tmp_path: Path) -> None:
    DiskFiles(tmp_path).create().close()
    reserved = (tmp_path / "next").read_text()
    (tmp_path / "next.tmp").write_text(reserved[:1])
    DiskFiles(tmp_path)
    assert not (tmp_path / "next.tmp").exists()
    assert (tmp_path / "next").read_text() == reserved


def test_a_crash_after_the_commit_loses_nothing(tmp_path: Path) -> None:
    staging = Taken().stage(DiskFiles(tmp_path))
    for _ in range(20):
        staging.write(LINE, lines=1)
    staging.commit()
    assert found(tmp_path) == 20


def test_a_discarded_batch_leaves_nothing_and_takes_no_more(tmp_path: Path) -> None:
    taken = Taken()
    staging = taken.stage(DiskFiles(tmp_path))
    staging.write(LINE, lines=1)
    assert taken.bytes > 0
    staging.discard()
    staging.discard()
    assert taken.bytes == 0
    with pytest.raises(StorageError):
        staging.write(LINE, lines=1)
    with pytest.raises(StorageError):
        staging.commit()
    assert not [*tmp_path.glob("staging-*")]
    assert taken.segments == []


def test_a_commit_that_is_not_durable_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender is told that it failed, so it may not come back at the next start."""
    taken = Taken()
    staging = taken.stage(DiskFiles(tmp_path))
    staging.write(LINE, lines=1)
    real = durable.sync_folder

    def fail_on_root(folder: Path) -> None:
        if folder == tmp_path:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(folder)

    monkeypatch.setattr(files_module, "sync_folder", fail_on_root)
    with pytest.raises(StorageError):
        staging.commit()
    staging.discard()
    monkeypatch.undo()
    assert taken.segments == []
    assert taken.bytes == 0
    assert found(tmp_path) == 0


def test_a_full_disk_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging = Taken().stage(DiskFiles(tmp_path))

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    staging.write(LINE, lines=1)
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DiskFull):
        staging.write(LINE, lines=1)
    monkeypatch.undo()
    staging.discard()


def test_a_number_is_never_given_twice_whatever_is_deleted(tmp_path: Path) -> None:
    """Partitions remember numbers for ever."""
    given: list[int] = []
    for _ in range(3):
        files = DiskFiles(tmp_path)
        for _ in range(3):
            file = files.create()
            given.append(file.number)
            file.close()
            file.delete()
        staged = files.stage().create()
        given.append(staged.number)
        staged.close()
    assert given == sorted(set(given))


def test_the_floor_holds_when_the_folder_is_gone(tmp_path: Path) -> None:
    file = DiskFiles(tmp_path / "new", floor=7_000).create()
    assert file.number >= 7_000
    file.close()


def test_a_reservation_that_was_not_written_gives_no_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a crash the next start would give the same ones again."""
    files = DiskFiles(tmp_path)
    fail = True

    def write(path: Path, content: bytes) -> None:
        if fail:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        path.write_bytes(content)

    monkeypatch.setattr(files_module, "write_durably", write)
    for _ in range(2):
        with pytest.raises(OSError, match="space"):
            files.create()
    fail = False
    file = files.create()
    file.close()
    assert int((tmp_path / "next").read_text()) > file.number


def test_a_damaged_reservation_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "next").write_text("?")
    with pytest.raises(StorageError, match="write one into it"):
        DiskFiles(tmp_path)
