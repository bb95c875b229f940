"""When acks are given: at once, but behind the load while queries come."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from logstream.config.settings import Settings
from logstream.core.timestamps import now_ns
from logstream.journal.answers import Answer
from logstream.journal.files import SegmentFile
from logstream.journal.segment import Segment
from logstream.pipeline import acks as acks_module
from logstream.pipeline.acks import Acks
from logstream.pipeline.decode import Decoded, decode_lines
from logstream.pipeline.engine import Engine
from logstream.pipeline.worker import Worker
from logstream.plugins.manager import load_plugins
from logstream.runtime import building
from logstream.runtime.builtins import BUILTINS
from logstream.storage.selection import Selection

PLUGINS = load_plugins(Settings().plugins, builtins=BUILTINS)
WAIT_S = 150.0
MUCH = 64 * 1_048_576


class Desk:
    """Acks, with a clock that stands still and a store that does nothing by itself."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.acked = 0
        self.outstanding: set[int] = set()
        self.hurried = 0
        self.acks = Acks(
            acked_bytes=lambda: self.acked,
            outstanding=lambda: self.outstanding,
            hurry=self._hurry,
            clock=lambda: self.now,
        )

    def _hurry(self) -> None:
        self.hurried += 1

    def segment(self, number: int = 1) -> Segment:
        self.outstanding.add(number)
        return Segment(SegmentFile(number, Path("unused"), -1, durable=False))


def test_nobody_queries_so_acks_are_given_at_once() -> None:
    desk = Desk()
    segment = desk.segment()
    assert desk.acks.give([segment], MUCH)
    assert segment.acked
    assert not desk.hurried


def test_so_much_is_acked_ahead_of_the_store_that_loads_never_wait() -> None:
    desk = Desk()
    desk.acked = MUCH
    segment = desk.segment()
    assert not desk.acks.give([segment], MUCH)
    assert not segment.acked
    assert not desk.hurried  # segments that are not cut early load faster


def test_a_body_that_is_larger_than_that_is_acked_when_nothing_else_waits() -> None:
    assert Desk().acks.give([Desk().segment()], 4 * MUCH)


def test_a_little_is_acked_ahead_of_the_store_though_queries_come() -> None:
    desk = Desk()
    desk.acks.asked()
    assert desk.acks.give([desk.segment()], 1000)


@pytest.mark.parametrize(("acked", "size"), [(0, MUCH), (MUCH, 1000)])
def test_more_waits_for_its_load_while_queries_come(acked: int, size: int) -> None:
    desk = Desk()
    desk.acks.asked()
    desk.acked = acked
    segment = desk.segment()
    assert not desk.acks.give([segment], size)
    assert not segment.acked  # a query need not see it yet
    assert desk.hurried == 1


def test_a_while_after_the_last_query_acks_are_given_at_once_again() -> None:
    desk = Desk()
    desk.acks.asked()
    desk.now += 5
    assert desk.acks.give([desk.segment()], MUCH)


def test_an_ack_comes_with_the_load_of_all_its_segments() -> None:
    desk = Desk()
    segments = [desk.segment(1), desk.segment(2)]

    async def hold() -> list[bool]:
        held = asyncio.create_task(desk.acks.until_stored(segments))
        await asyncio.sleep(0)
        desk.acks.stored([1])
        await asyncio.sleep(0)
        seen = [held.done()]
        desk.acks.stored([2])
        await held
        return seen

    assert asyncio.run(hold()) == [False]
    assert all(segment.acked for segment in segments)


def test_a_load_that_was_over_before_is_not_waited_for() -> None:
    desk = Desk()
    segment = desk.segment()
    desk.outstanding.clear()
    asyncio.run(desk.acks.until_stored([segment]))
    assert segment.acked


def test_an_ack_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acks_module, "_HELD_AT_MOST_S", 0)
    desk = Desk()
    segment = desk.segment()
    asyncio.run(desk.acks.until_stored([segment]))
    assert segment.acked


def test_what_a_sender_gave_up_waiting_for_counts_as_acked() -> None:
    desk = Desk()
    segment = desk.segment()

    async def give_up() -> None:
        held = asyncio.create_task(desk.acks.until_stored([segment]))
        await asyncio.sleep(0)
        held.cancel()
        with pytest.raises(asyncio.CancelledError):
            await held

    asyncio.run(give_up())
    assert segment.acked


# ---- with a real engine, whose loads wait for a word ----


class Loads:
    """Holds up `Worker.work` until `go`."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.go = threading.Event()
        self.begun = threading.Event()
        real = Worker.work

        def work(worker: Worker, segment: Any) -> Any:
            self.begun.set()
            assert self.go.wait(WAIT_S)
            return real(worker, segment)

        patch.setattr(Worker, "work", work)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Loads:
    monkeypatch.setattr(acks_module, "_HELD_AT_MOST_S", WAIT_S)
    monkeypatch.setattr(acks_module, "_ASKED_LATELY_S", 3600)
    monkeypatch.setattr(acks_module, "_AHEAD_BYTES", 0)
    monkeypatch.setattr(acks_module, "_UNASKED_AHEAD_BYTES", 0)
    return Loads(monkeypatch)


@pytest.fixture
def engine(loads: Loads, tmp_path: Path) -> Iterator[Engine]:
    sections = {"storage": {"path": str(tmp_path / "data"), "min_free_bytes": 0}}
    settings = msgspec.convert(sections, Settings)
    with building.open_engine(settings, plugins=PLUGINS) as (engine, _):
        yield engine
        loads.go.set()


def one(engine: Engine) -> Decoded:
    line = b'{"timestamp":"2025-05-13T00:00:00Z","message":"m"}\n'
    return decode_lines(line, limits=engine.settings.intake, received_ns=now_ns())


def stored(engine: Engine) -> int:
    return engine.reader.count(Selection())


def test_a_query_does_not_wait_for_what_is_not_acked(
    engine: Engine, loads: Loads
) -> None:
    async def run() -> None:
        await engine.settle()  # a query: from now on acks come behind loads
        sending = asyncio.create_task(engine.intake.append(one(engine)))
        assert await asyncio.to_thread(loads.begun.wait, WAIT_S)
        await asyncio.wait_for(engine.settle(), WAIT_S)
        assert not sending.done()
        assert stored(engine) == 0
        loads.go.set()
        await sending
        assert stored(engine) == 1  # without waiting

    asyncio.run(run())


def test_a_stream_is_acked_behind_its_load(
    engine: Engine, loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logstream.pipeline.intake_stream._PIECE_BYTES", 60)

    async def run() -> None:
        await engine.settle()

        async def send() -> None:
            async with engine.intake.stream() as stream:
                for _ in range(5):
                    await stream.feed(one(engine).payload)
                await stream.commit()

        sending = asyncio.create_task(send())
        assert await asyncio.to_thread(loads.begun.wait, WAIT_S)
        await asyncio.wait_for(engine.settle(), WAIT_S)
        assert not sending.done()
        loads.go.set()
        await sending
        assert stored(engine) == 5

    asyncio.run(run())


def test_a_key_that_is_asked_for_again_counts_as_acked(
    engine: Engine, loads: Loads
) -> None:
    async def run() -> None:
        await engine.settle()
        answer = Answer(now_ns(), "digest", "{}")
        sending = asyncio.create_task(
            engine.intake.append(one(engine), remember=lambda _: {"key": answer})
        )
        assert await asyncio.to_thread(loads.begun.wait, WAIT_S)
        assert engine.answered("key") == answer
        query = asyncio.create_task(engine.settle())
        await asyncio.sleep(0)
        assert not query.done()
        loads.go.set()
        await query
        assert stored(engine) == 1
        await sending

    asyncio.run(run())
