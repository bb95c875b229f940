"""Reads take turns, and a turn that does not come is an error, not a hang."""

import asyncio
import threading
from typing import Any

import pytest

from logstream.api.reading import ReadGate
from logstream.config.settings import QueryConfig
from logstream.core.errors import QueryTimeout


def test_no_more_reads_run_at_once_than_configured(engine: Any) -> None:
    running: list[int] = []
    most = 0
    lock = threading.Lock()
    both = threading.Barrier(2, timeout=150)

    def read() -> None:
        nonlocal most
        with lock:
            running.append(1)
            most = max(most, len(running))
        both.wait()
        with lock:
            running.pop()

    async def scenario() -> None:
        gate = ReadGate(engine, QueryConfig(max_running=2))
        await asyncio.gather(*(gate.run(read) for _ in range(6)))
        gate.close()

    asyncio.run(scenario())
    assert most == 2


def test_a_read_whose_turn_does_not_come_is_refused(engine: Any) -> None:
    release = threading.Event()

    async def scenario() -> None:
        gate = ReadGate(engine, QueryConfig(max_running=1, timeout_s=0.05))
        first = asyncio.create_task(gate.run(lambda: release.wait(150)))
        while not first.done():
            await asyncio.sleep(0)
            if gate._line.running:
                break
        with pytest.raises(QueryTimeout, match=r"query\.max_running"):
            await gate.run(lambda: None)
        release.set()
        assert await first
        assert await gate.run(lambda: "next") == "next"
        gate.close()

    asyncio.run(scenario())


def test_a_read_that_fails_gives_its_turn_back(engine: Any) -> None:
    async def scenario() -> None:
        gate = ReadGate(engine, QueryConfig(max_running=1, timeout_s=5))
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await gate.run(lambda: 1 // 0)
        gate.close()

    asyncio.run(scenario())
