"""Loads, reads, checkpoints and compactions at once, with two days open at a time."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, timedelta
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Any

import pytest

from logstream.config.settings import StorageConfig
from logstream.query.query import parse_query
from logstream.storage.batch import Batch
from logstream.storage.compaction import Compactor
from logstream.storage.hub import Hub
from logstream.storage.loader import Loader
from logstream.storage.partition import Key
from logstream.storage.partitions import Partitions
from logstream.storage.reader import Reader
from logstream.storage.selection import Selection
from logstream.storage.statements import Statements

FIRST = date(2026, 1, 1)
DAYS = 7
LOADERS = 2
BATCHES = 25


class Crowd:
    """A store, what was put into it, and all who use it."""

    def __init__(self, tmp: Path) -> None:
        self.tmp = tmp
        folder = tmp / "partitions"
        folder.mkdir()
        config = StorageConfig(threads=2)
        self.hub = Hub(config, tmp=None)
        self.partitions = Partitions(
            self.hub, folder, statistics=tmp / "statistics.json", max_open=2
        )
        self.loader = Loader(self.hub, self.partitions, max_entry_bytes=100_000)
        self.reader = Reader(self.hub, self.partitions, timeout_s=150)
        self.statements = Statements(self.hub, self.partitions, timeout_s=150)
        self.compactor = Compactor(self.hub, self.partitions, config, tmp=tmp)
        self.lock = threading.Lock()
        self.stored = 0
        self.loading = LOADERS
        self.segment = 0

    def load(self, seed: int) -> None:
        random = Random(seed)
        try:
            for _ in range(BATCHES):
                self._load_one(random)
        finally:
            with self.lock:
                self.loading -= 1

    def _load_one(self, random: Random) -> None:
        with self.lock:
            self.segment += 1
            segment = self.segment
        path = self.tmp / f"batch-{segment}.ndjson"
        days = [FIRST + timedelta(days=random.randrange(DAYS)) for _ in range(3)]
        lines = [
            json.dumps(
                {
                    "timestamp": f"{day}T12:00:00Z",
                    "source": f"app{random.randrange(3)}",
                    "level": "info",
                    "message": f"of segment {segment}",
                    "fields": {"n": random.randrange(5)},
                }
            )
            for day in days
        ]
        path.write_text("".join(f"{line}\n" for line in lines))
        size = path.stat().st_size
        batch = Batch(segment=segment, path=path, size=size, entries=len(lines))
        assert self.loader.load(batch).entries == len(lines)
        with self.lock:
            self.stored += len(lines)

    def read(self, ask: Callable[[], int]) -> int:
        """Until all is loaded: what was stored before a question is in its answer."""
        asked = 0
        while self.loading or not asked:
            with self.lock:
                before = self.stored
            assert ask() >= before
            asked += 1
        return asked

    def keep_up(self) -> None:
        while self.loading:
            self.partitions.checkpoint(lambda _: True)

    def compact(self) -> None:
        for number in islice(cycle(range(DAYS)), 10_000):
            key = Key(FIRST + timedelta(days=number))
            if not self.loading:
                return
            if key in self.partitions.within():
                self.compactor.compact(key)


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Crowd]:
    made = Crowd(tmp_path)
    yield made
    made.hub.close()


def test_nothing_is_missed_while_days_open_and_close(crowd: Crowd) -> None:
    everything = Selection()
    reader, statements = crowd.reader, crowd.statements
    plan = parse_query("* | stats count() as n").plan()

    def piped() -> int:
        rows = statements.run(plan, lambda result: list(result.batches()))
        return int(rows[0][0][0])

    def grouped(name: str) -> Callable[[], int]:
        return lambda: sum(reader.frequency(everything, group_by=name).values())

    questions: tuple[Callable[[], int], ...] = (
        lambda: reader.count(everything),
        lambda: reader.stats().entries,
        grouped("source"),
        grouped("n"),
        lambda: len(reader.entries(everything, limit=1000, sort_by="n").rows),
        piped,
    )
    with ThreadPoolExecutor(len(questions) + LOADERS + 2) as pool:
        jobs: list[Future[Any]] = [
            *(pool.submit(crowd.load, seed) for seed in range(LOADERS)),
            *(pool.submit(crowd.read, ask) for ask in questions),
            pool.submit(crowd.keep_up),
            pool.submit(crowd.compact),
        ]
        for job in jobs:
            job.result()
    assert crowd.stored == LOADERS * BATCHES * 3
    assert {ask() for ask in questions} == {crowd.stored}
    for _ in range(2):  # the first makes them clean
        crowd.partitions.checkpoint(lambda _: True)
    assert len(crowd.partitions.attached()) == 2
