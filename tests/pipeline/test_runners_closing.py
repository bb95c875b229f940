"""Closing the runners: nobody waits for a chain that works on, or hangs."""

import threading
from concurrent.futures import CancelledError
from typing import cast

import pytest

from logstream.pipeline.chain import ChunkResult
from logstream.pipeline.chunk import Chunk
from logstream.pipeline.runners import Runners

WAIT_S = 150.0


class Waits:
    """A runner that works on its first chunk until it is told to go on."""

    def __init__(self) -> None:
        self.begun, self.go_on, self.closed = (threading.Event() for _ in range(3))

    def run(self, chunk: Chunk, *, timeout_s: float) -> ChunkResult:
        self.begun.set()
        assert self.go_on.wait(WAIT_S)
        return ChunkResult(payload=b"", kept=0, filtered=0, dead=())

    def close(self) -> None:
        self.closed.set()


def test_what_waits_and_what_is_under_way_is_cancelled() -> None:
    runner = Waits()
    runners = Runners(count=1, make_runner=lambda: runner, timeout_s=WAIT_S)
    chunk = cast("Chunk", None)
    results = [runners.submit(chunk)]
    assert runner.begun.wait(WAIT_S)
    results.append(runners.submit(chunk))
    runners.close()
    results.append(runners.submit(chunk))
    for result in results:
        with pytest.raises(CancelledError):
            result.result(WAIT_S)
    runner.go_on.set()
    assert runner.closed.wait(WAIT_S)  # its result, which comes late, does no harm
