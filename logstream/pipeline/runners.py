"""The runners of all workers: they work on the chunks of any segment.

Chunks of the oldest segment go first, so that it can be loaded while those of the next
are worked on, and several runners work on one segment when there is no other.
"""

import heapq
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress

from logstream.pipeline.chain import ChunkResult
from logstream.pipeline.chunk import Chunk
from logstream.pipeline.runner import ChainGone, ChainRunner

RunnerFactory = Callable[[], ChainRunner]


class _Task:
    """Ordered by the id of its first entry: by segment, then by line."""

    def __init__(self, chunk: Chunk) -> None:
        self.chunk = chunk
        self.result: Future[ChunkResult] = Future()
        self.tried = False

    def __lt__(self, other: "_Task") -> bool:
        return self.chunk.first_id < other.chunk.first_id


class Runners:
    """Thread-safe.

    Args:
        count: How many runners there are, each with a thread that waits for it.
        timeout_s: A chain that holds a chunk longer is given up.
        eager: Make them now. Otherwise they are made when they are needed first.
    """

    def __init__(
        self,
        *,
        count: int,
        make_runner: RunnerFactory,
        timeout_s: float,
        eager: bool = False,
    ) -> None:
        self.count = count
        self._make_runner = make_runner
        self._timeout_s = timeout_s
        self._wake = threading.Condition()
        self._queue: list[_Task] = []
        self._under_way: dict[int, _Task] = {}
        """The last one of each thread."""
        self._threads: list[threading.Thread] = []
        self._eager = eager
        self._closed = False
        if eager:
            self._start()

    def submit(self, chunk: Chunk) -> Future[ChunkResult]:
        """The result to come.

        It raises ChainGone when the chain hung or died on this chunk, and
        CancelledError when the runners were closed.
        """
        task = _Task(chunk)
        with self._wake:
            if self._closed:
                task.result.cancel()
                return task.result
            if not self._threads:
                self._start()
            heapq.heappush(self._queue, task)
            self._wake.notify()
        return task.result

    def close(self) -> None:
        """Cancel what waits or is under way. Not waited for long: a thread may hang."""
        with self._wake:
            self._closed = True
            for task in (*self._queue, *self._under_way.values()):
                task.result.cancel()
            self._queue.clear()
            self._wake.notify_all()
        for thread in self._threads:
            thread.join(1)

    def _start(self) -> None:
        self._threads = [
            threading.Thread(target=self._run, name=f"runner-{n}", daemon=True)
            for n in range(self.count)
        ]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        runner = self._try_to_make() if self._eager else None
        while (task := self._next()) is not None:
            try:
                if runner is None:
                    runner = self._make_runner()
                result = runner.run(task.chunk, timeout_s=self._timeout_s)
            except ChainGone as gone:
                runner = None
                if not (gone.killed and self._try_again(task)):
                    _tell(task, gone)
            except BaseException as error:  # noqa: BLE001 - whoever waits has it
                _tell(task, error)
            else:
                _tell(task, result)
        if runner is not None:
            runner.close()

    def _try_again(self, task: _Task) -> bool:
        """Once: a process that was killed from outside says nothing about the chunk."""
        with self._wake:
            if task.tried or self._closed:
                return False
            task.tried = True
            heapq.heappush(self._queue, task)
            self._wake.notify()
            return True

    def _try_to_make(self) -> ChainRunner | None:
        try:
            return self._make_runner()
        except Exception:  # noqa: BLE001 - the first chunk finds it out again
            return None

    def _next(self) -> _Task | None:
        with self._wake:
            self._wake.wait_for(lambda: self._closed or self._queue)
            if self._closed:
                return None
            task = heapq.heappop(self._queue)
            self._under_way[threading.get_ident()] = task
            return task


def _tell(task: _Task, outcome: ChunkResult | BaseException) -> None:
    with suppress(InvalidStateError):  # cancelled: nobody waits for it
        if isinstance(outcome, BaseException):
            task.result.set_exception(outcome)
        else:
            task.result.set_result(outcome)
