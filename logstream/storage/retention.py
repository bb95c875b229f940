"""Retention: what is too old, or too much, goes.

Ages count whole UTC days: an entry goes when all of its day is older than its limit, so
it is kept up to a day longer. A day that is too old for every rule is unlinked; of one
that is too old for some, their entries are deleted. A late entry for a day that is gone
is stored like any other, and goes, counted, with the next pass.
"""

import errno
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable
from datetime import date
from itertools import takewhile
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from logstream.config.settings import RetentionConfig
from logstream.core.durable import write_durably
from logstream.core.errors import BadRequest, DiskFull, StorageError
from logstream.core.findings import Report
from logstream.core.sql import TRUE, Sql
from logstream.core.timestamps import now_ns
from logstream.storage.deletion import Deletion
from logstream.storage.partition import NS_PER_DAY, Key, Partition, day_of, start_ns
from logstream.storage.partitions import Partitions
from logstream.storage.retention_clock import HOUR_NS, RetentionClock
from logstream.storage.selection import Selection
from logstream.telemetry.metrics import DELETED, DeletedReason

_log = logging.getLogger(__name__)

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class Compiled(Protocol):
    @property
    def sql(self) -> Sql: ...

    @property
    def fast_sql(self) -> Sql: ...


class RetentionState(msgspec.Struct, frozen=True, kw_only=True):
    """What is in effect."""

    policy: RetentionConfig
    origin: Literal["config", "api"]
    waits: str = ""
    """Why nothing goes by its age just now; empty when it does."""


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `retention.json`."""

    policy: RetentionConfig | None = None
    clock_ns: int


class Retention:
    """Thread-safe.

    Args:
        default: What the config says.
        path: Where a policy that was set at run time is kept; None: in memory.
        compile_query: Raises QuerySyntaxError, BadRequest.
        unsettled: Journal segments that are not retired.

    Raises:
        StorageError: what is kept at `path` is damaged.
        QuerySyntaxError, BadRequest: a rule of the config is no query.
    """

    def __init__(
        self,
        partitions: Partitions,
        deletion: Deletion,
        *,
        default: RetentionConfig,
        path: Path | None,
        compile_query: Callable[[str], Compiled],
        unsettled: Callable[[], Collection[int]],
        wall_ns: Callable[[], int] = now_ns,
        steady_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._partitions = partitions
        self._deletion = deletion
        self._default = default
        self._path = path
        self._compile = compile_query
        self._unsettled = unsettled
        self._wall_ns = wall_ns
        self._lock = threading.Lock()
        kept = _read(path)
        self._own = kept.policy if kept else None
        clock_ns = kept.clock_ns if kept else None
        self._clock = RetentionClock(clock_ns, wall_ns=wall_ns, steady_ns=steady_ns)
        self._saved_ns = clock_ns or 0
        self._queries = self._compiled(default if self._own is None else self._own)
        self._warned = ""
        self._swept: dict[Key, object] = {}
        """What was last done with a part of a day whose file is as it was then."""

    def state(self) -> RetentionState:
        own = self._own
        return RetentionState(
            policy=self._default if own is None else own,
            origin="config" if own is None else "api",
            waits=self._clock.doubt(),
        )

    def set(self, policy: RetentionConfig | None) -> None:
        """Have this policy from now on, after a restart too; None: the config's.

        Raises:
            QuerySyntaxError, BadRequest: a rule is no query. Nothing was changed.
            StorageError, DiskFull: it cannot be kept. Nothing was changed.
        """
        queries = self._compiled(self._default if policy is None else policy)
        with self._lock:
            try:
                self._save(policy)
            except OSError as failure:
                kind = DiskFull if failure.errno in _NO_SPACE else StorageError
                raise kind(
                    f"The policy cannot be kept ({failure.strerror}): nothing was "
                    "changed."
                ) from None
            self._own = policy
            self._queries = queries

    def run(self, *, stop: Callable[[], bool] = lambda: False) -> int:
        """One pass over all days; how many entries went.

        Args:
            stop: Asked before each day.

        Raises:
            StorageError: some of it could not be done; the next pass does it.
        """
        with self._lock:
            policy = self.state().policy
            now = self._clock.now_ns()
            self._note_clock()
            gone = 0
            failures: list[StorageError] = []
            keys = takewhile(lambda _: not stop(), reversed(self._partitions.within()))
            if now is not None and (policy.max_age_days or policy.rules):
                gone += self._by_age(keys, policy, now, failures)
            if policy.max_bytes:
                gone += self._by_size(policy.max_bytes)
            if failures:
                raise failures[0]
            return gone

    # ---- by age ----

    def _by_age(
        self,
        keys: Iterable[Key],
        policy: RetentionConfig,
        now: int,
        failures: list[StorageError],
    ) -> int:
        gone = 0
        for key in keys:
            over = tuple(
                _is_over(key.day, limit, now)
                for limit in (
                    *(rule.max_age_days for rule in policy.rules),
                    policy.max_age_days,
                )
            )
            if not any(over) or (not all(over) and self._is_swept(key, over)):
                continue
            for partition in self._partitions.readable([key]):
                try:
                    if all(over):
                        gone += self._remove(partition, "age")
                    else:
                        gone += self._sweep(partition, over)
                except StorageError as error:
                    failures.append(error)
        return gone

    def _remove(self, partition: Partition, reason: DeletedReason) -> int:
        """The whole day, or for now its rows."""
        unsettled = self._unsettled()
        removed = self._partitions.remove(partition, unsettled=unsettled)
        if removed is not None:
            DELETED.labels(reason).inc(removed)
            _log.info("Retention removed %s: %d entries.", partition.key, removed)
            return removed
        # The journal still holds entries of it: its memory of them stays till later.
        found = self._deletion.delete_in(partition, Selection(), reason=reason)
        return sum((found or {}).values())

    def _is_swept(self, key: Key, over: tuple[bool, ...]) -> bool:
        """Without opening the day."""
        known = self._partitions.known(key)
        swept = self._swept.get(key)
        return known is not None and swept == (self._queries, over, known.file)

    def _sweep(self, partition: Partition, over: tuple[bool, ...]) -> int:
        """The entries of a day whose rule says so; nothing when nothing changed."""
        before = partition.writes
        if partition.swept == (self._queries, over, before):
            if (known := self._partitions.known(partition.key)) is not None:
                self._swept[partition.key] = (self._queries, over, known.file)
            return 0
        selection = Selection(
            where=_first_match([query.sql for query in self._queries], over),
            fast=_first_match([query.fast_sql for query in self._queries], over),
        )
        found = self._deletion.delete_in(partition, selection, reason="rule")
        gone = sum((found or {}).values())
        if found is None:
            return 0  # compacted meanwhile: the next pass finds it
        partition.swept = (self._queries, over, before + bool(gone))
        if gone:
            _log.info("Retention deleted %d entries of %s.", gone, partition.key)
        return gone

    # ---- by size ----

    def _by_size(self, max_bytes: int) -> int:
        gone = 0
        keys = self._partitions.within()
        last_parts = {key.day: key for key in reversed(keys)}
        kept = {last_parts.get(day_of(self._wall_ns())), *keys[:1]}
        for key in reversed(keys):
            if self._partitions.stored_bytes() <= max_bytes:
                break
            if key in kept:
                continue
            for partition in self._partitions.readable([key]):
                gone += self._remove(partition, "size")
        return gone

    # ---- what is kept ----

    def _note_clock(self) -> None:
        doubt = self._clock.doubt()
        if doubt and doubt != self._warned:
            _log.warning("%s", doubt)
        self._warned = doubt
        if abs(self._clock.seen_ns - self._saved_ns) >= HOUR_NS:
            try:
                self._save(self._own)
            except OSError as failure:
                _log.warning("Retention cannot keep its clock: %s", failure)

    def _save(self, policy: RetentionConfig | None) -> None:
        """Raises OSError."""
        if self._path is not None:
            kept = _Kept(policy=policy, clock_ns=self._clock.seen_ns)
            write_durably(self._path, msgspec.json.encode(kept))
        self._saved_ns = self._clock.seen_ns

    def _compiled(self, policy: RetentionConfig) -> list[Compiled]:
        return [self._compile(rule.query) for rule in policy.rules]


def verify_retention(
    path: Path, report: Report, *, compile_query: Callable[[str], Compiled]
) -> None:
    """The file of the policy that was set at run time."""
    try:
        kept = _read(path)
        for rule in kept.policy.rules if kept and kept.policy else ():
            compile_query(rule.query)
    except (StorageError, BadRequest) as error:
        report.problem(path.name, str(error))


def _is_over(day: date, max_age_days: int, now: int) -> bool:
    ends = start_ns(day) + NS_PER_DAY
    return bool(max_age_days) and ends <= now - max_age_days * NS_PER_DAY


def _first_match(queries: list[Sql], over: tuple[bool, ...]) -> Sql:
    """Whether the first query that matches, or else the rest, is over."""
    if not queries:
        return TRUE if over[-1] else Sql("FALSE")
    cases = [
        f"WHEN ({query.text}) THEN {_truth(is_over)}"
        for query, is_over in zip(queries, over, strict=False)
    ]
    text = f"CASE {' '.join(cases)} ELSE {_truth(over[-1])} END"
    return Sql(text, tuple(value for query in queries for value in query.params))


def _truth(value: bool) -> str:
    return "TRUE" if value else "FALSE"


def _read(path: Path | None) -> _Kept | None:
    if path is None or not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (OSError, msgspec.MsgspecError) as error:
        raise StorageError(
            f"{path} is damaged ({error}): remove it, and the config says again how "
            "long entries are kept."
        ) from None
