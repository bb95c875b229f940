"""Staging: a batch too large for one frame, stored as a whole or not at all.

Its frames go to segment files of their own, beside the shared one, so a large upload
neither holds up others' acks nor has to be held in memory. They are synced as they
fill; `commit` makes them count with one rename.
"""

import errno
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from logstream.core.errors import DiskFull, StorageError
from logstream.journal.answers import Answer
from logstream.journal.files import SegmentFiles
from logstream.journal.positions import Stamped
from logstream.journal.segment import Segment


class Staging:
    """Thread-safe: a caller that gives up while its thread still writes may `discard`,
    which waits for that write. What comes first, `commit` or `discard`, is final.

    Args:
        on_bytes: Told of bytes that this holds, and, negative, that it gave up.
        on_commit: Given the segments, whose bytes are its own from then on.
    """

    def __init__(
        self,
        files: SegmentFiles,
        *,
        segment_bytes: int,
        stamp: Callable[[Mapping[str, Any]], dict[str, Stamped]],
        on_bytes: Callable[[int], None],
        on_commit: Callable[[Sequence[Segment]], None],
    ) -> None:
        self._staged = files.stage()
        self._segment_bytes = segment_bytes
        self._stamp = stamp
        self._on_bytes = on_bytes
        self._on_commit = on_commit
        self._segments: list[Segment] = []
        self._lock = threading.Lock()
        self._over = False

    def write(
        self,
        payload: bytes,
        *,
        lines: int,
        positions: dict[str, Any] | None = None,
        answers: Mapping[str, Answer] | None = None,
    ) -> None:
        """Append a frame of canonical NDJSON.

        Raises:
            StorageError: discard the whole.
        """
        with self._lock:
            self._check_open()
            try:
                segment = self._segment_for(lines)
                before = segment.size
                stamped = self._stamp(positions) if positions else {}
                segment.write_frame(
                    [payload], lines=lines, positions=stamped, answers=answers or {}
                )
                segment.sync()
            except OSError as failure:
                raise _storage_error(failure) from None
            self._on_bytes(segment.size - before)

    def commit(self) -> Sequence[Segment]:
        """Make all of it count, durably; returns where it is.

        Raises:
            StorageError: discard the whole.
        """
        with self._lock:
            self._check_open()
            try:
                for segment in self._segments:
                    segment.file.close()
                self._staged.commit()
            except OSError as failure:
                raise _storage_error(failure) from None
            self._over = True
            self._on_commit(self._segments)
        return self._segments

    def discard(self) -> None:
        """Nothing of it counts. Does nothing after a `commit`."""
        with self._lock:
            if self._over:
                return
            self._over = True
            self._staged.discard()
            self._on_bytes(-sum(segment.size for segment in self._segments))

    def _check_open(self) -> None:
        if self._over:
            raise StorageError("The batch was committed or discarded before.")

    def _segment_for(self, lines: int) -> Segment:
        if self._segments:
            last = self._segments[-1]
            if last.size < self._segment_bytes and last.room_for(lines):
                return last
            last.file.close()
        self._segments.append(Segment(self._staged.create()))
        return self._segments[-1]


def _storage_error(failure: OSError) -> StorageError:
    kind = DiskFull if failure.errno in {errno.ENOSPC, errno.EDQUOT} else StorageError
    return kind(f"The batch cannot be written: {failure.strerror or failure}.")
