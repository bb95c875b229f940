"""The bytes of one open file, plain or gzip: where they are, and whose they are.

A file is known by its device and inode while it is open, and by its *fingerprint*
after a restart: a hash of its first 256 bytes and of the 256 bytes before the position
read up to. If both are as they were, what stands behind them is what comes next,
whatever the file is called now; if not, it was truncated, rewritten, or is another
file that got the inode.
"""

import errno
import gzip
import hashlib
import logging
import os
import stat
import zlib
from typing import Protocol

from logstream.telemetry.metrics import COLLECTOR_ERRORS

_log = logging.getLogger(__name__)

Identity = tuple[int, int]
"""Device and inode."""

EDGE_BYTES = 256
"""How much of the beginning, and of what is before a position, tells a file."""


class Source(Protocol):
    """Sync and for one thread at a time. Each call may raise OSError."""

    path: str
    identity: Identity
    immutable: bool
    """Nobody appends to it or rewrites it."""

    def size(self) -> int | None:
        """In bytes as `read_at` counts them; None: only reading on can tell."""
        ...

    def changed_ns(self) -> int:
        """When it was last written to."""
        ...

    def read_at(self, offset: int, count: int) -> bytes:
        """Fewer than `count` only at the end."""
        ...

    def progress(self, offset: int) -> tuple[int, int]:
        """Bytes on disk that lie before `offset`, and of all."""
        ...

    def close(self) -> None: ...


class NotRegular(OSError):
    """A folder, a pipe, a device: nothing that has positions."""


def open_source(path: str) -> Source:
    """Raises OSError."""
    # Non-blocking, so that a pipe in place of a file does not hang us.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise NotRegular(errno.EINVAL, "not a regular file", path)
    if is_compressed(path):
        return GzipFile(path, descriptor, status)
    return PlainFile(path, descriptor, status)


def is_compressed(path: str) -> bool:
    return path.endswith(".gz")


def first_data(source: Source) -> int:
    """Where the hole at the beginning ends, 0 for a file without.

    A program that keeps its offset while its file is truncated leaves such a hole.
    """
    if not isinstance(source, PlainFile):
        return 0
    return source.first_data()


class PlainFile:
    immutable = False

    def __init__(self, path: str, descriptor: int, status: os.stat_result) -> None:
        self.path = path
        self.identity = (status.st_dev, status.st_ino)
        self._descriptor = descriptor

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def changed_ns(self) -> int:
        return os.fstat(self._descriptor).st_mtime_ns

    def read_at(self, offset: int, count: int) -> bytes:
        return os.pread(self._descriptor, count, offset)

    def first_data(self) -> int:
        try:
            return os.lseek(self._descriptor, 0, os.SEEK_DATA)
        except OSError:  # nothing but a hole, or a file system that does not know
            return 0

    def progress(self, offset: int) -> tuple[int, int]:
        return offset, max(offset, self.size())

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class GzipFile:
    """Read forward; going back starts over. Offsets count unpacked bytes."""

    immutable = True

    def __init__(self, path: str, descriptor: int, status: os.stat_result) -> None:
        self.path = path
        self.identity = (status.st_dev, status.st_ino)
        self._status = status
        self._raw = os.fdopen(descriptor, "rb")
        self._unpacked = gzip.GzipFile(fileobj=self._raw, mode="rb")
        self._broken = False

    def size(self) -> None:
        return None

    def changed_ns(self) -> int:
        return self._status.st_mtime_ns

    def read_at(self, offset: int, count: int) -> bytes:
        found: list[bytes] = []
        try:
            if self._unpacked.tell() != offset:
                self._unpacked.seek(offset)
            # Piecewise, so that what stands before the damage is not lost with it.
            while count > 0 and (piece := self._unpacked.read1(count)):
                found.append(piece)
                count -= len(piece)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            self._report(error)
        return b"".join(found)

    def progress(self, offset: int) -> tuple[int, int]:
        size = self._status.st_size
        return min(self._raw.tell(), size), size

    def close(self) -> None:
        self._unpacked.close()
        self._raw.close()

    def _report(self, error: Exception) -> None:
        if not self._broken:
            self._broken = True
            COLLECTOR_ERRORS.inc()
            _log.error(
                "A gzip file is damaged: read up to the damage.",
                extra={"file": self.path, "error": str(error)},
            )


class Edges:
    """The two pieces of a file that tell it: its head, and what is before an offset."""

    __slots__ = ("head", "offset", "tail")

    def __init__(self, offset: int = 0, head: bytes = b"", tail: bytes = b"") -> None:
        self.offset = offset
        self.head = head
        self.tail = tail

    def after(self, consumed: bytes) -> "Edges":
        head = self.head
        if len(head) < EDGE_BYTES:
            head = (head + consumed[:EDGE_BYTES])[:EDGE_BYTES]
        tail = (self.tail + consumed[-EDGE_BYTES:])[-EDGE_BYTES:]
        return Edges(self.offset + len(consumed), head, tail)

    def fingerprint(self) -> str:
        return hashlib.blake2b(self.head + b"\0" + self.tail, digest_size=8).hexdigest()

    def hold_in(self, source: Source) -> bool:
        """Whether the file still reads so up to the offset."""
        count = len(self.tail)
        return (
            source.read_at(self.offset - count, count) == self.tail
            and source.read_at(0, len(self.head)) == self.head
        )


def edges_at(source: Source, offset: int) -> Edges | None:
    """None: the file does not reach that far."""
    count = min(EDGE_BYTES, offset)
    head = source.read_at(0, count)
    tail = source.read_at(offset - count, count)
    if len(head) < count or len(tail) < count:
        return None
    return Edges(offset, head, tail)
