"""The `generate` collector: lifelike traffic, live or as history.

It takes up where it stopped: the position names the place in the stream, and stands
in the same write as the entries. A gap longer than an hour (or than `past_s`) is not
filled: nobody wants a week of invented entries after a week of rest.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Meta

from logstream.collectors.traffic import NS_PER_S, Place, Placed, begin, windows
from logstream.core.errors import ConfigError
from logstream.plugins.contracts import CollectorContext, CollectorSpec, Options, Sink

_BATCH_ENTRIES = 5_000
_TICK_S = 0.25
"""The longest that a due entry waits for others to go with it."""
_LONGEST_GAP_NS = 3_600 * NS_PER_S
_SLOWEST_HOURS = 1.8
"""How much longer than `count / rate` a count can take, should it fall in the night."""


class GenerateOptions(Options, frozen=True, kw_only=True):
    rate_per_s: Annotated[float, Meta(gt=0, le=1_000_000)] = 20.0
    """Entries a second: the mean over a day, busier by day than by night."""

    seed: int = 1
    """Equal seeds give equal traffic at equal times."""

    past_s: Annotated[float, Meta(ge=0, le=10 * 366 * 86_400)] = 0.0
    """History written at once, before it goes on live, in seconds."""

    count: Annotated[int, Meta(ge=0)] = 0
    """Stop after so many entries. 0 = never."""

    resume: bool = True
    """Go on where the last run of this collector stopped."""


class _Position(msgspec.Struct, frozen=True, kw_only=True):
    place: Place
    sent: int


class GenerateCollector:
    """Owned by one event loop. Cancelling it between two batches loses nothing."""

    def __init__(
        self,
        options: GenerateOptions,
        context: CollectorContext,
        *,
        now_ns: Callable[[], int] = time.time_ns,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._options = options
        self._context = context
        self._now_ns = now_ns
        self._sleep = sleep
        self._sent = 0

    async def run(self, sink: Sink) -> None:
        place = await self._start(sink)
        if self._left() == 0:
            return
        for at, placed in windows(place):
            offset = 0
            while offset < len(placed):
                due = placed[offset : offset + self._due(placed, offset)]
                if due:
                    offset += len(due)
                    await self._send(sink, at, offset, due)
                elif self._context.once:
                    return
                else:
                    await self._wait(placed[offset].at_ns)
                if self._left() == 0:
                    return

    async def _start(self, sink: Sink) -> Place:
        options, name, now_ns = self._options, self._context.name, self._now_ns()
        past_s = options.past_s
        if options.count and self._context.once:
            past_s = max(past_s, _SLOWEST_HOURS * options.count / options.rate_per_s)
        fresh = begin(
            options.seed, max(0, now_ns - int(past_s * NS_PER_S)), options.rate_per_s
        )
        if not options.resume:
            return fresh
        stored = (await sink.positions([name])).get(name)
        try:
            position = msgspec.convert(stored, _Position)
        except msgspec.ValidationError:
            return fresh
        self._sent = position.sent
        place = position.place
        same = (place.seed, place.rate_per_s) == (fresh.seed, fresh.rate_per_s)
        longest_ns = max(_LONGEST_GAP_NS, int(past_s * NS_PER_S))
        goes_on = same and place.window_start_ns >= now_ns - longest_ns
        return place if goes_on else fresh

    def _left(self) -> int | None:
        if not self._options.count:
            return None
        return max(0, self._options.count - self._sent)

    def _due(self, placed: list[Placed], offset: int) -> int:
        """How many from `offset` on may go now."""
        end = min(len(placed), offset + _BATCH_ENTRIES)
        left = self._left()
        if left is not None:
            end = min(end, offset + left)
            if self._context.once:
                return end - offset
        now_ns = self._now_ns()
        while end > offset and placed[end - 1].at_ns > now_ns:
            end -= 1
        return end - offset

    async def _wait(self, next_ns: int) -> None:
        ahead_s = (next_ns - self._now_ns()) / NS_PER_S
        await self._sleep(min(max(ahead_s, _TICK_S), 60.0))

    async def _send(
        self, sink: Sink, at: Place, offset: int, due: list[Placed]
    ) -> None:
        sent = self._sent + len(due)
        position = _Position(
            place=msgspec.structs.replace(at, offset=at.offset + offset), sent=sent
        )
        name = self._context.name
        await sink.send(
            [placed.entry for placed in due],
            positions={name: msgspec.to_builtins(position)},
        )
        self._sent = sent
        self._context.progress(
            name=name, done=sent, total=self._options.count or None, unit="entries"
        )


def _options_of_url(url: str) -> Mapping[str, Any]:
    """`generate:?rate_per_s=100&seed=2`."""
    options: dict[str, Any] = {}
    for key, text in parse_qsl(urlsplit(url).query):
        try:
            options[key] = msgspec.json.decode(text)
        except msgspec.DecodeError:
            raise ConfigError(f"{url}: {key} is to be a number, not {text!r}") from None
    return options


SPEC = CollectorSpec(
    name="generate",
    summary="Lifelike traffic of web, auth, database and worker services.",
    options=GenerateOptions,
    build=GenerateCollector,
    schemes=("generate",),
    options_of_url=_options_of_url,
)
