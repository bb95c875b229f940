"""A segment: a file of frames, and what is known of it without reading it."""

import time
from collections.abc import Mapping
from types import MappingProxyType

from logstream.journal.answers import Answer
from logstream.journal.files import SegmentFile
from logstream.journal.frame import encode_header
from logstream.journal.positions import Stamped

MAX_LINES = 1 << 20
"""Frame headers are lines too. See `core.entry.ID_LINE_BITS`."""


class Segment:
    """Written by one thread; its counts may be read by any."""

    def __init__(self, file: SegmentFile, *, replayed: bool = False) -> None:
        self.file = file
        self.lines = 0
        self.entries = 0
        self.positions: dict[str, Stamped] = {}
        self.answers: dict[str, Answer] = {}
        self.opened_at = time.monotonic()
        self.replayed = replayed
        """It was found at start."""
        self.tried = replayed
        """A load of it may have begun, so partitions may have applied it."""
        self.acked = replayed
        """Some of its entries may be acked, so queries have to see them."""

    @property
    def number(self) -> int:
        return self.file.number

    @property
    def size(self) -> int:
        return self.file.size

    def room_for(self, lines: int) -> bool:
        return self.lines + lines + 1 <= MAX_LINES

    def write_frame(
        self,
        payload: list[bytes],
        *,
        lines: int,
        positions: dict[str, Stamped],
        answers: Mapping[str, Answer] = MappingProxyType({}),
    ) -> None:
        """Append one frame; not durable before `sync`.

        Raises:
            OSError: the file may end in half a frame: `SegmentFile.cut_back`.
        """
        header = encode_header(
            payload, lines=lines, positions=positions, answers=answers
        )
        self.file.write([header, *payload])
        self._pending = (
            len(header) + sum(map(len, payload)),
            lines,
            positions,
            answers,
        )

    def sync(self) -> None:
        """Make the frame just written durable, and only then count it."""
        size, lines, positions, answers = self._pending
        self.file.sync(self.file.size + size)
        self.lines += lines + 1
        self.entries += lines
        self.positions.update(positions)
        self.answers.update(answers)
