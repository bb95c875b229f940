"""A chunk: a piece of a segment, which a chain works on in one go."""

import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from logstream.core.entry import make_id
from logstream.journal.segment import Segment

CHUNK_LINES = 4096
"""About as many: chunks are cut by bytes, and lines are of different lengths."""
_HEADER = b'{"_frame"'


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """Whole lines as they stand in a segment, headers of frames among them."""

    first_id: int
    """Of its first line; the others follow, one by one."""
    data: bytes = b""
    """Empty: to be read from the file."""
    path: str = ""
    """Of the segment; empty when another process cannot open it."""
    start: int = 0
    end: int = 0

    def read(self) -> bytes:
        """The lines. Raises OSError."""
        if self.data or not self.path:
            return self.data
        with Path(self.path).open("rb") as file:
            return os.pread(file.fileno(), self.end - self.start, self.start)

    def to_send(self) -> "Chunk":
        """What another process needs to have the same lines: no bytes, if it can be."""
        return msgspec.structs.replace(self, data=b"") if self.path else self

    def single_lines(self) -> Iterator["Chunk"]:
        """Each entry of it as a chunk."""
        for entry_id, line in entry_lines(self.read(), self.first_id):
            yield Chunk(first_id=entry_id, data=line)


def chunks_of(segment: Segment) -> Iterator[Chunk]:
    """All of a segment, in order. Raises OSError."""
    size = segment.size
    if not size:
        return
    step = size * CHUNK_LINES // max(1, segment.lines or segment.entries)
    path = segment.file.path
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as content,
    ):
        at, lines = 0, 0
        while at < size:
            newline = content.find(b"\n", min(at + step, size - 1), size)
            end = size if newline < 0 else newline + 1
            data = content[at:end]
            yield Chunk(
                first_id=make_id(segment.number, lines),
                data=data,
                path=str(path) if segment.file.shared else "",
                start=at,
                end=end,
            )
            at, lines = end, lines + data.count(b"\n")


def entry_lines(data: bytes, first_id: int) -> Iterator[tuple[int, bytes]]:
    """The lines that are entries, without newlines, and their ids."""
    for entry_id, line in enumerate(data.split(b"\n"), first_id):
        if line and not line.startswith(_HEADER):
            yield entry_id, line


def entry_runs(data: bytes, first_id: int) -> Iterator[tuple[int, bytes]]:
    """The same as runs of lines with no header between them: few, and no copy of a
    chunk that has none.
    """
    at, size = 0, len(data)
    while at < size:
        if data.startswith(_HEADER, at):
            at = data.find(b"\n", at) + 1 or size
            first_id += 1
            continue
        end = data.find(b"\n" + _HEADER, at) + 1 or size
        run = data if end - at == size else data[at:end]
        yield first_id, run
        first_id += run.count(b"\n")
        at = end
