"""What is said while entries are collected, and at the end."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from logstream.cli.progress import LINE_EVERY_S, CountingSink, Progress
from logstream.core.entry import Entry


class Clock:
    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


class Slow:
    """A sink that takes a second for each batch, and fails on the nth."""

    def __init__(self, clock: Clock, *, fails_on: int = 0) -> None:
        self.clock, self.fails_on, self.calls = clock, fails_on, 0

    async def send(
        self, entries: Sequence[Entry], *, positions: Mapping[str, Any]
    ) -> None:
        self.calls += 1
        self.clock.s += 1
        if self.calls == self.fails_on:
            raise OSError

    async def positions(self, names: Iterable[str]) -> dict[str, Any]:
        return dict.fromkeys(names, 7)


def an_entry(source: str) -> Entry:
    return Entry(timestamp="2025-05-13T00:01:15Z", source=source, level="", message="m")


def test_the_summary_counts_what_was_acked_by_source(capsys: Any) -> None:
    clock = Clock()
    sink = CountingSink(Slow(clock, fails_on=3), clock_s=clock)

    async def send() -> None:
        await sink.send([an_entry("b"), an_entry("a")], positions={})
        await sink.send([an_entry("a")], positions={})
        try:
            await sink.send([an_entry("a")], positions={})
        except OSError:
            assert await sink.positions(["x"]) == {"x": 7}

    asyncio.run(send())
    sink.summary()
    assert capsys.readouterr().err.splitlines() == [
        "a: 2 entries, 150 B, 2.0 s",
        "b: 1 entries, 75 B, 1.0 s",
        "3 entries stored in 3.0 s, 1 a second.",
    ]


def test_without_a_terminal_a_line_is_said_now_and_then(capsys: Any) -> None:
    clock = Clock()
    with Progress(bars=True, clock_s=clock) as progress:
        progress("a", 500, 2000, "bytes")
        assert capsys.readouterr().err == ""
        clock.s += LINE_EVERY_S
        progress("b", 1500, 3000, "bytes")
        clock.s += 1
        progress("c", 5, None, "entries")
        clock.s += LINE_EVERY_S
        progress("c", 6, None, "entries")
        progress.say("server\x1b is away")
    assert capsys.readouterr().err.splitlines() == [
        "2 inputs: 2.0 kB of 5.0 kB so far",
        "3 inputs: 2.0 kB of 5.0 kB, 6 entries so far",
        "server\\x1b is away",
    ]
