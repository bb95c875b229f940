"""The collector: pacing, counting, and going on after a restart."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from logstream.collectors.generate import SPEC, GenerateCollector, GenerateOptions
from logstream.core.entry import Entry
from logstream.core.errors import ConfigError
from logstream.core.timestamps import parse_ns

NOW = parse_ns("2025-05-13T10:00:00Z")


class Shelf:
    """A sink that keeps entries and positions together, as the real ones do."""

    def __init__(self, *, full_after: int | None = None) -> None:
        self.entries: list[Entry] = []
        self.stored: dict[str, Any] = {}
        self.full_after = full_after

    async def send(
        self, entries: Sequence[Entry], *, positions: Mapping[str, Any]
    ) -> None:
        self.entries += entries
        self.stored.update(msgspec.json.decode(msgspec.json.encode(positions)))
        if self.full_after is not None and len(self.entries) >= self.full_after:
            raise asyncio.CancelledError

    async def positions(self, names: Iterable[str]) -> dict[str, Any]:
        return {name: self.stored[name] for name in names if name in self.stored}


class Context:
    def __init__(self, *, once: bool = False) -> None:
        self.name = "demo"
        self.once = once
        self.progressed: list[int] = []

    def progress(self, *, name: str, done: int, total: int | None, unit: str) -> None:
        self.progressed.append(done)

    def compile_filter(self, query: str) -> Any:
        raise NotImplementedError

    def parser(self, name: str, options: Mapping[str, Any]) -> Any:
        raise NotImplementedError


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self, ns: int = NOW) -> None:
        self.ns = ns

    def now_ns(self) -> int:
        return self.ns

    async def sleep(self, seconds: float) -> None:
        self.ns += int(seconds * 1e9)


def collect(
    sink: Shelf, *, once: bool = False, clock: Clock | None = None, **options: Any
) -> Context:
    context, clock = Context(once=once), clock or Clock()
    collector = GenerateCollector(
        GenerateOptions(**options), context, now_ns=clock.now_ns, sleep=clock.sleep
    )
    with suppress(asyncio.CancelledError):
        asyncio.run(collector.run(sink))
    return context


def test_once_writes_the_past_and_stops_at_now() -> None:
    shelf = Shelf()
    collect(shelf, once=True, past_s=600, rate_per_s=5)
    assert 2000 < len(shelf.entries) < 6000
    assert shelf.entries[0].timestamp[:16] == "2025-05-13T09:50"
    assert shelf.entries[-1].timestamp[:16] == "2025-05-13T09:59"


def test_once_with_a_count_writes_exactly_so_many_without_waiting() -> None:
    shelf = Shelf()
    context = collect(shelf, once=True, count=12_345, rate_per_s=1000)
    assert len(shelf.entries) == 12_345
    assert parse_ns(shelf.entries[-1].timestamp) <= NOW
    assert context.progressed[-1] == 12_345


def test_live_entries_are_sent_when_they_are_due_and_not_before() -> None:
    clock, shelf = Clock(), Shelf()
    collect(shelf, clock=clock, count=200, rate_per_s=20)
    assert len(shelf.entries) == 200
    last_ns = parse_ns(shelf.entries[-1].timestamp)
    assert 0 <= clock.ns - last_ns < 1_000_000_000
    assert parse_ns(shelf.entries[0].timestamp) >= NOW


def test_a_restart_goes_on_with_exactly_the_next_entry() -> None:
    whole = Shelf()
    collect(whole, once=True, count=9000, rate_per_s=100)
    shelf = Shelf(full_after=2500)
    collect(shelf, once=True, count=9000, rate_per_s=100)
    assert len(shelf.entries) < 9000
    shelf.full_after = None
    collect(shelf, once=True, count=9000, rate_per_s=100)
    assert shelf.entries == whole.entries


def test_a_run_that_is_complete_has_nothing_left_to_do() -> None:
    shelf = Shelf()
    collect(shelf, once=True, count=50)
    collect(shelf, once=True, count=50)
    assert len(shelf.entries) == 50


def test_a_long_rest_is_not_filled() -> None:
    shelf, clock = Shelf(), Clock()
    collect(shelf, once=True, past_s=60, rate_per_s=2, clock=clock)
    before = len(shelf.entries)
    clock.ns += 7 * 86_400 * 10**9
    collect(shelf, once=True, past_s=60, rate_per_s=2, clock=clock)
    assert len(shelf.entries) - before < 500


def test_a_short_rest_is_filled() -> None:
    shelf, clock = Shelf(), Clock()
    collect(shelf, once=True, past_s=60, rate_per_s=2, clock=clock)
    clock.ns += 600 * 10**9
    collect(shelf, once=True, past_s=60, rate_per_s=2, clock=clock)
    times = [parse_ns(entry.timestamp) for entry in shelf.entries]
    assert times == sorted(times)
    assert max(b - a for a, b in pairwise(times)) < 30 * 10**9


@pytest.mark.parametrize("position", [{"lines": 3}, 7, None, {"place": 1, "sent": 2}])
def test_a_position_that_is_not_ours_is_started_over(position: Any) -> None:
    shelf = Shelf()
    shelf.stored["demo"] = position
    collect(shelf, once=True, count=10)
    assert len(shelf.entries) == 10


def test_without_resume_a_second_run_begins_again() -> None:
    shelf = Shelf()
    collect(shelf, once=True, count=10, resume=False)
    collect(shelf, once=True, count=10, resume=False)
    assert shelf.entries[:10] == shelf.entries[10:]


def test_a_url_carries_the_options() -> None:
    assert SPEC.options_of_url is not None
    assert SPEC.options_of_url("generate:?rate_per_s=100.5&seed=2") == {
        "rate_per_s": 100.5,
        "seed": 2,
    }
    with pytest.raises(ConfigError, match="rate_per_s is to be a number"):
        SPEC.options_of_url("generate:?rate_per_s=fast")
