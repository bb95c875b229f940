"""The worker pool: threads that take closed segments, oldest first, until all are in.

A query waits for what was acked and is not stored: little, while queries come (`acks`).
So small segments have a worker of their own, behind no large one. Those that load large
ones give way to all other threads, those of queries above all.

A segment that cannot be stored now (a full disk, a locked partition) makes way for the
others and is tried again, with back-off. It stays in the journal, and counts against
the intake's capacity.
"""

import heapq
import logging
import threading
import time
from collections import deque
from collections.abc import Callable

import msgspec

from logstream.core.errors import StorageError
from logstream.core.priority import lower_priority
from logstream.journal.segment import Segment
from logstream.pipeline.worker import Outcome, Worker
from logstream.storage.turns import Turns

_log = logging.getLogger(__name__)

_BACKOFF_S = (0.1, 0.5, 1.0, 2.0, 5.0)
_TOGETHER_BYTES = 24 << 20
"""What one worker takes of segments that wait, to store them in one go."""
_SMALL_BYTES = 2 << 20
_LAST_S = 5.0


class _Task(msgspec.Struct):
    segment: Segment
    outcome: Outcome | None = None
    """Once it is stored, so that only what comes after that is tried again."""
    tries: int = 0


class _Lane:
    """Segments of a kind that wait, and what wakes those who take them."""

    def __init__(self, lock: threading.Lock) -> None:
        self.tasks: deque[_Task] = deque()
        self.wake = threading.Condition(lock)


class WorkerPool:
    """Thread-safe.

    Args:
        count: Workers, besides the one for small segments. They help that one when they
            have nothing else to do.
        on_stored: A segment is in the store; called on the worker's thread. It raises
            OSError when the segment cannot be retired, which is tried again.
        on_closed: Called in the end, when no worker needs anything any more.
    """

    def __init__(
        self,
        *,
        count: int,
        make_worker: Callable[[], Worker],
        on_stored: Callable[[Segment, Outcome], None],
        on_closed: Callable[[], None] = lambda: None,
    ) -> None:
        self.turns = Turns()
        """Shared by what loads and retires a segment; a backup has it alone."""
        self._make_worker = make_worker
        self._on_stored = on_stored
        self._on_closed = on_closed
        lock = threading.Lock()
        self._wake = threading.Condition(lock)
        """Something was done."""
        self._small = _Lane(lock)
        self._large = _Lane(lock)
        self._later: list[tuple[float, int, _Task]] = []
        self._stuck: dict[int, str] = {}
        self._lacking: set[int] = set()
        self._may_gather: Callable[[], bool] = lambda: True
        self._working = 0
        self._draining = False
        self._stopping = False
        self._count = count
        names = ["worker-small", *(f"worker-{n}" for n in range(count))]
        self._threads = [
            threading.Thread(
                target=self._run, args=(not number,), name=name, daemon=True
            )
            for number, name in enumerate(names)
        ]
        for thread in self._threads:
            thread.start()

    def gather_when(self, call: Callable[[], bool]) -> None:
        """Store segments together only while this holds: it makes each wait longer."""
        self._may_gather = call

    def submit(self, segment: Segment) -> None:
        with self._wake:
            self._put(_Task(segment))

    def stuck(self) -> dict[int, str]:
        """Segments that failed more than once, the last time too, and why. After one
        failure it is soon tried again, and queries wait for that.
        """
        with self._wake:
            return dict(self._stuck)

    def lacking(self) -> set[int]:
        """Those of them that are not in the store; others only stay in the journal."""
        with self._wake:
            return set(self._lacking)

    def has_time(self, size: int = 0) -> bool:
        """Whether fewer segments wait than there are workers for one of this size."""
        with self._wake:
            if size <= _SMALL_BYTES:
                return not self._small.tasks
            return len(self._large.tasks) < self._count

    def is_idle(self) -> bool:
        with self._wake:
            return self._is_done()

    def drain(self, timeout_s: float) -> bool:
        """Wait until every segment is stored, or has failed once more; whether that
        came to pass in time. What has failed is not tried again.
        """
        with self._wake:
            self._draining = True
            for _, _, task in sorted(self._later):
                self._put(task)
            self._later.clear()
            return self._wake.wait_for(self._is_done, timeout=timeout_s)

    def close(self, timeout_s: float = 10.0) -> None:
        """Stop after the batches at hand. Safe to call twice."""
        with self._wake:
            self._stopping = True
            self._wake_workers()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._on_closed()
        for thread in self._threads:  # what waited for a chain waits no more
            thread.join(_LAST_S)

    def _is_done(self) -> bool:
        """The caller has the lock, as of all below."""
        return not (self._small.tasks or self._large.tasks or self._working)

    def _put(self, task: _Task) -> None:
        small = task.segment.size <= _SMALL_BYTES
        lane = self._small if small else self._large
        lane.tasks.append(task)
        lane.wake.notify()
        if len(self._small.tasks) > 1:
            self._large.wake.notify()  # to help

    def _wake_workers(self) -> None:
        self._small.wake.notify_all()
        self._large.wake.notify_all()

    def _run(self, small: bool) -> None:
        if not small:
            lower_priority()
        worker = self._make_worker()
        while tasks := self._next(small=small):
            if len(tasks) > 1:
                self._store_together(worker, tasks)
            for task in tasks:
                failure = self._try(worker, task)
                with self._wake:
                    self._settle(task, failure)
                    self._working -= 1
                    self._wake.notify_all()

    def _next(self, *, small: bool) -> list[_Task]:
        """One, or several if more wait than there are workers; none: it is over."""
        own = self._small if small else self._large
        with self._wake:
            while not self._stopping:
                now = time.monotonic()
                while self._later and self._later[0][0] <= now:
                    self._put(heapq.heappop(self._later)[2])
                if own.tasks:
                    return self._take(own.tasks, 1 if small else self._count)
                if len(self._small.tasks) > 1:
                    return self._take(self._small.tasks, 1)
                own.wake.wait(self._later[0][0] - now if self._later else None)
            return []

    def _take(self, waiting: deque[_Task], workers: int) -> list[_Task]:
        tasks = [waiting.popleft()]
        size = tasks[0].segment.size
        gathers = not tasks[0].tries and self._may_gather()
        while gathers and len(waiting) >= workers:
            size += waiting[0].segment.size
            if size > _TOGETHER_BYTES:
                break
            tasks.append(waiting.popleft())
        self._working += len(tasks)
        return tasks

    def _store_together(self, worker: Worker, tasks: list[_Task]) -> None:
        """What does not go together goes one by one after that."""
        self.turns.enter()
        try:
            outcomes = worker.work_together([task.segment for task in tasks])
        except Exception:  # noqa: BLE001 - each is tried alone, and fails on its own
            _log.exception("Batches were not stored together.")
            return
        finally:
            self.turns.leave()
        for task, outcome in zip(tasks, outcomes or (), strict=False):
            task.outcome = outcome

    def _try(self, worker: Worker, task: _Task) -> Exception | None:
        self.turns.enter()
        try:
            if task.outcome is None:
                task.outcome = worker.work(task.segment)
            self._on_stored(task.segment, task.outcome)
        except (StorageError, OSError) as error:
            if task.tries == 0:
                _log.error("A batch cannot be stored now; it is tried again: %s", error)
            return error
        except Exception as error:  # noqa: BLE001 - logged, and tried again
            if task.tries == 0:
                _log.exception("A batch was not stored; it is tried again.")
            return error
        finally:
            self.turns.leave()
        return None

    def _settle(self, task: _Task, failure: Exception | None) -> None:
        number = task.segment.number
        if failure is None:
            self._stuck.pop(number, None)
            self._lacking.discard(number)
            return
        if task.tries or self._draining:
            self._stuck[number] = str(failure)
            if task.outcome is None:
                self._lacking.add(number)
            else:
                self._lacking.discard(number)
        pause_s = _BACKOFF_S[min(task.tries, len(_BACKOFF_S) - 1)]
        task.tries += 1
        if not self._draining:
            heapq.heappush(self._later, (time.monotonic() + pause_s, number, task))
            self._wake_workers()  # one of them has to wake in time
