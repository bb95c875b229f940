"""The `file` collector: follows files by path and pattern, line by line.

Where it stands in each file is stored with the entries, in one write: see `file_follow`
for how a file is known again, and what becomes of rotated ones.
"""

import enum
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from logstream.collectors.delivery import deliver
from logstream.collectors.entry_maker import EntryMaker
from logstream.collectors.file_follow import Follower, report
from logstream.collectors.file_paths import (
    absolute,
    expand,
    folders_to_watch,
    options_of_url,
    source_of,
)
from logstream.collectors.file_source import Identity
from logstream.collectors.file_tail import Chunk, Rewritten, Tail, as_json
from logstream.collectors.threads import in_thread
from logstream.core.entry import Entry
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

_TURN_CHUNKS = 64
"""Megabytes read from one file before the others have their turn."""


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
        reading = _Reading(self, follower, sink)
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

    async def _follow(self, reading: "_Reading", wait: Wait) -> None:
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
        missing.extend(sorted(follower.unreadable))
        if missing:
            raise ConfigError(
                f"Not read, missing or not allowed: {', '.join(missing)}. "
                "What else there was has been read."
            )

    def maker(self, path: str) -> EntryMaker:
        parser, self._spare_parser = self._spare_parser or self._new_parser(), None
        return EntryMaker(
            parser,
            source=self._options.source or source_of(path),
            fields={"file": path},
            now=self._now,
        )

    def progress(self, tail: Tail) -> None:
        done, total = tail.source.progress(tail.offset)
        self._context.progress(name=tail.path, done=done, total=total, unit="bytes")

    def _new_parser(self) -> Parser:
        return self._context.parser(self._options.parser, self._options.parser_options)


class _Step(enum.Enum):
    READ = enum.auto()
    IDLE = enum.auto()
    """Nothing to read now."""
    REORDERED = enum.auto()
    """The files are others now: ask again which comes first."""


class _Reading:
    """One run: the files, and the maker of entries of each."""

    def __init__(
        self, collector: FileCollector, follower: Follower, sink: Sink
    ) -> None:
        self.follower = follower
        self._collector = collector
        self._sink = sink
        self._makers: dict[Identity, EntryMaker] = {}

    async def once(self) -> None:
        """Read each file to the end that it has now."""
        await self.follower.scan(self._sink)
        while tails := self.follower.tails():
            await self._finish(tails[0])

    async def round(self) -> None:
        """Find new files and read every file up to its end."""
        await self.follower.scan(self._sink)
        while await self._turns():
            pass

    async def _turns(self) -> bool:
        """A turn for each file; whether there is more to read."""
        more = False
        for tail in self.follower.tails():
            step = await self._turn(tail)
            if step is _Step.REORDERED:
                return True
            more = more or step is _Step.READ
        return more

    async def _turn(self, tail: Tail) -> _Step:
        for _ in range(_TURN_CHUNKS):
            step = await self._step(tail, last=False)
            if step is _Step.IDLE and self.follower.is_over(tail):
                return await self._drain(tail)
            if step is not _Step.READ:
                return step
        return _Step.READ

    async def _finish(self, tail: Tail) -> None:
        size = tail.source.size()
        while size is None or tail.offset < size:
            step = await self._step(tail, last=False)
            if step is _Step.REORDERED:
                return
            if step is _Step.IDLE:
                break
        await self._drain(tail)

    async def _drain(self, tail: Tail) -> _Step:
        """Read what is left, a line without an end too, and close the file."""
        while True:
            step = await self._step(tail, last=True)
            if step is _Step.REORDERED:
                return step
            if step is _Step.IDLE:
                self._close(tail)
                return step

    async def _step(self, tail: Tail, *, last: bool) -> _Step:
        """Read some lines and send them."""
        maker = self._maker(tail)
        try:
            found = await in_thread(_read, tail, maker, last=last)
        except Rewritten:
            await self.follower.restart(tail, self._sink)
            return _Step.REORDERED
        except OSError as error:
            report("A file can not be read.", tail.path, error)
            self._close(tail)
            return _Step.REORDERED
        if found is None:
            maker.pause()
            return _Step.IDLE
        chunk, entries = found
        positions = {tail.name: as_json(tail.position(chunk))}
        await deliver(self._sink, maker, chunk.lines, entries, positions)
        tail.accept(chunk)
        self.follower.heard_from(tail)
        self._collector.progress(tail)
        return _Step.READ

    def _maker(self, tail: Tail) -> EntryMaker:
        maker = self._makers.get(tail.source.identity)
        if maker is None or maker.fields["file"] != tail.path:
            maker = self._collector.maker(tail.path)
            self._makers[tail.source.identity] = maker
        return maker

    def _close(self, tail: Tail) -> None:
        self._makers.pop(tail.source.identity, None)
        self.follower.drop(tail)


def _read(
    tail: Tail, maker: EntryMaker, *, last: bool
) -> tuple[Chunk, list[Entry]] | None:
    """In a thread: the disk, and the parser."""
    chunk = tail.read(last=last)
    if chunk is None:
        return None
    return chunk, maker.make(chunk.lines, chunk.notes)


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
