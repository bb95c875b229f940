"""The `file` collector: follows files by path and pattern, line by line.

Where it stands in each file is stored with the entries, in one write: see `file_follow`
for how a file is known again, and what becomes of rotated ones.
"""

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from logstream.collectors.entry_maker import EntryMaker
from logstream.collectors.file_follow import Follower
from logstream.collectors.file_paths import (
    absolute,
    expand,
    folders_to_watch,
    options_of_url,
    source_of,
)
from logstream.collectors.file_reading import Reading
from logstream.collectors.file_tail import Tail
from logstream.collectors.threads import in_thread
from logstream.core.errors import ConfigError
from logstream.core.timestamps import now_ns
from logstream.plugins.contracts import (
    CollectorContext,
    CollectorSpec,
    Options,
    Parser,
    Sink,
)

Wait = Callable[[Mapping[str, bool]], Awaitable[None]]
"""Returns when it is time to look again. Given: folder → whether with all below it."""


class FileOptions(Options, frozen=True, kw_only=True):
    paths: Annotated[tuple[str, ...], Meta(min_length=1)]
    """Files, or patterns with `*`, `?`, `[…]`, and `**` for any depth of folders. Files
    that match later are taken up too."""

    source: str | None = None
    """Source of the entries. By default the file's name without its endings: `syslog`
    for `/var/log/syslog.1`. A line that names its own source keeps that."""

    parser: str = "auto"
    """How to read a line: `auto`, or a parser's name such as `json` or `text`."""

    parser_options: dict[str, Any] = msgspec.field(default_factory=dict)
    """The parser's own keys."""

    from_: Literal["start", "end"] = msgspec.field(default="start", name="from")
    """Where to begin in files that are there at the first start: `start` reads what
    they hold, `end` only what comes. Later files are read from the start."""

    max_line_bytes: Annotated[int, Meta(ge=1024, le=16_000_000)] = 960 * 1024
    """A longer line is cut into several entries, numbered in the field `line_part`.
    Keep it below `intake.max_entry_bytes`."""

    poll_s: Annotated[float, Meta(gt=0, le=3600)] = 5.0
    """Changes are noticed at once; where the system does not tell, after so long."""

    close_after_s: Annotated[float, Meta(gt=0, le=86_400)] = 60.0
    """A file that was renamed away or deleted is still read until it has been quiet for
    so long, since its writer may not know yet."""


class FileCollector:
    """Reads in threads, one file at a time; state is made anew by each `run`.

    Args:
        wait: Returns when to look again; the folders' notices, if it is left out.
        clock: Seconds, for `close_after_s`.
        now: Nanoseconds since the epoch, for lines without a time.
    """

    def __init__(
        self,
        options: FileOptions,
        context: CollectorContext,
        *,
        wait: Wait | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], int] = now_ns,
    ) -> None:
        self._options = options
        self._context = context
        self._patterns = tuple(absolute(path) for path in options.paths)
        self._wait = wait
        self._clock = clock
        self._now = now
        # Also checks the parser's name before anything runs.
        self._spare_parser: Parser | None = self._new_parser()

    async def run(self, sink: Sink) -> None:
        options = self._options
        follower = Follower(
            self._context.name,
            self._patterns,
            max_line_bytes=options.max_line_bytes,
            once=self._context.once,
            from_end=options.from_ == "end",
            close_after_s=options.close_after_s,
            clock=self._clock,
        )
        reading = Reading(
            follower, sink, maker_of=self._maker_of, progress=self._progress
        )
        try:
            if self._context.once:
                await reading.once()
                self._complain(follower)
            elif self._wait is not None:
                await self._follow(reading, self._wait)
            else:
                # It starts tasks and loads a library: only where it is needed.
                from logstream.collectors.file_watch import FolderWatch

                async with FolderWatch(poll_s=options.poll_s) as watch:
                    await self._follow(reading, watch.wait)
        finally:
            follower.close()

    async def _follow(self, reading: Reading, wait: Wait) -> None:
        while True:
            await reading.round()
            folders = await in_thread(
                folders_to_watch, self._patterns, reading.follower.paths()
            )
            await wait(folders)

    def _complain(self, follower: Follower) -> None:
        missing = [
            pattern
            for pattern in self._patterns
            if not any(os.path.isfile(path) for path in expand((pattern,)))  # noqa: PTH113 - as `expand` gives them
        ]
        missing.extend(sorted(follower.discovery.unreadable))
        if missing:
            raise ConfigError(
                f"Not read, missing or not allowed: {', '.join(missing)}. "
                "What else there was has been read."
            )

    def _maker_of(self, path: str) -> EntryMaker:
        parser, self._spare_parser = self._spare_parser or self._new_parser(), None
        return EntryMaker(
            parser,
            source=self._options.source or source_of(path),
            fields={"file": path},
            now=self._now,
        )

    def _progress(self, tail: Tail) -> None:
        done, total = tail.source.progress(tail.offset)
        self._context.progress(name=tail.path, done=done, total=total, unit="bytes")

    def _new_parser(self) -> Parser:
        return self._context.parser(self._options.parser, self._options.parser_options)


def _build(options: FileOptions, context: CollectorContext) -> FileCollector:
    return FileCollector(options, context)


SPEC = CollectorSpec(
    name="file",
    summary="Follows files line by line, through rotation and restarts.",
    options=FileOptions,
    build=_build,
    schemes=("file",),
    options_of_url=options_of_url,
)
