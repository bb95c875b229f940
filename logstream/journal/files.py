"""Segment files: on disk, or in memory for `storage.path: ":memory:"`.

A file has a number, given once and never again, also after a crash: entries' ids are
made of it. A *staged* group of files becomes visible as a whole, by one rename.
"""

import contextlib
import itertools
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, Self

from logstream.core.durable import sync_folder, write_durably
from logstream.core.errors import StorageError

_RESERVED_AT_ONCE = 4096
SUFFIX = ".ndjson"


class SegmentFile:
    """An open file that is appended to. Owned by one thread at a time."""

    def __init__(self, number: int, path: Path, fd: int, *, durable: bool) -> None:
        self.number = number
        self.path = path
        """Where a loader can read it: a real path, or one below `/proc/self/fd`."""
        self.size = 0
        self._fd = fd
        self._durable = durable

    def write(self, pieces: list[bytes]) -> None:
        """Append all of it.

        Raises:
            OSError: nothing more may be counted on than that `size` bytes are good;
                `cut_back` before the next write.
        """
        for piece in pieces:
            view = memoryview(piece)
            while view:
                view = view[os.write(self._fd, view) :]

    @property
    def shared(self) -> bool:
        """Whether another process can read it at `path`."""
        return self._durable

    @classmethod
    def found(cls, number: int, path: Path, size: int) -> Self:
        """One that was written before, only to be read and deleted."""
        file = cls(number, path, -1, durable=True)
        file.size = size
        return file

    def sync(self, size: int) -> None:
        """Make the first `size` bytes durable. Raises OSError."""
        if self._durable:
            _fdatasync(self._fd)
        self.size = size

    def cut_back(self) -> None:
        """Drop what was written after the last `sync` that worked, for good: after a
        power cut too it is not there. Raises OSError.
        """
        os.ftruncate(self._fd, self.size)
        os.lseek(self._fd, self.size, os.SEEK_SET)
        if self._durable:
            _fdatasync(self._fd)

    def close(self) -> None:
        """Writing is over. A file in memory stays readable until `delete`."""
        if self._durable and self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def delete(self) -> None:
        if self._durable:
            self.path.unlink(missing_ok=True)
            if self.path.parent.name.startswith("batch-"):
                with contextlib.suppress(OSError):  # not the last of its batch
                    self.path.parent.rmdir()
        elif self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            if not _HAS_MEMFD:
                self.path.unlink(missing_ok=True)


class SegmentFiles(Protocol):
    durable: bool

    def create(self) -> SegmentFile: ...

    def stage(self) -> "StagedFiles": ...

    def free_bytes(self) -> int: ...


class StagedFiles(Protocol):
    """Files that do not count until `commit`; `discard` after it does nothing."""

    def create(self) -> SegmentFile: ...

    def commit(self) -> None:
        """Make all of them count, durably, in one step. They were synced before."""
        ...

    def discard(self) -> None: ...


class DiskFiles:
    """Files in the folder `journal`, created if it is missing.

    Args:
        floor: No number below this is given, whatever the folder says: a journal that
            somebody deleted must not give numbers again that partitions remember.
    """

    durable = True

    def __init__(self, folder: Path, *, floor: int = 1) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._drop_unfinished()
        highest = max((number for number, _ in self.existing()), default=0)
        self._lock = threading.Lock()
        self._next = max(floor, highest + 1, self._read_reserved())
        self._reserved = self._next

    def existing(self) -> Iterator[tuple[int, Path]]:
        """Segments that count, lowest number first."""
        found = [
            *self._folder.glob(f"*{SUFFIX}"),
            *self._folder.glob(f"batch-*/*{SUFFIX}"),
        ]
        numbered = [(int(p.stem), p) for p in found if p.stem.isdigit()]
        return iter(sorted(numbered))

    def create(self) -> SegmentFile:
        file = self._create_in(self._folder)
        try:
            sync_folder(self._folder)
        except OSError:
            file.close()
            file.delete()
            raise
        return file

    def stage(self) -> StagedFiles:
        return _StagedOnDisk(self)

    def free_bytes(self) -> int:
        return shutil.disk_usage(self._folder).free

    def _create_in(self, folder: Path) -> SegmentFile:
        number = self._take_number()
        path = folder / f"{number:012d}{SUFFIX}"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        return SegmentFile(number, path, fd, durable=True)

    def _take_number(self) -> int:
        with self._lock:
            number = self._next
            if number >= self._reserved:
                # Counted only once it is written: a number that a crash forgets would
                # be given again, and partitions take it for one they have applied.
                reserved = number + _RESERVED_AT_ONCE
                write_durably(self._reserve_path, str(reserved).encode())
                self._reserved = reserved
            self._next = number + 1
            return number

    @property
    def _reserve_path(self) -> Path:
        return self._folder / "next"

    def _read_reserved(self) -> int:
        try:
            return int(self._reserve_path.read_text())
        except FileNotFoundError:
            return 1
        except ValueError:
            raise StorageError(
                f"{self._reserve_path} does not hold a number: write one into it that "
                "is higher than that of any segment file ever was."
            ) from None

    def _drop_unfinished(self) -> None:
        self._reserve_path.with_name("next.tmp").unlink(missing_ok=True)
        for staged in self._folder.glob("staging-*"):
            shutil.rmtree(staged)
        for batch in self._folder.glob("batch-*"):
            if not any(batch.iterdir()):
                batch.rmdir()


class _StagedOnDisk:
    def __init__(self, files: DiskFiles) -> None:
        self._files = files
        self._created: list[SegmentFile] = []
        self._folder: Path | None = None

    def create(self) -> SegmentFile:
        root = self._files._folder  # noqa: SLF001 - one class in two halves
        if self._folder is None:
            folder = root / f"staging-{self._files._take_number():012d}"  # noqa: SLF001
            folder.mkdir()
            self._folder = folder
        file = self._files._create_in(self._folder)  # noqa: SLF001
        self._created.append(file)
        return file

    def commit(self) -> None:
        if self._folder is None:
            return
        final = self._folder.with_name(self._folder.name.replace("staging", "batch"))
        sync_folder(self._folder)
        self._folder.rename(final)
        self._folder = final  # what `discard` removes, should the next step fail
        sync_folder(final.parent)
        for file in self._created:
            file.path = final / file.path.name
        self._folder = None

    def discard(self) -> None:
        if self._folder is not None:
            for file in self._created:
                with contextlib.suppress(OSError):  # nothing in it is to be kept
                    file.close()
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


class MemoryFiles:
    """Files in memory, which the loader reads by path: no journal, nothing is kept."""

    durable = False

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def create(self) -> SegmentFile:
        number = next(self._numbers)
        fd, path = _anonymous(f"segment-{number}")
        return SegmentFile(number, path, fd, durable=False)

    def stage(self) -> StagedFiles:
        return _StagedInMemory(self)

    def free_bytes(self) -> int:
        return 1 << 62


class _StagedInMemory:
    def __init__(self, files: MemoryFiles) -> None:
        self._files = files
        self._created: list[SegmentFile] = []

    def create(self) -> SegmentFile:
        self._created.append(self._files.create())
        return self._created[-1]

    def commit(self) -> None:
        self._created = []

    def discard(self) -> None:
        for file in self._created:
            file.delete()


def anonymous_file(name: str) -> int:
    """A file in memory that has no name, for processes that share it."""
    fd, path = _anonymous(name)
    if not _HAS_MEMFD:
        path.unlink()
    return fd


def _anonymous(name: str) -> tuple[int, Path]:
    """A file in memory on Linux; elsewhere one in the folder for temporary files."""
    if _HAS_MEMFD:
        fd = os.memfd_create(name)
        return fd, Path(f"/proc/self/fd/{fd}")
    fd, path = tempfile.mkstemp(prefix=f"logstream-{name}-", suffix=SUFFIX)
    return fd, Path(path)


_HAS_MEMFD = hasattr(os, "memfd_create")
ANONYMOUS_FOLDER = Path("/proc/self/fd" if _HAS_MEMFD else tempfile.gettempdir())
"""Where the paths of files in memory lie."""

_fdatasync = getattr(os, "fdatasync", os.fsync)
