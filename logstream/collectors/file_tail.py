"""Reading one file line by line, from a position that survives restarts.

A line ends in LF or CRLF, which are not part of it; every other byte is, and an empty
line is a line. A line that is not finished yet stays unread, unless the file is read
for the last time. Bytes that are not UTF-8 become U+FFFD, and the entry says how many.
A line over the limit is cut into parts that are numbered, so nothing of it is lost.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from logstream.collectors.file_source import Edges, Source, edges_at, first_data
from logstream.collectors.long_lines import ESCAPED_BYTES, cut, parts_of

READ_BYTES = 1_048_576
MAX_LINES = 16_384
"""Per read: a megabyte of empty lines would be a million entries."""

_BOM = b"\xef\xbb\xbf"


class Position(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is stored of a file; the shape of its JSON."""

    offset: Annotated[int, Meta(ge=0, le=1 << 62)]
    fingerprint: str
    """Of the first bytes and of those before `offset`: see `file_source`."""
    path: str
    """Where it was found, when a pattern found it last."""
    inode: int = 0
    part: Annotated[int, Meta(ge=0)] = 0
    """Parts taken of a line that goes on behind `offset`."""
    open_line: bool = False
    """The line before `offset` was taken without its end, at the end of the file."""


def as_json(position: Position) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(position)
    return found


def from_json(value: object) -> Position | None:
    """None: there is none, or it is not one of ours."""
    if value is None:
        return None
    try:
        return msgspec.convert(value, Position)
    except msgspec.ValidationError:
        return None


class Rewritten(Exception):
    """The file is not the one that was read so far: truncated or written anew."""


class Chunk:
    """Whole lines, and where the file stands behind them."""

    __slots__ = ("edges", "lines", "notes", "open_line", "part")

    def __init__(self, lines: list[str], notes: dict[int, dict[str, Any]]) -> None:
        self.lines = lines
        self.notes: Mapping[int, Mapping[str, Any]] = notes
        self.edges = Edges()
        self.part = 0
        self.open_line = False


class Tail:
    """Owns an open file. Sync, for one thread at a time.

    `read` changes nothing: only `accept` moves on, once the chunk is on disk.

    Args:
        path: As a pattern found it; the file may be called otherwise by now.
        name: Of its position.
        max_line_bytes: Of a line, and of its JSON.
    """

    def __init__(
        self, source: Source, *, path: str, name: str, max_line_bytes: int
    ) -> None:
        self.source = source
        self.path = path
        self.name = name
        self._limit = max_line_bytes
        self._edges = Edges()
        self._part = 0
        self._open_line = False

    @property
    def offset(self) -> int:
        return self._edges.offset

    @property
    def head(self) -> bytes:
        return self._edges.head

    def position(self, chunk: Chunk | None = None) -> Position:
        """The position behind a chunk, or the present one."""
        edges = self._edges if chunk is None else chunk.edges
        return Position(
            offset=edges.offset,
            fingerprint=edges.fingerprint(),
            path=self.path,
            inode=self.source.identity[1],
            part=self._part if chunk is None else chunk.part,
            open_line=self._open_line if chunk is None else chunk.open_line,
        )

    def resume(self, stored: Position) -> bool:
        """Go to a stored position; False, and nothing changed: not this content."""
        edges = edges_at(self.source, stored.offset)
        if edges is None or edges.fingerprint() != stored.fingerprint:
            return False
        self._edges = edges
        self._part = stored.part
        self._open_line = stored.open_line
        return True

    def skip_to_last_line(self) -> None:
        """Go behind the last line that is finished."""
        size = self.source.size() or 0
        start = max(0, size - READ_BYTES)
        end = start + self.source.read_at(start, size - start).rfind(b"\n") + 1
        self._edges = edges_at(self.source, end) or Edges()

    def rewind(self) -> None:
        self._edges = Edges()
        self._part = 0
        self._open_line = False

    def accept(self, chunk: Chunk) -> None:
        self._edges = chunk.edges
        self._part = chunk.part
        self._open_line = chunk.open_line

    def read(self, *, last: bool) -> Chunk | None:
        """The next lines, or None while there is no finished one.

        Args:
            last: Nothing will be appended: what is left at the end is a line too.

        Raises:
            Rewritten: go on with `rewind`.
            OSError: as the system says.
        """
        edges = self._edges
        hole = first_data(self.source) if edges.offset == 0 else 0
        count = max(READ_BYTES, self._limit + 4)
        data = self.source.read_at(hole or edges.offset, count)
        # After reading: then what was read did follow what was read before.
        if not self.source.immutable and not edges.hold_in(self.source):
            raise Rewritten
        if not data:
            return None
        if hole:
            nuls = len(data) - len(data.lstrip(b"\0"))
            data = data[nuls:]
            edges = Edges(hole + nuls, bytes(256), bytes(256))
        return self._lines_of(edges, data, last=last)

    def _lines_of(self, edges: Edges, data: bytes, *, last: bool) -> Chunk | None:
        end = data.rfind(b"\n") + 1
        if end and data.count(b"\n") > MAX_LINES:
            end = len(data) - len(data.split(b"\n", MAX_LINES)[-1])
        open_line = False
        if end == 0:
            if len(data) > self._limit:
                return self._long_line(edges, data)
            if not last or not data:
                return None
            end, open_line = len(data), True
        body = data[:end]
        if edges.offset == 0 and body.startswith(_BOM):
            body = body[3:]
        skipped = self._ending_of_open_line(body)
        chunk = self._chunk(
            body[skipped:].removesuffix(b"\n"), bare=skipped == len(body)
        )
        chunk.edges = edges.after(data[:end])
        chunk.open_line = open_line
        return chunk

    def _ending_of_open_line(self, body: bytes) -> int:
        """The end of a line that was taken without it came later: it is no new line."""
        if not self._open_line:
            return 0
        return 2 if body.startswith(b"\r\n") else 1 if body.startswith(b"\n") else 0

    def _long_line(self, edges: Edges, data: bytes) -> Chunk:
        end = cut(data, 0, len(data) // self._limit * self._limit)
        lines: list[str] = []
        notes: dict[int, dict[str, Any]] = {}
        for text, broken in parts_of(data[:end], self._limit):
            notes[len(lines)] = _note(part=self._part + len(lines) + 1, broken=broken)
            lines.append(text)
        chunk = Chunk(lines, notes)
        chunk.part = self._part + len(lines)
        chunk.edges = edges.after(data[:end])
        return chunk

    def _chunk(self, body: bytes, *, bare: bool) -> Chunk:
        """Args: bare: there is no line in it at all, not even an empty one."""
        if bare:
            return Chunk([], {})
        if b"\r" in body:
            body = body.replace(b"\r\n", b"\n").removesuffix(b"\r")
        try:
            lines = body.decode().split("\n")
        except UnicodeDecodeError:
            return self._careful_chunk(body)
        if self._part or max(map(len, lines)) * ESCAPED_BYTES > self._limit:
            return self._careful_chunk(body)
        return Chunk(lines, {})

    def _careful_chunk(self, body: bytes) -> Chunk:
        lines: list[str] = []
        notes: dict[int, dict[str, Any]] = {}
        part = self._part
        for raw in body.split(b"\n"):
            if part and not raw:
                part = 0
                continue
            parts = parts_of(raw, self._limit)
            numbered = part > 0 or len(parts) > 1
            for text, broken in parts:
                part += 1
                if numbered or broken:
                    notes[len(lines)] = _note(part=part * numbered, broken=broken)
                lines.append(text)
            part = 0
        return Chunk(lines, notes)


def _note(*, part: int, broken: int) -> dict[str, Any]:
    note: dict[str, Any] = {"line_part": part} if part else {}
    if broken:
        note["invalid_utf8"] = broken
    return note
