"""The worker pool: threads that take closed segments, oldest first, until all are in.

A segment that cannot be stored now (a full disk, a locked partition) is tried again
with back-off; it stays in the journal, and counts against the intake's capacity.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from logstream.core.errors import StorageError
from logstream.journal.segment import Segment
from logstream.pipeline.worker import Outcome, Worker

_log = logging.getLogger(__name__)

_BACKOFF_S = (0.1, 0.5, 1.0, 2.0, 5.0)


class WorkerPool:
    """Thread-safe.

    Args:
        on_stored: A segment is in the store; called on the worker's thread. It raises
            OSError when the segment cannot be retired, which is tried again.
    """

    def __init__(
        self,
        *,
        count: int,
        make_worker: Callable[[], Worker],
        on_stored: Callable[[Segment, Outcome], None],
    ) -> None:
        self._make_worker = make_worker
        self._on_stored = on_stored
        self._wake = threading.Condition()
        self._queue: deque[Segment] = deque()
        self._stuck: dict[int, str] = {}
        self._working = 0
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._run, name=f"worker-{n}", daemon=True)
            for n in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, segment: Segment) -> None:
        with self._wake:
            self._queue.append(segment)
            self._wake.notify()

    def stuck(self) -> dict[int, str]:
        """Segments whose last try failed, and why."""
        with self._wake:
            return dict(self._stuck)

    def is_idle(self) -> bool:
        with self._wake:
            return not self._queue and not self._working

    def drain(self, timeout_s: float) -> bool:
        """Wait until nothing is left; whether that came to pass in time."""
        deadline = time.monotonic() + timeout_s
        with self._wake:
            return self._wake.wait_for(
                lambda: not self._queue and not self._working,
                timeout=max(0.0, deadline - time.monotonic()),
            )

    def close(self, timeout_s: float = 10.0) -> None:
        """Stop after the batches at hand. Safe to call twice."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        worker = self._make_worker()
        try:
            while (segment := self._next()) is not None:
                self._work_until_stored(worker, segment)
                with self._wake:
                    self._working -= 1
                    self._wake.notify_all()
        finally:
            worker.close()

    def _next(self) -> Segment | None:
        with self._wake:
            while not self._queue and not self._stopping:
                self._wake.wait()
            if self._stopping:
                return None
            self._working += 1
            return self._queue.popleft()

    def _work_until_stored(self, worker: Worker, segment: Segment) -> None:
        tries = 0
        while not self._stopping:
            try:
                self._on_stored(segment, worker.work(segment))
            except (StorageError, OSError) as error:
                self._note_failure(segment, error, first=tries == 0)
            except Exception as error:  # noqa: BLE001 - logged, and tried again
                _log.exception("A batch was not stored; it is tried again.")
                self._note_failure(segment, error, first=False)
            else:
                with self._wake:
                    self._stuck.pop(segment.number, None)
                return
            self._pause(_BACKOFF_S[min(tries, len(_BACKOFF_S) - 1)])
            tries += 1

    def _note_failure(self, segment: Segment, error: Exception, *, first: bool) -> None:
        if first:
            _log.error("A batch cannot be stored now; it is tried again: %s", error)
        with self._wake:
            self._stuck[segment.number] = str(error)
            self._wake.notify_all()

    def _pause(self, seconds: float) -> None:
        with self._wake:
            self._wake.wait_for(lambda: self._stopping, timeout=seconds)
