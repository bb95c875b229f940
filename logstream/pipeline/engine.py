"""The engine: intake, journal, workers and store as one thing, for API and CLI."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from logstream.config.settings import Settings
from logstream.core.durable import sync_folder
from logstream.core.errors import NotReady, StorageError
from logstream.journal.answers import Answer
from logstream.journal.files import SegmentFiles
from logstream.journal.journal import GroupDone, Journal
from logstream.journal.segment import Segment
from logstream.pipeline.acks import Acks
from logstream.pipeline.adoption import adopt
from logstream.pipeline.gate import Gate
from logstream.pipeline.intake import Intake
from logstream.pipeline.keeper import Keeper
from logstream.pipeline.letters_again import LettersAgain
from logstream.pipeline.pool import WorkerPool
from logstream.pipeline.settler import Settler
from logstream.pipeline.states import QueueState, Readiness, StoredQuery, StoreHealth
from logstream.pipeline.upkeep import Rates, Upkeep
from logstream.pipeline.worker import Outcome
from logstream.storage.compaction import THREAD as COMPACTION_THREAD
from logstream.storage.compaction import Compactor
from logstream.storage.dead_letters import DeadLetterStore
from logstream.storage.listing import StorageState
from logstream.storage.partition import Partition
from logstream.storage.partitions import Partitions
from logstream.storage.reader import Reader
from logstream.storage.saved_queries import SavedQueries
from logstream.storage.sql.console import SqlConsole
from logstream.storage.statements import Statements
from logstream.storage.turns import Turns
from logstream.telemetry import metrics

_log = logging.getLogger(__name__)

_SETTLE_TIMEOUT_S = 30.0
_LONG_SETTLE_TIMEOUT_S = 600.0
"""A command that opens a folder first stores all that its journal holds."""

_CHECKPOINT_ROWS = 50_000
"""So many are checkpointed at once: it takes 20 to 70 ms, and loads go on meanwhile.
Fewer would write the same last row group again and again."""
_CHECKPOINT_SHARE = 20
"""Of the time, one in so many seconds at most goes into checkpoints of a large day."""
_LOGGED_SHARE = 12
"""Of DuckDB's memory, as its log has it: a day whose rows that are not checkpointed are
that much is due, whatever the last one took. They take 2.5 times as much in memory, and
the longer the wait, the longer the checkpoint, and the wait for the next."""
_ALL_LOGGED_SHARE = 4
"""Of DuckDB's memory, of all days: beyond, loads wait."""
_CALM_PER_S = 5_000
"""Entries. While more come in, a part of a day that is full is compacted no sooner than
a day that is over: it takes about a minute of a core, and 400 MB."""
_CHECKPOINT_IDLE_S = 5.0
_CHECKPOINT_LATEST_S = 60.0


class Engine:
    """Built by `runtime`; then `start`, and in the end `close`.

    Args:
        make_pool: Given the function to call for each stored segment.
        make_journal: Given the pool and the intake's `group_done`.
        make_keeper: Given what tells the segments that are not retired, and the turns
            that what loads them takes.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        files: SegmentFiles,
        partitions: Partitions,
        reader: Reader,
        sql: SqlConsole,
        statements: Statements,
        saved: SavedQueries,
        dead_letters: DeadLetterStore,
        make_pool: Callable[[Callable[[Segment, Outcome], None]], WorkerPool],
        make_journal: Callable[[WorkerPool, GroupDone], Journal],
        make_keeper: Callable[[Callable[[], set[int]], Turns], Keeper],
        compactor: Compactor | None = None,
        compile_filter: Callable[[str], StoredQuery],
        data_path: Path | None,
        health: StoreHealth,
    ) -> None:
        self.settings = settings
        self.reader = reader
        self.sql = sql
        self.statements = statements
        self.saved = saved
        self.dead_letters = dead_letters
        self.compile_filter = compile_filter
        self._files = files
        self._partitions = partitions
        self._state = "starting"
        self._disk_free = files.free_bytes()
        self._stored = 0
        self._lock = threading.Lock()
        self._settler = Settler()
        self._rates = Rates()
        self._closed = False
        self.health = health
        self._data_path = data_path
        self.intake = Intake(settings.intake, self._make_gate())
        self._pool = make_pool(self._segment_stored)
        self._journal = make_journal(self._pool, self.intake.group_done)
        self._acks = Acks(
            acked_bytes=self._acked_bytes,
            outstanding=self._outstanding_numbers,
            hurry=self._journal.cut,
        )
        self._pool.gather_when(lambda: not self._acks.is_asked_lately())
        self._letters_again = LettersAgain(
            dead_letters,
            self.intake,
            self._journal,
            limits=settings.intake,
            outstanding=self._outstanding_numbers,
        )
        self.keeper = make_keeper(self._unsettled, self._pool.turns)
        self.compactor = compactor
        self._upkeep = Upkeep(self._keep_up)
        self._compaction = Upkeep(self._compact, name=COMPACTION_THREAD)

    # ---- life ----

    def start(self) -> int:
        """Replay what the journal holds; returns how many entries that is.

        Returns at once; `readiness` is red while it goes on, and queries wait.
        """
        found = adopt(self._files, self._journal)
        replayed = sum(segment.entries for segment in found)
        self._letters_again.remove_replayed()
        with self._lock:
            self._state = "replaying" if replayed else ""
            metrics.REPLAYING.set(1 if replayed else 0)
        for segment in found:
            self._pool.submit(segment)
        self.intake.connect(self._journal, self._acks)
        self.keeper.start()
        return replayed

    def close(self, timeout_s: float | None = None) -> int:
        """Take nothing more in, store what waits; returns the entries that are left.

        What is left after the time limit is in the journal, and is stored at the next
        start. Safe to call twice.
        """
        if self._closed:
            return 0
        self._closed = True
        with self._lock:
            self._state = "stopping"
        limit = self.settings.workers.shutdown_timeout_s
        limit = limit if timeout_s is None else timeout_s
        self.keeper.close()
        self._journal.close()
        self._pool.drain(limit)
        self._pool.close()
        self._upkeep.close()
        if self.compactor is not None:
            self.compactor.stop()
        self._compaction.close()
        left = sum(segment.entries for segment in self._journal.outstanding())
        if self._data_path is not None:
            self._partitions.checkpoint(lambda _: True)
        return left

    # ---- what others ask ----

    async def settle(self) -> int:
        """Return when all that was acked before the call can be queried, but for what
        cannot be stored just now: how many entries that is.

        Raises:
            NotReady: that takes too long; a query now would miss acked entries.
        """
        if not (numbers := self._to_wait_for()):
            return self._stuck_entries()
        waiter = self._settler.expect(numbers, wake=True)
        self._settler.gone(numbers - self._outstanding_numbers())
        assert waiter.wake is not None
        try:
            await asyncio.wait_for(waiter.wake, _SETTLE_TIMEOUT_S)
        except TimeoutError:
            raise _not_settled(_SETTLE_TIMEOUT_S) from None
        finally:
            self._settler.forget(waiter)
        return self._stuck_entries()

    def settle_now(self) -> int:
        """`settle`, for callers without an event loop."""
        if not (numbers := self._to_wait_for()):
            return self._stuck_entries()
        waiter = self._settler.expect(numbers)
        self._settler.gone(numbers - self._outstanding_numbers())
        settled = waiter.done.wait(_LONG_SETTLE_TIMEOUT_S)
        self._settler.forget(waiter)
        if not settled:
            raise _not_settled(_LONG_SETTLE_TIMEOUT_S)
        return self._stuck_entries()

    def describe(self) -> StorageState:
        """The store, partition by partition, and what is stuck on its way there."""
        queue = self.queue()
        return msgspec.structs.replace(
            self.keeper.describe(),
            stuck=queue.stuck,
            stuck_entries=queue.stuck_entries,
        )

    def queue(self) -> QueueState:
        segments = self._journal.outstanding()
        stuck = self._pool.stuck()
        received, stored = self._rates.per_s()
        opened = min((segment.opened_at for segment in segments), default=None)
        return QueueState(
            entries=sum(segment.entries for segment in segments),
            bytes=sum(segment.size for segment in segments),
            capacity_bytes=self.settings.intake.capacity_bytes,
            oldest_age_s=0.0 if opened is None else time.monotonic() - opened,
            segments=len(segments),
            received_per_s=received,
            stored_per_s=stored,
            stuck=next(iter(stuck.values()), ""),
            stuck_entries=self._stuck_entries(),
        )

    def readiness(self) -> Readiness:
        reason = self._state
        if not reason and self.health.failure:
            reason = "store_failed"
        if not reason and not self._has_room():
            reason = "disk_full"
        return Readiness(ready=not reason, reason=reason)

    def answered(self, key: str) -> Answer | None:
        """What a request with this idempotency key was answered, if it still counts."""
        answer = self._journal.answers.get(key)
        if answer is not None:
            # It is acked again: queries from now on have to see what it stands for.
            for segment in self._journal.outstanding():
                segment.acked = True
        return answer

    def positions(self, names: Iterable[str]) -> dict[str, Any]:
        return self._journal.positions.get(names)

    async def replay_dead_letters(self, ids: Sequence[int] | None = None) -> int:
        """As `LettersAgain.replay`."""
        return await self._letters_again.replay(ids)

    # ---- inside ----

    def _make_gate(self) -> Gate:
        return Gate(
            queued_bytes=self._held_bytes,
            has_room=self._has_room,
            closed=lambda: "stopping" if self._closed else "",
            capacity_bytes=self.settings.intake.capacity_bytes,
            is_waited_for=self._settler.is_waited_for,
        )

    def _held_bytes(self) -> int:
        return self._journal.held_bytes()

    def _has_room(self) -> bool:
        return self._disk_free >= self.settings.storage.min_free_bytes

    def _segment_stored(self, segment: Segment, outcome: Outcome) -> None:
        self._partitions.keep_account()
        self._journal.retire(segment)
        self._acks.stored([segment.number])
        self._settler.gone([segment.number])
        with self._lock:
            self._stored += outcome.stored
            if segment.replayed:
                self._end_replay()

    def _end_replay(self) -> None:
        """When nothing is left but what is stuck. The caller has the lock."""
        if self._state != "replaying":
            return
        stuck = self._pool.stuck()
        left = (one.number for one in self._journal.outstanding() if one.replayed)
        if all(number in stuck for number in left):
            self._state = ""
            metrics.REPLAYING.set(0)

    def _stuck_entries(self) -> int:
        if not (lacking := self._pool.lacking()):
            return 0
        segments = self._journal.outstanding()
        return sum(one.entries for one in segments if one.number in lacking)

    def _outstanding_numbers(self) -> set[int]:
        return {segment.number for segment in self._journal.outstanding()}

    def _acked_bytes(self) -> int:
        """Of what queries wait for."""
        stuck = self._pool.stuck()
        found = self._journal.outstanding()
        return sum(one.size for one in found if one.acked and one.number not in stuck)

    def _unsettled(self) -> set[int]:
        """Segments that a start would replay, after a power cut too."""
        numbers = self._outstanding_numbers()
        if self._data_path is not None:
            sync_folder(self._data_path / "journal")
        return numbers

    def _to_wait_for(self) -> set[int]:
        self._acks.asked()
        acked = [one for one in self._journal.outstanding() if one.acked]
        if acked:
            self._journal.cut()
        return {one.number for one in acked} - self._pool.stuck().keys()

    def _keep_up(self) -> None:
        self._disk_free = self._files.free_bytes()
        stuck = self._pool.stuck()
        if stuck:
            self._settler.gone(stuck)
            self._acks.stored(stuck)
            with self._lock:
                self._end_replay()
        self._set_gauges()
        self._rates.sample(self.intake.received, self._stored)
        if self._data_path is not None:
            idle = self._pool.is_idle()
            memory = self.settings.storage.memory_bytes
            logged = memory // _LOGGED_SHARE
            self._partitions.checkpoint(
                lambda one: _wants_checkpoint(one, idle=idle, logged_bytes=logged),
                max_logged_bytes=memory // _ALL_LOGGED_SHARE,
            )

    def _compact(self) -> None:
        """What is over or full, one by one, while no batch is loaded."""
        if self.compactor is None or self._state or not self._pool.is_idle():
            return
        _, stored_per_s = self._rates.per_s()
        try:
            done = self.compactor.compact_due(calm=stored_per_s < _CALM_PER_S)
        except StorageError as error:
            _log.warning("%s", error)
            return
        if done is not None:
            _log.info(
                "Compacted %s: %d entries, %d to %d bytes, in %.1f s.",
                done.key,
                done.entries,
                done.bytes_before,
                done.bytes_after,
                done.seconds,
            )

    def _set_gauges(self) -> None:
        state = self.queue()
        metrics.QUEUE_ENTRIES.set(state.entries)
        metrics.QUEUE_BYTES.set(state.bytes)
        metrics.QUEUE_AGE.set(state.oldest_age_s)
        metrics.QUEUE_STUCK.set(state.stuck_entries)
        metrics.STORAGE_BYTES.set(self._partitions.stored_bytes())
        metrics.DISK_FREE_BYTES.set(self._disk_free)


def _wants_checkpoint(partition: Partition, *, idle: bool, logged_bytes: int) -> bool:
    if partition.logged_bytes() >= logged_bytes:
        return True
    age = time.monotonic() - partition.dirty_since
    if partition.dirty_rows >= _CHECKPOINT_ROWS:
        return idle or age >= partition.checkpoint_s * _CHECKPOINT_SHARE
    return (idle and age >= _CHECKPOINT_IDLE_S) or age >= _CHECKPOINT_LATEST_S


def _not_settled(waited_s: float) -> NotReady:
    return NotReady(
        f"Entries that were acked are not in the store after {waited_s:g} s, and an "
        "answer would miss them: see /api/v1/queue, and try again."
    )
