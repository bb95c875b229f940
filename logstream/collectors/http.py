"""The `http` collector: asks a URL now and then, and keeps what is new in the answer.

What it has seen is stored with the entries, in one write, so a restart neither loses
nor doubles. A server that is away, full or broken is asked again, ever more slowly;
it is reported and counted, and never ends the collector.
"""

import asyncio
import hashlib
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from logstream.collectors.delivery import deliver
from logstream.collectors.entry_maker import EntryMaker
from logstream.collectors.http_answer import Answer, FetchFailed, pause_s
from logstream.collectors.http_body import BodyError, records_of
from logstream.collectors.http_options import (
    HttpOptions,
    headers_of,
    host_of,
    shown_of,
)
from logstream.collectors.http_repeats import Repeats, Seen
from logstream.collectors.long_lines import parts_of
from logstream.collectors.threads import in_thread
from logstream.core.entry import Entry
from logstream.core.errors import ConfigError, ServerUnreachable
from logstream.core.timestamps import now_ns
from logstream.plugins.contracts import (
    CollectorContext,
    CollectorSpec,
    Sink,
)
from logstream.telemetry.metrics import COLLECTOR_ERRORS

if TYPE_CHECKING:
    from logstream.collectors.http_fetch import Fetcher

_log = logging.getLogger(__name__)

_ONCE_ATTEMPTS = 5
_MAX_RECORD_BYTES = 960 * 1024

Sleep = Callable[[float], Awaitable[None]]


class _Position(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored; its JSON. Of another URL it counts for nothing."""

    url_hash: str
    etag: str | None = None
    last_modified: str | None = None
    seen: Seen = Seen()


class HttpCollector:
    """Owned by one event loop. Cancelling it between two answers loses nothing.

    Args:
        sleep: Waits for so many seconds.
        jitter: A number from 0 to 1, anew at each call.
        now: Nanoseconds since the epoch, for records without a time.
    """

    def __init__(
        self,
        options: HttpOptions,
        context: CollectorContext,
        *,
        sleep: Sleep = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        now: Callable[[], int] = now_ns,
    ) -> None:
        host = host_of(options.url)
        self._options = options
        self._context = context
        self._sleep = sleep
        self._jitter = jitter
        self._headers = headers_of(options)
        self._position_name = f"http:{context.name}"
        self._url_hash = hashlib.blake2b(
            options.url.encode(), digest_size=8
        ).hexdigest()
        self._maker = EntryMaker(
            context.parser(options.parser, options.parser_options),
            source=options.source or host,
            fields={},
            now=now,
        )
        self._taken = 0

    async def run(self, sink: Sink) -> None:
        # httpx takes 0.1 s to load: only where it is needed.
        from logstream.collectors.http_fetch import Fetcher

        options = self._options
        position = await self._stored(sink)
        try:
            fetcher = Fetcher(
                options.url,
                headers=self._headers,
                timeout_s=options.timeout_s,
                max_body_bytes=options.max_body_bytes,
                ca_file=options.ca_file,
            )
        except OSError as error:
            raise ConfigError(f"{options.ca_file}: {error}") from None
        failures = 0
        async with fetcher:
            while True:
                try:
                    position = await self._poll(fetcher, position, sink)
                except (FetchFailed, BodyError) as error:
                    failures += 1
                    await self._sleep(self._after(error, failures))
                    continue
                failures = 0
                if self._context.once:
                    return
                await self._sleep(options.interval_s)

    async def _poll(
        self, fetcher: "Fetcher", position: _Position, sink: Sink
    ) -> _Position:
        answer = await fetcher.get(position.etag, position.last_modified)
        if answer is None:
            return position
        repeats = Repeats.from_seen(position.seen)
        lines, entries, repeats = await in_thread(self._entries, answer, repeats)
        after = _Position(
            url_hash=self._url_hash,
            etag=answer.etag,
            last_modified=answer.last_modified,
            seen=repeats.seen(),
        )
        if entries or after != position:
            positions = {self._position_name: msgspec.to_builtins(after)}
            await deliver(sink, self._maker, lines, entries, positions)
        self._taken += len(entries)
        self._context.progress(
            name=self._maker.source, done=self._taken, total=None, unit="entries"
        )
        return after

    def _entries(
        self, answer: Answer, repeats: Repeats
    ) -> tuple[list[str], list[Entry], Repeats]:
        """In a thread: the new records of an answer, as lines and as entries."""
        records = records_of(
            answer.body,
            kind=self._options.format,
            content_type=answer.content_type,
            path=self._options.entries_path,
        )
        lines: list[str] = []
        notes: dict[int, dict[str, Any]] = {}
        origin: list[int] = []
        for index, record in enumerate(records):
            parts = parts_of(record, _MAX_RECORD_BYTES)
            for part, (text, broken) in enumerate(parts, start=1):
                note = {"line_part": part} if len(parts) > 1 else {}
                if broken:
                    note["invalid_utf8"] = broken
                if note:
                    notes[len(lines)] = note
                lines.append(text)
                origin.append(index)
        parsed = self._maker.parse(lines)
        timed = [False] * len(records)
        for index, found in zip(origin, parsed, strict=True):
            timed[index] = timed[index] or bool(found and found.timestamp)
        new, after = repeats.new_in(records, timed)
        wanted = set(new)
        kept = [at for at, index in enumerate(origin) if index in wanted]
        self._maker.pause()
        entries = self._maker.complete(
            [lines[at] for at in kept],
            [parsed[at] for at in kept],
            {to: notes[at] for to, at in enumerate(kept) if at in notes},
        )
        return [lines[at] for at in kept], entries, after

    async def _stored(self, sink: Sink) -> _Position:
        fresh = _Position(url_hash=self._url_hash)
        stored = (await sink.positions([self._position_name])).get(self._position_name)
        try:
            position = msgspec.convert(stored, _Position) if stored else fresh
        except msgspec.ValidationError:
            return fresh
        return position if position.url_hash == self._url_hash else fresh

    def _after(self, error: FetchFailed | BodyError, failures: int) -> float:
        """Report a failure; how long to wait.

        Raises:
            ServerUnreachable: it is to be read once, and that will not do.
        """
        COLLECTOR_ERRORS.inc()
        _log.warning(
            "A URL could not be read.",
            extra={
                "collector": self._context.name,
                "source": self._maker.source,
                "error": str(error),
                "failures": failures,
            },
        )
        final = not isinstance(error, FetchFailed) or error.final
        if self._context.once and (final or failures >= _ONCE_ATTEMPTS):
            raise ServerUnreachable(f"{shown_of(self._options.url)}: {error}.")
        asked = error.retry_after_s if isinstance(error, FetchFailed) else None
        return pause_s(failures, asked, jitter=self._jitter)


def options_of_url(url: str) -> Mapping[str, Any]:
    """`https://host/path` → raw options of the http collector."""
    return {"url": url}


def _build(options: HttpOptions, context: CollectorContext) -> HttpCollector:
    return HttpCollector(options, context)


SPEC = CollectorSpec(
    name="http",
    summary="Asks a URL now and then; JSON, NDJSON or lines; keeps what is new.",
    options=HttpOptions,
    build=_build,
    schemes=("http", "https"),
    options_of_url=options_of_url,
)
