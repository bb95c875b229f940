"""The work on one segment: from the journal, through the processors, into the store.

A segment whose chain needs no Python goes from its file to the store in one statement.
Otherwise its entries are decoded, processed and written anew, in chunks, and loaded
the same way.
"""

import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

import msgspec

from logstream.core.rejections import DeadReason
from logstream.journal.files import MemoryFiles, SegmentFile
from logstream.journal.segment import Segment
from logstream.pipeline.chain import Chain, ChunkResult, Dead, unreadable
from logstream.pipeline.chunk import Chunk, chunks_of
from logstream.pipeline.runner import ChainGone
from logstream.pipeline.runners import Runners
from logstream.plugins.contracts import Rewrite
from logstream.storage.batch import Batch
from logstream.storage.dead_letters import DeadLetter, DeadLetterStore, failed_now
from logstream.storage.loader import Loaded, Loader, UnloadableBatch
from logstream.telemetry.metrics import (
    BATCH_SECONDS,
    DEAD,
    FILTERED,
    PROCESSED,
    REPLAYED,
    STORED,
)

_log = logging.getLogger(__name__)

_MAX_HANGS = 3
"""After so many entries of one chunk that hang, the rest of it is given up too."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Where a segment's entries went; together they are all of them, but for those of
    a replayed segment that were stored before the crash.
    """

    stored: int
    filtered: int
    dead: int


class Worker:
    """Works on one segment at a time.

    Args:
        chain: Asked for its rewrites only; the runners have chains of their own.
        runners: Of all workers; closed by whoever made them.
    """

    def __init__(
        self,
        *,
        chain: Chain,
        runners: Runners,
        loader: Loader,
        dead_letters: DeadLetterStore,
    ) -> None:
        self._rewrites: Sequence[Rewrite] | None = chain.rewrites()
        self._runners = runners
        self._loader = loader
        self._dead_letters = dead_letters
        self._files = MemoryFiles()

    def work(self, segment: Segment) -> Outcome:
        """Store a segment. Calling it again, after whatever happened, does no harm.

        Raises:
            StorageError: try again later.
        """
        started = time.perf_counter()
        outcome = self._vectorised(segment)
        if outcome is None:
            outcome = self._in_python(segment)
        _count(segment, outcome)
        BATCH_SECONDS.observe(time.perf_counter() - started)
        return outcome

    def work_together(self, segments: Sequence[Segment]) -> list[Outcome] | None:
        """Store several in one go; None: none was stored, and each is to go alone."""
        if self._rewrites is None or any(map(_has_tail, segments)):
            return None
        started = time.perf_counter()
        batches = [self._as_it_is(segment, self._rewrites) for segment in segments]
        loaded = self._loader.load_together(batches)
        if loaded is None:
            return None
        pairs = zip(segments, loaded, strict=True)
        outcomes = [_outcome(segment, found, dead=0) for segment, found in pairs]
        for segment, outcome in zip(segments, outcomes, strict=True):
            _count(segment, outcome)
        BATCH_SECONDS.observe(time.perf_counter() - started)
        return outcomes

    def _as_it_is(self, segment: Segment, rewrites: Sequence[Rewrite]) -> Batch:
        """For one load, which begins now."""
        is_new, segment.tried = not segment.tried, True
        return Batch(
            segment=segment.number,
            path=segment.file.path,
            size=segment.size,
            entries=segment.entries,
            rewrites=rewrites,
            is_new=is_new,
        )

    def _vectorised(self, segment: Segment) -> Outcome | None:
        """The way without Python; None: this segment cannot go it."""
        if self._rewrites is None or _has_tail(segment):
            return None
        batch = self._as_it_is(segment, self._rewrites)
        try:
            loaded = self._loader.load(batch)
        except UnloadableBatch as error:
            _log.warning("A batch is taken apart, entry by entry: %s", error)
            return None
        return _outcome(segment, loaded, dead=0)

    def _in_python(self, segment: Segment) -> Outcome:
        dead: list[Dead] = []
        output = self._files.create()
        kept = 0
        try:
            for result in self._results(segment):
                output.write([result.payload])
                output.sync(output.size + len(result.payload))
                kept += result.kept
                dead.extend(result.dead)
            loaded = self._load(segment, output, kept, dead)
        finally:
            output.delete()
        for letter in dead:
            DEAD.labels(letter.reason).inc()
        return _outcome(segment, loaded, dead=len(dead))

    def _results(self, segment: Segment) -> Iterator[ChunkResult]:
        """In the segment's order, though several chunks are worked on at once."""
        under_way: deque[tuple[Chunk, Future[ChunkResult]]] = deque()
        for chunk in chunks_of(segment):
            under_way.append((chunk, self._runners.submit(chunk)))
            if len(under_way) > self._runners.count:
                yield from self._result(*under_way.popleft())
        while under_way:
            yield from self._result(*under_way.popleft())

    def _result(
        self, chunk: Chunk, result: Future[ChunkResult]
    ) -> Iterator[ChunkResult]:
        try:
            yield result.result()
        except ChainGone as gone:
            _log.warning("The processors hung or ended on a chunk: %s", gone)
            yield from self._one_by_one(chunk)

    def _one_by_one(self, chunk: Chunk) -> Iterator[ChunkResult]:
        hangs = 0
        for line in chunk.single_lines():
            if hangs >= _MAX_HANGS:
                yield _all_dead(line, "too many before it hung", "processor_timeout")
                continue
            try:
                yield self._runners.submit(line).result()
            except ChainGone as gone:
                hangs += 1
                yield _all_dead(line, str(gone), gone.reason)

    def _load(
        self, segment: Segment, output: SegmentFile, kept: int, dead: list[Dead]
    ) -> Loaded:
        """Dead letters first: a batch worked on again replaces them."""
        self._keep_dead(segment, dead)
        try:
            return self._loader.load(_batch_of(segment, output, kept))
        except UnloadableBatch:
            kept = self._drop_unloadable(segment, output, dead)
        self._keep_dead(segment, dead)
        return self._loader.load(_batch_of(segment, output, kept))

    def _drop_unloadable(
        self, segment: Segment, output: SegmentFile, dead: list[Dead]
    ) -> int:
        """Leave only lines in the file that load; how many those are."""
        lines = output.path.read_bytes().splitlines(keepends=True)
        good, bad = self._part(segment, lines)
        dead.extend(_unloadable(line, detail) for line, detail in bad)
        output.sync(0)
        output.cut_back()
        output.write(good)
        output.sync(sum(map(len, good)))
        return len(good)

    def _part(
        self, segment: Segment, lines: list[bytes]
    ) -> tuple[list[bytes], list[tuple[bytes, str]]]:
        """Halve until what does not load stands alone."""
        trial = self._files.create()
        try:
            trial.write(lines)
            trial.sync(sum(map(len, lines)))
            self._loader.probe(_batch_of(segment, trial, len(lines)))
            return lines, []
        except UnloadableBatch as error:
            if len(lines) == 1:
                return [], [(lines[0], str(error))]
        finally:
            trial.delete()
        middle = len(lines) // 2
        good, bad = self._part(segment, lines[:middle])
        more_good, more_bad = self._part(segment, lines[middle:])
        return good + more_good, bad + more_bad

    def _keep_dead(self, segment: Segment, dead: list[Dead]) -> None:
        if not dead and not segment.replayed:
            return
        at = failed_now()
        self._dead_letters.put(
            segment.number,
            [
                DeadLetter(
                    id=letter.id,
                    failed_at=at,
                    processor=letter.processor,
                    reason=letter.reason,
                    detail=letter.detail,
                    entry=msgspec.Raw(letter.entry),
                )
                for letter in dead
            ],
        )


def _count(segment: Segment, outcome: Outcome) -> None:
    PROCESSED.inc(segment.entries)
    STORED.inc(outcome.stored)
    FILTERED.inc(outcome.filtered)
    if segment.replayed:
        REPLAYED.inc(segment.entries)


def _has_tail(segment: Segment) -> bool:
    """Whether the file ends in a write that failed and could not be cut off."""
    return segment.file.path.stat().st_size != segment.size


def _batch_of(segment: Segment, file: SegmentFile, entries: int) -> Batch:
    return Batch(
        segment=segment.number,
        path=file.path,
        size=file.size,
        entries=entries,
        explicit_ids=True,
    )


def _unloadable(line: bytes, detail: str) -> Dead:
    """A line that processors wrote: its id is the first thing in it."""
    head, _, rest = line.rstrip(b"\n").partition(b",")
    return unreadable(b"{" + rest, int(head.removeprefix(b'{"id":')), detail)


def _all_dead(line: Chunk, detail: str, reason: DeadReason) -> ChunkResult:
    letter = unreadable(line.data, line.first_id, detail, reason)
    return ChunkResult(payload=b"", kept=0, filtered=0, dead=(letter,))


def _outcome(segment: Segment, loaded: Loaded, *, dead: int) -> Outcome:
    """What a replayed segment had stored before, another process has counted."""
    gone = segment.entries - loaded.entries - loaded.before - dead
    ours = loaded.entries if segment.replayed else loaded.entries + loaded.before
    return Outcome(stored=ours, filtered=gone, dead=dead)
