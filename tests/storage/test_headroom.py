"""Loads find memory, whatever queries hold."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pytest

from logstream.config.settings import StorageConfig
from logstream.core.errors import (
    QueryCancelled,
    QueryMemory,
    QueryTimeout,
    StorageError,
)
from logstream.storage.batch import Batch
from logstream.storage.control import QueryControl, bounded_by
from logstream.storage.headroom import Headroom, held_bytes
from logstream.storage.hub import Hub
from logstream.storage.loader import Loader
from logstream.storage.partitions import Partitions

MIB = 1 << 20
ENDLESS = "SELECT count(*) FROM range(1000000000000) r(i) WHERE sqrt(i) = -1"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    made = Hub(StorageConfig(threads=2), tmp=tmp_path)
    made.headroom = Headroom(least_age_s=0)
    yield made
    made.close()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as made:
        yield made


def run(hub: Hub, control: QueryControl, begun: threading.Event) -> None:
    try:
        with bounded_by(control), hub.reading(60) as db:
            begun.set()
            db.execute(ENDLESS)
    finally:
        begun.set()


def load(hub: Hub, tmp: Path, rows: int = 1000) -> int:
    (tmp / "partitions").mkdir()
    partitions = Partitions(hub, tmp / "partitions")
    entry = {"source": "s", "level": "info", "message": "m", "fields": {}}
    line = json.dumps({"timestamp": "2026-11-20T10:00:00Z", **entry}) + "\n"
    path = tmp / "batch.ndjson"
    path.write_text(line * rows)
    batch = Batch(segment=1, path=path, size=path.stat().st_size, entries=rows)
    return Loader(hub, partitions, max_entry_bytes=MIB).load(batch).entries


def test_a_load_without_memory_ends_the_query_that_has_run_longest(
    hub: Hub, pool: ThreadPoolExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holding, other = QueryControl(600), QueryControl(600)
    jobs = []
    for control in (holding, other):
        begun = threading.Event()
        jobs.append(pool.submit(run, hub, control, begun))
        begun.wait()
    sound = Loader._load_day

    def lacking(loader: Loader, *args: Any) -> Any:
        if holding.why() is None:
            raise duckdb.OutOfMemoryException("Out of Memory Error: none left")
        return sound(loader, *args)

    monkeypatch.setattr(Loader, "_load_day", lacking)
    assert load(hub, tmp_path) == 1000
    with pytest.raises(QueryMemory, match="loads found no memory"):
        jobs[0].result()
    assert other.why() is None
    other.cancel()
    with pytest.raises(QueryCancelled):
        jobs[1].result()


def test_a_load_that_no_query_is_in_the_way_of_is_tried_again(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise duckdb.OutOfMemoryException("Out of Memory Error: none left")

    with monkeypatch.context() as patched:
        patched.setattr(Loader, "_load_day", fail)
        with pytest.raises(StorageError, match="none left"):
            load(hub, tmp_path)


class Queries:
    """Queries that run until they are ended."""

    def __init__(self, headroom: Headroom, pool: ThreadPoolExecutor) -> None:
        self._headroom = headroom
        self._pool = pool

    def begin(self, timeout_s: float = 600) -> tuple[QueryControl, Future[None]]:
        control = QueryControl(timeout_s)
        begun = threading.Event()

        def run() -> None:
            with self._headroom.running(control), self._headroom.running(control):
                begun.set()
                while (over := control.why()) is None:
                    threading.Event().wait(0.01)
                raise over

        job = self._pool.submit(run)
        begun.wait()
        return control, job


def test_the_query_that_has_run_longest_is_ended_first(
    pool: ThreadPoolExecutor,
) -> None:
    headroom = Headroom(least_age_s=0)
    queries = Queries(headroom, pool)
    jobs = [queries.begin()[1] for _ in range(3)]
    for job in jobs:
        assert not job.done()
        assert headroom.make()
        assert isinstance(job.exception(), QueryMemory)
    assert not headroom.make()


def test_a_query_that_ends_anyway_or_has_just_begun_is_not_ended(
    pool: ThreadPoolExecutor,
) -> None:
    headroom = Headroom(least_age_s=3600)
    control, job = Queries(headroom, pool).begin()
    assert not headroom.make()
    control.cancel()
    job.exception()
    over = QueryControl(0)
    with (headroom := Headroom(least_age_s=0)).running(over):
        assert not headroom.make()
    assert isinstance(over.why(), QueryTimeout)


def test_loads_that_ask_at_once_end_one_query_at_a_time(
    pool: ThreadPoolExecutor,
) -> None:
    headroom = Headroom(least_age_s=0)
    begin = Queries(headroom, pool).begin
    (_, gone), (other, _) = begin(), begin()
    asked = [pool.submit(headroom.make) for _ in range(2)]
    assert isinstance(gone.exception(), QueryMemory)
    assert all(one.result() for one in asked)
    other.cancel()  # unless one of them asked when the first had gone


def test_what_nobody_asked_for_is_not_ended(hub: Hub) -> None:
    with hub.reading(60):
        assert not hub.headroom.make()


def test_a_query_is_ended_when_the_process_grows_far_beyond_its_memory(
    pool: ThreadPoolExecutor,
) -> None:
    controls: list[QueryControl] = []

    def held() -> int:
        return 601 if len(controls) == 2 and controls[0].why() is None else 500

    headroom = Headroom(least_age_s=0, most_growth_bytes=100, held=held)
    begin = Queries(headroom, pool).begin
    (first, job), (other, _) = begin(), begin()
    controls += [first, other]
    error = job.exception()
    assert isinstance(error, QueryMemory)
    assert "held far more memory" in str(error)
    headroom.ring()
    assert other.why() is None
    other.cancel()


def test_what_a_process_held_before_is_no_growth(pool: ThreadPoolExecutor) -> None:
    held = [500]
    headroom = Headroom(least_age_s=0, most_growth_bytes=100, held=lambda: held[0])
    begin = Queries(headroom, pool).begin
    first, job = begin()
    first.cancel()
    assert job.exception() is not None
    held[0] = 1000
    second, _ = begin()
    headroom.ring()
    assert second.why() is None
    second.cancel()
    assert held_bytes() >= 0
