"""What `collect` and `generate` say while they run, and at the end.

On a terminal bars that move; otherwise a plain line every ten seconds. All of it goes
to standard error.
"""

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import msgspec
import typer

from logstream.cli.escape import for_line
from logstream.cli.tables import cell, size
from logstream.core.entry import Entry
from logstream.plugins.contracts import Sink

LINE_EVERY_S = 10.0


class SourceCount:
    """What was acked of one source."""

    def __init__(self, began_s: float) -> None:
        self.entries = 0
        self.bytes = 0
        """As NDJSON."""
        self.began_s = began_s
        self.ended_s = began_s


class CountingSink:
    """A sink that counts by source what another one has acked."""

    def __init__(
        self, sink: Sink, *, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._sink = sink
        self._clock_s = clock_s
        self._encode = msgspec.json.Encoder().encode
        self.began_s = clock_s()
        self.sources: dict[str, SourceCount] = {}

    @property
    def entries(self) -> int:
        return sum(count.entries for count in self.sources.values())

    async def send(
        self, entries: Sequence[Entry], *, positions: Mapping[str, Any]
    ) -> None:
        """As the other sink's."""
        began_s = self._clock_s()
        await self._sink.send(entries, positions=positions)
        ended_s = self._clock_s()
        for entry in entries:
            count = self.sources.get(entry.source)
            if count is None:
                count = self.sources[entry.source] = SourceCount(began_s)
            count.entries += 1
            count.bytes += len(self._encode(entry)) + 1
            count.ended_s = ended_s

    async def positions(self, names: Iterable[str]) -> dict[str, Any]:
        """The other sink's."""
        return await self._sink.positions(names)

    def summary(self) -> None:
        """Print what was acked, by source, to standard error."""
        seconds = self._clock_s() - self.began_s
        for name, count in sorted(self.sources.items()):
            took_s = count.ended_s - count.began_s
            typer.echo(
                f"{for_line(name)}: {count.entries:,} entries, {size(count.bytes)}, "
                f"{took_s:.1f} s",
                err=True,
            )
        total = self.entries
        rate = f", {total / seconds:,.0f} a second" if seconds > 0.5 else ""
        typer.echo(f"{total:,} entries stored in {seconds:.1f} s{rate}.", err=True)


class Progress:
    """Takes the collectors' `progress` calls. Use as a context manager.

    Args:
        bars: Draw bars (on a terminal, with an end in sight); else lines.
    """

    def __init__(
        self, *, bars: bool, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock_s = clock_s
        self._next_line_s = clock_s() + LINE_EVERY_S
        self._inputs: dict[str, tuple[int, int | None, str]] = {}
        self._bars = _Bars() if bars and sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the bars as they stand. Safe to call twice."""
        if self._bars is not None:
            self._bars.close()

    def __call__(self, name: str, done: int, total: int | None, unit: str) -> None:
        """A collector's input has come so far."""
        self._inputs[name] = (done, total, unit)
        if self._bars is not None:
            self._bars.move(name, done, total, unit)
        elif self._clock_s() >= self._next_line_s:
            self._next_line_s = self._clock_s() + LINE_EVERY_S
            self.say(self._line())

    def say(self, text: str) -> None:
        """A line of its own, above the bars."""
        if self._bars is not None:
            self._bars.say(text)
        else:
            typer.echo(for_line(text), err=True)

    def _line(self) -> str:
        parts = []
        for unit in ("bytes", "entries"):
            inputs = [found for found in self._inputs.values() if found[2] == unit]
            if not inputs:
                continue
            done = sum(found[0] for found in inputs)
            totals = [found[1] for found in inputs if found[1] is not None]
            shown = size(done) if unit == "bytes" else f"{done:,} entries"
            if len(totals) == len(inputs):
                whole = sum(totals)
                shown += f" of {size(whole) if unit == 'bytes' else f'{whole:,}'}"
            parts.append(shown)
        return f"{len(self._inputs)} inputs: {', '.join(parts)} so far"


class _Bars:
    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress

        self._console = Console(stderr=True, highlight=False, markup=False)
        self._progress = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[shown]}", markup=False),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._tasks: dict[str, Any] = {}
        self._progress.start()

    def move(self, name: str, done: int, total: int | None, unit: str) -> None:
        shown = size(done) if unit == "bytes" else f"{done:,}"
        if name not in self._tasks:
            label = for_line(name)
            label = label if len(label) <= 40 else f"…{label[-39:]}"
            self._tasks[name] = self._progress.add_task(label, total=total, shown=shown)
        self._progress.update(
            self._tasks[name], completed=done, total=total, shown=shown
        )

    def say(self, text: str) -> None:
        self._progress.console.print(cell(text))

    def close(self) -> None:
        self._progress.stop()
