"""Staging: a batch too large for one frame, stored as a whole or not at all.

Its frames go to segment files of their own, beside the shared one, so a large upload
neither holds up others' acks nor has to be held in memory. They are synced as they
fill; `commit` makes them count with one rename.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from logstream.core.errors import DiskFull, StorageError
from logstream.journal.files import SegmentFiles
from logstream.journal.positions import Stamped
from logstream.journal.segment import Segment


class Staging:
    """Used by one thread at a time. `discard` it if it is not committed."""

    def __init__(
        self,
        files: SegmentFiles,
        *,
        segment_bytes: int,
        stamp: Callable[[Mapping[str, Any]], dict[str, Stamped]],
        on_commit: Callable[[Sequence[Segment]], None],
    ) -> None:
        self._staged = files.stage()
        self._segment_bytes = segment_bytes
        self._stamp = stamp
        self._on_commit = on_commit
        self._segments: list[Segment] = []
        self.bytes = 0
        self.entries = 0

    def write(
        self, payload: bytes, *, lines: int, positions: dict[str, Any] | None = None
    ) -> None:
        """Append a frame of canonical NDJSON.

        Raises:
            StorageError: discard the whole.
        """
        try:
            segment = self._segment_for(lines)
            stamped = self._stamp(positions) if positions else {}
            segment.write_frame([payload], lines=lines, positions=stamped)
            segment.sync()
        except OSError as failure:
            full = failure.errno in {28, 122}
            kind = DiskFull if full else StorageError
            raise kind(f"The journal cannot be written: {failure.strerror}.") from None
        self.bytes += len(payload)
        self.entries += lines

    def commit(self) -> None:
        """Make all of it count, durably. Raises StorageError."""
        try:
            for segment in self._segments:
                segment.file.close()
            self._staged.commit()
        except OSError as failure:
            raise StorageError(f"The batch cannot be committed: {failure}.") from None
        self._on_commit(self._segments)
        self._segments = []

    def discard(self) -> None:
        self._staged.discard()

    def _segment_for(self, lines: int) -> Segment:
        if self._segments:
            last = self._segments[-1]
            if last.size < self._segment_bytes and last.room_for(lines):
                return last
            last.file.close()
        self._segments.append(Segment(self._staged.create()))
        return self._segments[-1]
