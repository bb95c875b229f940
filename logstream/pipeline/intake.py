"""The intake: entries in, and an ack when they are on disk.

Bounded in bytes: what was acked and is not stored yet may not pass
`intake.capacity_bytes`; over it the answer is `Overloaded`, counted, never a silent
drop. Lives on the event loop; the journal's thread does the writing.
"""

import asyncio
import contextlib
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from logstream.config.settings import IntakeConfig
from logstream.core.errors import (
    EntryRejected,
    LogStreamError,
    NotReady,
    StorageError,
)
from logstream.journal.answers import Answer
from logstream.journal.journal import Journal
from logstream.journal.segment import Segment
from logstream.journal.tickets import Ticket
from logstream.pipeline.acks import Acks
from logstream.pipeline.decode import Decoded, Rejection
from logstream.pipeline.gate import Gate
from logstream.pipeline.intake_stream import (
    LARGE_BYTES,
    MAX_REJECTED_LISTED,
    IntakeStream,
    Remember,
    StreamResult,
)
from logstream.telemetry.metrics import (
    MAX_SOURCES,
    RECEIVED,
    RECEIVED_BYTES,
    REJECTED,
)

_PACE_S = 0.25
_PACE_STEP_S = 0.01


class _Waiting(msgspec.Struct, frozen=True):
    """Who waits for a ticket, and what to count once it is on disk, even if the one
    who waited has gone: its entries are stored all the same.
    """

    future: "asyncio.Future[Segment | None]"
    """The segment that has to be stored before the ack is given, if any."""
    sources: Mapping[str, int]
    size: int


class Intake:
    """Used on event loops; one at a time is usual."""

    def __init__(self, config: IntakeConfig, gate: Gate) -> None:
        self.config = config
        self._gate = gate
        self._journal: Journal | None = None
        self._acks: Acks | None = None
        self._sources: set[str] = set()
        self._lock = threading.Lock()
        self.received = 0
        """Entries acked by this process."""

    def connect(self, journal: Journal, acks: Acks) -> None:
        """Take entries from now on. The journal's `on_group` is `group_done`."""
        self._journal = journal
        self._acks = acks

    async def append(
        self,
        decoded: Decoded,
        *,
        positions: Mapping[str, Any] | None = None,
        remember: Remember | None = None,
    ) -> None:
        """Return when the entries, and what goes with them, are on disk.

        Raises:
            Overloaded, DiskFull, NotReady, StorageError: nothing was taken.
        """
        self._count_rejected(decoded.rejected)
        if not decoded.entries and not positions and remember is None:
            return
        if len(decoded.payload) > LARGE_BYTES:
            await self._append_staged(decoded, positions or {}, remember)
            return
        await self.pace()
        self.check(len(decoded.payload))
        result = StreamResult(
            entries=decoded.entries,
            rejected=decoded.rejected[:MAX_REJECTED_LISTED],
            rejected_count=len(decoded.rejected),
        )
        await self.write(
            decoded.payload,
            decoded.entries,
            decoded.sources,
            positions or {},
            remember(result) if remember else {},
        )

    def stream(
        self,
        *,
        partial: bool = False,
        positions: Mapping[str, Any] | None = None,
        remember: Remember | None = None,
    ) -> IntakeStream:
        """NDJSON of any length, in bounded memory. Use as an async context manager."""
        return IntakeStream(
            self, partial=partial, positions=positions or {}, remember=remember
        )

    def group_done(
        self, group: Sequence[Ticket], outcome: Segment | StorageError
    ) -> None:
        """From the journal's thread: wake those who wait for these tickets."""
        waiting: list[_Waiting] = [ticket.done for ticket in group]
        result: Segment | StorageError | None = outcome
        if isinstance(outcome, Segment):
            for one in waiting:
                self.count_received(one.sources, one.size)
            if self.acks.give([outcome], sum(one.size for one in waiting)):
                result = None
        for loop in {one.future.get_loop() for one in waiting}:
            mine = [one.future for one in waiting if one.future.get_loop() is loop]
            with contextlib.suppress(RuntimeError):  # closed: nobody waits any more
                loop.call_soon_threadsafe(_resolve, mine, result)

    async def _append_staged(
        self,
        decoded: Decoded,
        positions: Mapping[str, Any],
        remember: Remember | None,
    ) -> None:
        async with self.stream(positions=positions, remember=remember) as stream:
            await stream.put(decoded)
            await stream.commit()

    async def write(
        self,
        payload: bytes,
        lines: int,
        sources: Mapping[str, int],
        positions: Mapping[str, Any],
        answers: Mapping[str, Answer],
    ) -> None:
        """Return when it may be acked: it is on disk. Raises StorageError, BadRequest.

        Once a request with a key is in the journal's hands, cancelling this waits all
        the same: the key is free again only when it is known what became of it.
        """
        future: asyncio.Future[Segment | None]
        future = asyncio.get_running_loop().create_future()
        done = _Waiting(future, sources, len(payload))
        self.journal.append(
            Ticket(
                payload=payload,
                lines=lines,
                positions=positions,
                answers=answers,
                done=done,
            )
        )
        try:
            segment = await (asyncio.shield(future) if answers else future)
        except asyncio.CancelledError:
            if answers:
                await asyncio.wait([future])
            raise
        if segment is not None:
            await self.acks.until_stored([segment])

    @property
    def journal(self) -> Journal:
        if self._journal is None:
            raise NotReady("Nothing is taken in: starting.")
        return self._journal

    @property
    def acks(self) -> Acks:
        if self._acks is None:
            raise NotReady("Nothing is taken in: starting.")
        return self._acks

    def check(self, size: int) -> None:
        """As `Gate.check`."""
        self._gate.check(size)

    async def pace(self) -> None:
        """Let what waits be stored first while a query waits for it, for a moment: acks
        may come several times as fast as loads, and a query has to see what was acked.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + _PACE_S
        while self._gate.is_behind() and loop.time() < until:  # noqa: ASYNC110 - bounded
            await asyncio.sleep(_PACE_STEP_S)

    def check_room(self) -> None:
        """As `Gate.check_room`."""
        self._gate.check_room()

    def count_received(self, sources: Mapping[str, int], size: int) -> None:
        """These are on disk. On any thread."""
        RECEIVED_BYTES.inc(size)
        with self._lock:
            labels = [(self._label(source), n) for source, n in sources.items()]
            self.received += sum(sources.values())
        for label, count in labels:
            RECEIVED.labels(label).inc(count)

    def _label(self, source: str) -> str:
        if source in self._sources:
            return source
        if len(self._sources) >= MAX_SOURCES:
            return "other"
        self._sources.add(source)
        return source

    def count_refused(self, error: LogStreamError) -> None:
        """An entry was refused together with its batch."""
        if isinstance(error, EntryRejected):
            REJECTED.labels(error.reason).inc()

    def _count_rejected(self, rejected: Sequence[Rejection]) -> None:
        for rejection in rejected:
            REJECTED.labels(rejection.reason).inc()


def _resolve(
    group: "Sequence[asyncio.Future[Segment | None]]",
    result: Segment | StorageError | None,
) -> None:
    for future in group:
        if future.done():
            continue  # its request was cancelled
        if isinstance(result, StorageError):
            future.set_exception(result)
        else:
            future.set_result(result)
