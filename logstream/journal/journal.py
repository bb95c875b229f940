"""The journal: one thread that writes frames, so that an ack means fsynced.

Requests that wait while an fsync runs share the next one (group commit): the slower
the disk, the larger the groups. A full or old segment is closed and handed on; it is
deleted when every partition has applied it (`retire`).
"""

import errno
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

from logstream.core.errors import DiskFull, StorageError
from logstream.journal.answers import Answer, Answers
from logstream.journal.files import SegmentFiles
from logstream.journal.positions import Positions, Stamped
from logstream.journal.segment import MAX_LINES, Segment
from logstream.journal.staging import Staging
from logstream.journal.tickets import Ticket, check_positions, take_group
from logstream.telemetry.metrics import FSYNC_SECONDS, GROUP_REQUESTS, JOURNAL_SEGMENTS

_log = logging.getLogger(__name__)

_BUSY_PAUSE_S = 0.01
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_CLOSE_TIMEOUT_S = 30.0


GroupDone = Callable[[Sequence[Ticket], Segment | StorageError], None]


class Journal:
    """Thread-safe. Use as a context manager, or `close`.

    Args:
        on_segment: A closed segment, in order; called on the journal's thread.
        has_time: Whether a segment of so many bytes that is handed on now is soon
            worked on. While it is not, the active one grows instead: a load costs about
            as much for ten entries as for a thousand, so small ones would only pile up.
        on_group: These tickets are durable in a segment, or failed together; on the
            same thread. Whoever acks one of them sets `Segment.acked` first.
    """

    def __init__(
        self,
        files: SegmentFiles,
        positions: Positions,
        *,
        segment_bytes: int,
        linger_s: float,
        on_segment: Callable[[Segment], None],
        on_group: GroupDone,
        has_time: Callable[[int], bool] = lambda _: True,
        answers: Answers | None = None,
    ) -> None:
        self._files = files
        self.positions = positions
        self.answers = Answers() if answers is None else answers
        self.segment_bytes = segment_bytes
        self._linger_s = linger_s
        self._on_segment = on_segment
        self._on_group = on_group
        self._has_time = has_time
        self._wake = threading.Condition()
        self._waiting: list[Ticket] = []
        self._cut_wanted = False
        self._stopping = False
        self._active: Segment | None = None
        self._outstanding: dict[int, Segment] = {}
        self._held_bytes = 0
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def append(self, ticket: Ticket) -> None:
        """Queue it; `on_group` tells when it is durable. A frame holds up to 2**20 - 1
        lines, and so must a ticket.

        Raises:
            StorageError: the journal is closed. Nothing was queued.
            BadRequest: a position cannot be written as JSON.
        """
        if ticket.lines >= MAX_LINES:
            raise StorageError(f"{ticket.lines} lines do not fit into one frame.")
        if ticket.positions:
            check_positions(ticket.positions)
        with self._wake:
            if self._stopping:
                raise StorageError("The journal is closed.")
            self._waiting.append(ticket)
            self._held_bytes += len(ticket.payload)
            self._wake.notify()

    def stage(self) -> Staging:
        """Segments of a large batch, which count all at once or not at all."""
        return Staging(
            self._files,
            segment_bytes=self.segment_bytes,
            stamp=self.positions.stamp,
            on_bytes=self._hold,
            on_commit=self._take_staged,
        )

    def held_bytes(self) -> int:
        """Of entries that are not retired: queued, staged, written, all of them."""
        with self._wake:
            return self._held_bytes

    def _hold(self, size: int) -> None:
        with self._wake:
            self._held_bytes += size

    def adopt(self, segment: Segment) -> None:
        """A segment that was found at start: it is outstanding from now on."""
        with self._wake:
            self._outstanding[segment.number] = segment
            self._held_bytes += segment.size
        JOURNAL_SEGMENTS.inc()

    def cut(self) -> None:
        """Have the active segment closed as soon as may be."""
        with self._wake:
            if self._active is not None and self._active.entries:
                self._cut_wanted = True
                self._wake.notify()

    def outstanding(self) -> list[Segment]:
        """All that hold durable entries and are not retired, the active one last."""
        with self._wake:
            active = [self._active] if self._active and self._active.entries else []
            return [*self._outstanding.values(), *active]

    def retire(self, segment: Segment) -> None:
        """Every partition has applied it: delete it. Raises OSError."""
        self._save_what_it_carries(segment)
        segment.file.delete()
        with self._wake:
            if self._outstanding.pop(segment.number, None) is None:
                return
            self._held_bytes -= segment.size
        JOURNAL_SEGMENTS.dec()

    def _save_what_it_carries(self, segment: Segment) -> None:
        self.positions.save(segment.positions)
        self.answers.save(segment.answers)

    def close(self) -> None:
        """Write what waits, close the active segment, stop. Safe to call twice."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(_CLOSE_TIMEOUT_S)
        if self._thread.is_alive():
            _log.error("The disk does not answer: the journal is left as it is.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- on the journal's thread ----

    def _run(self) -> None:
        while True:
            group, cut, stopping = self._next_work()
            if group:
                self._write_group(group)
            if cut or stopping:
                self._close_active()
            if stopping and not group:
                return

    def _next_work(self) -> tuple[list[Ticket], bool, bool]:
        with self._wake:
            while not (self._waiting or self._stopping):
                if not self._is_due():
                    self._wake.wait(self._linger_left_s())
                elif self._pool_has_time():
                    break
                else:
                    self._wake.wait(_BUSY_PAUSE_S)
            group, self._waiting = take_group(self._waiting)
            cut = self._is_due() and self._pool_has_time()
            if cut:
                self._cut_wanted = False
            return group, cut, self._stopping and not self._waiting

    def _is_due(self) -> bool:
        """Whether the active segment is to be closed: a query asked, or it is old."""
        left = self._linger_left_s()
        return self._cut_wanted or (left is not None and left <= 0)

    def _pool_has_time(self) -> bool:
        return self._has_time(0 if self._active is None else self._active.size)

    def _linger_left_s(self) -> float | None:
        active = self._active
        if active is None or not active.entries:
            return None
        return active.opened_at + self._linger_s - time.monotonic()

    def _write_group(self, group: list[Ticket]) -> None:
        payload = [ticket.payload for ticket in group]
        lines = sum(ticket.lines for ticket in group)
        positions: dict[str, Any] = {}
        answers: dict[str, Answer] = {}
        for ticket in group:
            positions.update(ticket.positions)
            answers.update(ticket.answers)
        stamped = self.positions.stamp(positions) if positions else {}
        written = self._write_frame(payload, lines, stamped, answers)
        if isinstance(written, Segment):
            self.positions.note(stamped)
            self.answers.note(answers)
            GROUP_REQUESTS.observe(len(group))
        self._on_group(group, written)
        active = self._active
        if active is not None and active.size >= self.segment_bytes:
            self._close_active()

    def _segment_for(self, lines: int) -> Segment:
        if self._active is not None and not self._active.room_for(lines):
            self._close_active()
        if self._active is None:
            segment = Segment(self._files.create())
            with self._wake:
                self._active = segment
        assert self._active is not None
        if self._active.entries == 0:
            self._active.opened_at = time.monotonic()
        return self._active

    def _write_frame(
        self,
        payload: list[bytes],
        lines: int,
        positions: dict[str, Stamped],
        answers: dict[str, Answer],
    ) -> Segment | StorageError:
        size = sum(map(len, payload))
        before = 0
        try:
            segment = self._segment_for(lines)
            before = segment.size
            segment.write_frame(
                payload, lines=lines, positions=positions, answers=answers
            )
            started = time.perf_counter()
            segment.sync()
        except Exception as failure:  # noqa: BLE001 - delivered to those who wait
            self._hold(-size)
            self._abandon_active()
            return _storage_error(failure)
        self._hold(segment.size - before - size)  # its header counts from now on
        FSYNC_SECONDS.observe(time.perf_counter() - started)
        return segment

    def _abandon_active(self) -> None:
        """After a failed write or fsync nothing more is acked from the same file: the
        kernel may have dropped the pages and call the next fsync a success.
        """
        active = self._active
        if active is None:
            return
        try:
            active.file.cut_back()
        except OSError:
            _log.exception("A segment was not cut back: what failed stands behind it.")
        self._close_active()

    def _close_active(self) -> None:
        with self._wake:
            segment, self._active = self._active, None
            if segment is not None and segment.entries:
                self._outstanding[segment.number] = segment
        if segment is None:
            return
        try:
            segment.file.close()
        except OSError:
            _log.exception("A segment was not closed: %s", segment.file.path)
        if segment.entries:
            JOURNAL_SEGMENTS.inc()
            self._on_segment(segment)
            return
        self._hold(-segment.size)
        try:
            self._save_what_it_carries(segment)
            segment.file.delete()
        except OSError:
            _log.exception("Positions stay in %s.", segment.file.path)

    def _take_staged(self, segments: Sequence[Segment]) -> None:
        with self._wake:
            for segment in segments:
                self._outstanding[segment.number] = segment
        for segment in segments:
            self.positions.note(segment.positions)
            self.answers.note(segment.answers)
            JOURNAL_SEGMENTS.inc()
            self._on_segment(segment)


def _storage_error(failure: Exception) -> StorageError:
    if not isinstance(failure, OSError):
        _log.error("The journal failed in a way it should not.", exc_info=failure)
        return StorageError(f"The journal cannot be written: {failure!r}.")
    kind = DiskFull if failure.errno in _NO_SPACE else StorageError
    return kind(f"The journal cannot be written: {failure.strerror or failure}.")
