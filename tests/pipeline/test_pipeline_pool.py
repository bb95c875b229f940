"""The pool, the settler and the rates: who waits for whom, and for how long."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from logstream.core.errors import StorageError
from logstream.journal.files import SegmentFile
from logstream.journal.segment import Segment
from logstream.pipeline import pool as pool_module
from logstream.pipeline.pool import WorkerPool
from logstream.pipeline.settler import Settler
from logstream.pipeline.upkeep import Rates
from logstream.pipeline.worker import Outcome, Worker

WAIT_S = 150.0


def a_segment(number: int, size: int = 10) -> Segment:
    segment = Segment(SegmentFile.found(number, Path("none"), size))
    segment.entries = 1
    return segment


class Scripted(Worker):
    """Does to each segment what the script says, by number and try."""

    def __init__(self, script: dict[tuple[int, int], Callable[[], None]]) -> None:
        self.script = script
        self.tries: dict[int, int] = {}
        self.together: list[list[int]] = []
        self._lock = threading.Lock()

    def work(self, segment: Segment) -> Outcome:
        with self._lock:
            count = self.tries[segment.number] = self.tries.get(segment.number, 0) + 1
        for key in ((segment.number, count), (segment.number, 0)):
            if key in self.script:
                self.script[key]()
        return Outcome(stored=1, filtered=0, dead=0)

    def work_together(self, segments: Sequence[Segment]) -> list[Outcome] | None:
        with self._lock:
            self.together.append([segment.number for segment in segments])
        if (0, 0) not in self.script:
            return None
        self.script[0, 0]()
        return [Outcome(stored=1, filtered=0, dead=0) for _ in segments]

    def close(self) -> None:
        pass


class Stored:
    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.faults: dict[int, Exception] = {}
        self._changed = threading.Condition()

    def __call__(self, segment: Segment, _: Outcome) -> None:
        with self._changed:
            if (fault := self.faults.pop(segment.number, None)) is not None:
                raise fault
            self.numbers.append(segment.number)
            self._changed.notify_all()

    def wait_for(self, *numbers: int) -> None:
        with self._changed:
            assert self._changed.wait_for(
                lambda: set(numbers) <= set(self.numbers), WAIT_S
            )


def fails(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_BACKOFF_S", (0.001,))


@pytest.mark.parametrize(
    ("together", "alone"),
    [
        (lambda: None, {1}),
        (None, {1, 2, 3, 4, 5, 6}),
        (fails(RuntimeError("broken")), {1, 2, 3, 4, 5, 6}),
    ],
    ids=["work", "not", "fail"],
)
def test_segments_that_wait_are_stored_together(
    together: Callable[[], None] | None, alone: set[int]
) -> None:
    """As many as fit; what does not go together goes one by one."""
    begun, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        assert go_on.wait(WAIT_S)

    waits: dict[tuple[int, int], Callable[[], None]] = {(1, 1): wait}
    worker = Scripted({**waits, (0, 0): together} if together else waits)
    stored = Stored()
    pool = WorkerPool(count=1, make_worker=lambda: worker, on_stored=stored)
    pool.submit(a_segment(1))
    assert begun.wait(WAIT_S)
    for number in (2, 3, 4, 5, 6):
        pool.submit(a_segment(number, size=8 << 20))
    go_on.set()
    stored.wait_for(1, 2, 3, 4, 5, 6)
    assert pool.drain(WAIT_S)
    assert sorted(stored.numbers) == [1, 2, 3, 4, 5, 6]
    assert worker.together == [[2, 3, 4], [5, 6]]
    assert set(worker.tries) == alone
    assert pool.stuck() == {}
    pool.close()


@pytest.mark.parametrize("sizes", [(10, 8 << 20), (8 << 20, 10)])
def test_small_and_large_segments_do_not_wait_for_each_other(
    sizes: tuple[int, int],
) -> None:
    """Queries wait for small ones, while all workers may be busy with large ones."""
    begun, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        assert go_on.wait(WAIT_S)

    worker, stored = Scripted({(1, 1): wait}), Stored()
    pool = WorkerPool(count=1, make_worker=lambda: worker, on_stored=stored)
    pool.submit(a_segment(1, sizes[0]))
    assert begun.wait(WAIT_S)
    pool.submit(a_segment(2, sizes[1]))
    stored.wait_for(2)
    assert stored.numbers == [2]
    go_on.set()
    assert pool.drain(WAIT_S)
    pool.close()


@pytest.mark.skipif(sys.platform != "linux", reason="has one priority for all threads")
def test_only_what_loads_large_segments_gives_way() -> None:
    found: dict[str, int] = {}

    def look() -> None:
        name = threading.current_thread().name
        found[name] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    worker, stored = Scripted({(1, 1): look, (2, 1): look}), Stored()
    pool = WorkerPool(count=1, make_worker=lambda: worker, on_stored=stored)
    pool.submit(a_segment(1))
    stored.wait_for(1)
    pool.submit(a_segment(2, size=8 << 20))
    stored.wait_for(2)
    pool.close()
    usual = os.getpriority(os.PRIO_PROCESS, os.getpid())
    assert found == {"worker-small": usual, "worker-0": min(19, usual + 10)}


def test_small_segments_are_helped_with_when_there_is_nothing_else_to_do() -> None:
    both = threading.Barrier(2, timeout=WAIT_S)

    def meet() -> None:
        both.wait()

    worker, stored = Scripted({(1, 1): meet, (2, 1): meet}), Stored()
    pool = WorkerPool(count=1, make_worker=lambda: worker, on_stored=stored)
    pool.gather_when(lambda: False)
    for number in (1, 2, 3):
        pool.submit(a_segment(number))
    stored.wait_for(1, 2, 3)
    pool.close()


def test_stuck_segments_make_way_for_the_others() -> None:
    """Two of a locked day do not hold up both workers: a third day is stored."""
    locked = StorageError("locked by another process")
    worker = Scripted({(1, 0): fails(locked), (2, 0): fails(locked)})
    stored = Stored()
    pool = WorkerPool(count=2, make_worker=lambda: worker, on_stored=stored)
    for number in (1, 2, 3, 4, 5):
        pool.submit(a_segment(number))
    stored.wait_for(3, 4, 5)
    assert pool.drain(WAIT_S)
    assert pool.stuck() == {1: str(locked), 2: str(locked)}
    pool.close()
    pool.close()
    assert sorted(stored.numbers) == [3, 4, 5]


@pytest.mark.parametrize(
    "error", [StorageError("x"), OSError(5, "EIO"), RuntimeError("bug"), MemoryError()]
)
def test_a_segment_is_tried_until_it_is_stored(error: Exception) -> None:
    worker = Scripted({(1, n): fails(error) for n in (1, 2, 3)})
    stored = Stored()
    pool = WorkerPool(count=1, make_worker=lambda: worker, on_stored=stored)
    pool.submit(a_segment(1))
    stored.wait_for(1)
    assert pool.drain(WAIT_S)
    pool.close()
    assert worker.tries == {1: 4}
    assert pool.stuck() == {}


def test_only_what_failed_twice_is_stuck() -> None:
    """Queries wait for what is tried again in a moment."""
    seen: list[dict[int, str]] = []

    def fail() -> None:
        seen.append(pool.stuck())
        raise StorageError("locked")

    worker, stored = Scripted({(1, n): fail for n in (1, 2, 3)}), Stored()
    pool = WorkerPool(count=1, make_worker=lambda: worker, on_stored=stored)
    pool.submit(a_segment(1))
    stored.wait_for(1)
    assert pool.drain(WAIT_S)
    pool.close()
    assert seen == [{}, {}, {1: "locked"}]


def test_a_segment_that_is_stored_is_not_worked_on_again_to_delete_it() -> None:
    """Its entries would be counted twice."""
    worker, stored = Scripted({}), Stored()
    stored.faults[1] = OSError(28, "no space for the positions")
    pool = WorkerPool(count=1, make_worker=lambda: worker, on_stored=stored)
    pool.submit(a_segment(1))
    stored.wait_for(1)
    pool.close()
    assert worker.tries == {1: 1}


def test_draining_is_over_in_time() -> None:
    """Even when a batch hangs; what is left is reported by the journal."""
    go = threading.Event()

    def wait() -> None:
        assert go.wait(WAIT_S)

    worker = Scripted({(1, 1): wait})
    stored = Stored()
    pool = WorkerPool(count=1, make_worker=lambda: worker, on_stored=stored)
    pool.submit(a_segment(1))
    pool.submit(a_segment(2))
    assert not pool.drain(0.05)
    assert not pool.is_idle()
    go.set()
    assert pool.drain(WAIT_S)
    pool.close()
    assert stored.numbers == [1, 2]


def test_a_wait_ends_when_its_segments_are_gone() -> None:
    settler = Settler()
    one = settler.expect({1, 2})
    other = settler.expect({2})
    settler.gone(iter([2]))
    assert other.done.is_set()
    assert not one.done.is_set()
    settler.gone([1, 7])
    assert one.done.is_set()
    settler.forget(one)


def test_a_wait_of_a_loop_that_is_closed_hurts_nobody() -> None:
    settler = Settler()

    async def expect() -> None:
        settler.expect({1}, wake=True)

    asyncio.run(expect())
    settler.gone([1])


def test_rates_are_of_the_last_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("logstream.pipeline.upkeep.time.monotonic", lambda: now[0])
    rates = Rates()
    assert rates.per_s() == (0.0, 0.0)
    for second in range(30):
        now[0] = float(second)
        rates.sample(second * 10, second * 5)
    assert rates.per_s() == (10.0, 5.0)
