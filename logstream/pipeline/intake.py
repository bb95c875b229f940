"""The intake: entries in, and an ack when they are on disk.

Bounded in bytes: what was acked and is not stored yet may not pass
`intake.capacity_bytes`; over it the answer is `Overloaded`, counted, never a silent
drop. Lives on the event loop; the journal's thread does the writing.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import msgspec

from logstream.config.settings import IntakeConfig
from logstream.core.errors import (
    DiskFull,
    EntryRejected,
    LogStreamError,
    NotReady,
    Overloaded,
    StorageError,
    TooLarge,
)
from logstream.core.timestamps import now_ns
from logstream.journal.journal import Journal, Ticket
from logstream.journal.staging import Staging
from logstream.pipeline.decode import Decoded, Rejection, decode_lines
from logstream.telemetry.metrics import (
    MAX_SOURCES,
    OVERLOADED,
    RECEIVED,
    RECEIVED_BYTES,
    REJECTED,
)

_PIECE_BYTES = 4 * 1_048_576
"""A stream is decoded and written in pieces of about this size."""

_LARGE_BYTES = 16 * 1_048_576
"""A payload above this goes through staging, not to hold up other requests' acks."""

MAX_REJECTED_LISTED = 100


class StreamResult(msgspec.Struct, frozen=True, kw_only=True):
    entries: int
    rejected: tuple[Rejection, ...]
    """The first `MAX_REJECTED_LISTED` of them."""
    rejected_count: int


class Gate:
    """Whether more may come in. Functions, so that the intake knows no engine."""

    def __init__(
        self,
        *,
        queued_bytes: Callable[[], int],
        has_room: Callable[[], bool],
        closed: Callable[[], str],
        capacity_bytes: int,
    ) -> None:
        self._queued_bytes = queued_bytes
        self._has_room = has_room
        self._closed = closed
        self._capacity_bytes = capacity_bytes

    def check(self, size: int) -> None:
        """Raises NotReady, DiskFull or Overloaded."""
        if reason := self._closed():
            raise NotReady(f"Nothing is taken in: {reason}.")
        if not self._has_room():
            OVERLOADED.inc()
            raise DiskFull(
                "The disk is nearly full (storage.min_free_bytes): free some space, "
                "and entries are taken in again."
            )
        queued = self._queued_bytes()
        if queued and queued + size > self._capacity_bytes:
            OVERLOADED.inc()
            raise Overloaded(queued_bytes=queued, capacity_bytes=self._capacity_bytes)


class Intake:
    """Used on event loops; one at a time is usual."""

    def __init__(self, config: IntakeConfig, gate: Gate) -> None:
        self.config = config
        self._gate = gate
        self._journal: Journal | None = None
        self._sources: set[str] = set()
        self.received = 0
        """Entries acked by this process."""

    def connect(self, journal: Journal) -> None:
        """Take entries from now on. The journal's `on_group` is `group_done`."""
        self._journal = journal

    async def append(
        self, decoded: Decoded, *, positions: Mapping[str, Any] | None = None
    ) -> None:
        """Return when the entries, and the positions with them, are on disk.

        Raises:
            Overloaded, DiskFull, NotReady, StorageError: nothing was taken.
        """
        self._count_rejected(decoded.rejected)
        if not decoded.entries and not positions:
            return
        if len(decoded.payload) > _LARGE_BYTES:
            await self._append_staged(decoded, positions or {})
            return
        self._gate.check(len(decoded.payload))
        await self._write(decoded.payload, decoded.entries, positions or {})
        self.count_received(decoded.sources, len(decoded.payload))

    def stream(
        self, *, partial: bool = False, positions: Mapping[str, Any] | None = None
    ) -> "IntakeStream":
        """NDJSON of any length, in bounded memory. Use as an async context manager."""
        return IntakeStream(self, partial=partial, positions=positions or {})

    def group_done(self, group: Sequence[Ticket], error: StorageError | None) -> None:
        """From the journal's thread: wake those who wait for these tickets."""
        for loop in {ticket.done.get_loop() for ticket in group}:
            mine = [ticket for ticket in group if ticket.done.get_loop() is loop]
            with contextlib.suppress(RuntimeError):  # closed: nobody waits any more
                loop.call_soon_threadsafe(_resolve, mine, error)

    async def _append_staged(
        self, decoded: Decoded, positions: Mapping[str, Any]
    ) -> None:
        async with self.stream(positions=positions) as stream:
            await stream.put(decoded)
            await stream.commit()

    async def _write(
        self, payload: bytes, lines: int, positions: Mapping[str, Any]
    ) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.journal.append(
            Ticket(payload=payload, lines=lines, positions=positions, done=done)
        )
        await done

    @property
    def journal(self) -> Journal:
        if self._journal is None:
            raise NotReady("Nothing is taken in: starting.")
        return self._journal

    def check(self, size: int) -> None:
        self._gate.check(size)

    def count_received(self, sources: Mapping[str, int], size: int) -> None:
        RECEIVED_BYTES.inc(size)
        for source, count in sources.items():
            self.received += count
            RECEIVED.labels(self._label(source)).inc(count)

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


class IntakeStream:
    """One NDJSON stream. Leaving it without `commit` discards all of it.

    What fits into one piece goes the way of a single request, and shares its fsync; a
    longer stream is staged in segments of its own.
    """

    def __init__(
        self, intake: Intake, *, partial: bool, positions: Mapping[str, Any]
    ) -> None:
        self._intake = intake
        self._partial = partial
        self._positions = positions
        self._rest: list[bytes] = []
        self._rest_bytes = 0
        self._fed_bytes = 0
        self._staging: Staging | None = None
        self._first: Decoded | None = None
        self._index = 0
        self._entries = 0
        self._bytes = 0
        self._sources: dict[str, int] = {}
        self._rejected: list[Rejection] = []
        self._rejected_count = 0

    async def feed(self, chunk: bytes) -> None:
        """Take some bytes, cut anywhere.

        Raises:
            EntryRejected: with its index in the whole stream.
            TooLarge: a line over `intake.max_entry_bytes`, or the whole over
                `intake.max_batch_bytes`.
            Overloaded, DiskFull, NotReady, StorageError
        """
        self._fed_bytes += len(chunk)
        limits = self._intake.config
        if self._fed_bytes > limits.max_batch_bytes:
            raise TooLarge(
                f"A batch may have {limits.max_batch_bytes} bytes "
                "(intake.max_batch_bytes): send it in parts."
            )
        self._rest.append(chunk)
        self._rest_bytes += len(chunk)
        if self._rest_bytes >= _PIECE_BYTES:
            await self._take(b"".join(self._rest), last=False)

    async def put(self, decoded: Decoded) -> None:
        """Take entries that are decoded already, of any number."""
        payload, at = decoded.payload, 0
        while at < len(payload):
            end = payload.rfind(b"\n", at, at + _LARGE_BYTES) + 1
            end = end if end > at else payload.find(b"\n", at) + 1
            piece = payload[at:end]
            await self._stage(piece, piece.count(b"\n"))
            at = end
        self._note(decoded)

    async def commit(self) -> StreamResult:
        """Return when all of it is on disk. Raises as `feed` does."""
        if self._rest_bytes:
            await self._take(b"".join(self._rest), last=True)
        if self._staging is not None:
            if self._positions:
                await self._stage(b"", 0, self._positions)
            await asyncio.to_thread(self._staging.commit)
            self._staging = None
        else:
            first = self._first
            if first is not None or self._positions:
                payload = first.payload if first else b""
                self._intake.check(len(payload))
                await self._intake._write(payload, self._entries, self._positions)  # noqa: SLF001 - one class in two halves
        self._intake.count_received(self._sources, self._bytes)
        return StreamResult(
            entries=self._entries,
            rejected=tuple(self._rejected),
            rejected_count=self._rejected_count,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        staging, self._staging = self._staging, None
        if staging is not None:
            await asyncio.to_thread(staging.discard)

    async def _take(self, data: bytes, *, last: bool) -> None:
        """Decode the whole lines of what has come; keep the rest for later."""
        end = len(data) if last else data.rfind(b"\n") + 1
        rest = data[end:]
        self._rest, self._rest_bytes = ([rest] if rest else []), len(rest)
        limits = self._intake.config
        if len(rest) > limits.max_entry_bytes + 2:
            index = self._index + data.count(b"\n")
            raise EntryRejected(
                f"Entry {index}: is longer than {limits.max_entry_bytes} bytes "
                "(intake.max_entry_bytes).",
                index=index,
                reason="too_large",
            )
        if not end:
            return
        decoded = await self._decode(data[:end])
        self._index += decoded.entries + len(decoded.rejected)
        self._note(decoded)
        if last and self._staging is None:
            self._first = decoded
        elif decoded.entries:
            await self._stage(decoded.payload, decoded.entries)

    async def _decode(self, data: bytes) -> Decoded:
        def decode() -> Decoded:
            return decode_lines(
                data,
                limits=self._intake.config,
                received_ns=now_ns(),
                partial=self._partial,
                first_index=self._index,
            )

        if len(data) <= 65_536:
            return decode()
        return await asyncio.to_thread(decode)

    async def _stage(
        self, payload: bytes, lines: int, positions: Mapping[str, Any] | None = None
    ) -> None:
        if self._staging is None:
            self._intake.check(len(payload))
            self._staging = self._intake.journal.stage()
        await asyncio.to_thread(
            self._staging.write, payload, lines=lines, positions=dict(positions or {})
        )

    def _note(self, decoded: Decoded) -> None:
        self._entries += decoded.entries
        self._bytes += len(decoded.payload)
        for source, count in decoded.sources.items():
            self._sources[source] = self._sources.get(source, 0) + count
        for rejection in decoded.rejected:
            REJECTED.labels(rejection.reason).inc()
        self._rejected_count += len(decoded.rejected)
        room = MAX_REJECTED_LISTED - len(self._rejected)
        self._rejected.extend(decoded.rejected[:room])


def _resolve(group: Sequence[Ticket], error: StorageError | None) -> None:
    for ticket in group:
        done: asyncio.Future[None] = ticket.done
        if done.done():
            continue  # its request was cancelled; the entries are stored all the same
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
