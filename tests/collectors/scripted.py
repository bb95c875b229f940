"""What the collectors' tests share: a sink that fails on cue, and a scripted world."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from logstream.collectors.file import FileCollector, FileOptions
from logstream.core.entry import Entry
from logstream.core.errors import ConfigError
from logstream.core.timestamps import parse_ns
from logstream.parsers.detect import AutoParser
from logstream.parsers.plugin import logstream_parsers
from logstream.plugins.contracts import Parser

NOW = parse_ns("2026-11-20T10:00:00Z")


class Killed(Exception):
    """The process ends here, whatever it was doing."""


class Shelf:
    """Keeps entries and positions in one step, like the real sinks.

    Args:
        faults: Call of `send`, from 1 → what it raises; with `after`, once it stored.
    """

    def __init__(
        self, faults: Mapping[int, Exception] | None = None, *, after: bool = False
    ) -> None:
        self.entries: list[Entry] = []
        self.batches: list[int] = []
        self.stored: dict[str, Any] = {}
        self.faults = dict(faults or {})
        self.after = after
        self.calls = 0

    async def send(
        self, entries: Sequence[Entry], *, positions: Mapping[str, Any]
    ) -> None:
        self.calls += 1
        fault = self.faults.get(self.calls)
        if fault is not None and not self.after:
            raise fault
        assert all(len(name) <= 512 for name in positions)
        msgspec.json.encode(entries)
        self.entries += entries
        self.batches.append(len(entries))
        self.stored.update(msgspec.json.decode(msgspec.json.encode(positions)))
        if fault is not None:
            raise fault

    async def positions(self, names: Iterable[str]) -> dict[str, Any]:
        return {name: self.stored[name] for name in names if name in self.stored}

    @property
    def messages(self) -> list[str]:
        return [entry.message for entry in self.entries]


class Context:
    """What the runtime gives a collector, with the built-in parsers."""

    def __init__(self, *, once: bool = False, name: str = "logs") -> None:
        self.name = name
        self.once = once
        self.progressed: list[tuple[str, int, int | None, str]] = []

    def progress(self, *, name: str, done: int, total: int | None, unit: str) -> None:
        self.progressed.append((name, done, total, unit))

    def compile_filter(self, query: str) -> Any:
        raise NotImplementedError

    def parser(self, name: str, options: Mapping[str, Any]) -> Parser:
        specs = sorted(logstream_parsers(), key=lambda spec: -spec.priority)
        built = {
            s.name: s.build(msgspec.convert(options, s.options), self) for s in specs
        }
        if name == "auto":
            return AutoParser(list(built.values()))
        if name not in built:
            raise ConfigError(f"There is no parser {name!r}.")
        return built[name]


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


class Story:
    """Events, one before each look of the collector; behind the last it is killed."""

    def __init__(self, events: Iterable[Callable[[], object]]) -> None:
        self._events = iter(events)
        self.folders: Mapping[str, bool] = {}

    async def wait(self, folders: Mapping[str, bool]) -> None:
        self.folders = folders
        event = next(self._events, None)
        if event is None:
            raise Killed
        event()


def follow(
    shelf: Shelf,
    *paths: Path | str,
    events: Iterable[Callable[[], object]] = (),
    clock: Callable[[], float] | None = None,
    wait: Callable[[Mapping[str, bool]], Awaitable[None]] | None = None,
    **options: Any,
) -> None:
    """Follow files until the events are over, or the shelf kills the collector."""
    collector = FileCollector(
        _options(paths, options),
        Context(),
        wait=wait or Story(events).wait,
        clock=clock or Clock(),
        now=lambda: NOW,
    )
    with contextlib.suppress(Killed):
        asyncio.run(collector.run(shelf))


def read_once(shelf: Shelf, *paths: Path | str, **options: Any) -> Context:
    """Read what is there."""
    context = Context(once=True)
    collector = FileCollector(_options(paths, options), context, now=lambda: NOW)
    asyncio.run(collector.run(shelf))
    return context


def _options(paths: Sequence[Path | str], options: Mapping[str, Any]) -> FileOptions:
    raw = {"paths": [str(path) for path in paths], **options}
    return msgspec.convert(raw, FileOptions)
