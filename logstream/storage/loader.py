"""The loader: a batch into the partitions of its days, each once.

The usual batch is of one day: one statement in one transaction. One that spans days is
read into a temporary table first, since a transaction can write one attached file.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date

import duckdb
import msgspec
from msgspec.structs import replace

from logstream.core.errors import StorageCorrupt, StorageError
from logstream.core.sql import Sql
from logstream.core.timestamps import TimestampError, parse_ns
from logstream.storage.applied import (
    applied_entries,
    may_be_applied,
    number_of,
    remember,
    stored_of_each,
)
from logstream.storage.batch import Batch, rows_of
from logstream.storage.holding import holding
from logstream.storage.hub import Hub, first_line, transaction
from logstream.storage.partition import (
    NS_PER_DAY,
    Key,
    Partition,
    day_of,
    is_corrupt,
    start_ns,
)
from logstream.storage.partitions import Partitions
from logstream.storage.shredding import Sample, sample_of
from logstream.telemetry.metrics import INSERT_SECONDS

_INSERT = "INSERT INTO {name}.entries BY NAME "
_DAY = f"epoch_ns(timestamp) // {NS_PER_DAY}"
"""Days since 1970. CAST … AS DATE rounds to microseconds first, and so the last
nanoseconds of a day into the next."""
_OTHER_DAY = "an entry of another day"
_OF_ONE_DAY = (
    f"SELECT * REPLACE (CASE WHEN {_DAY} <> ? THEN error('{_OTHER_DAY}') "
    "ELSE timestamp END AS timestamp)"
)
"""Fails with the first row of another day; costs nothing that can be measured."""
_OWN_ERRORS = (
    duckdb.OutOfMemoryException,
    duckdb.IOException,
    duckdb.InterruptException,
    duckdb.InternalException,
    duckdb.FatalException,
    duckdb.TransactionException,
    duckdb.ConnectionException,
)
"""Not the batch's fault: the disk, the memory, or DuckDB itself."""

_TRIES = 3
_MOST_ENDED = 8
"""Queries that one load ends: beyond, it is tried again later."""


class UnloadableBatch(Exception):
    """Something in the batch does not load; nothing of it was stored just now."""


class _SpansDays(Exception):
    """Not all of it is of the day that its first entry is of."""


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What a load did."""

    entries: int
    """Stored by this call."""
    before: int = 0
    """Stored earlier: a day that had applied the segment takes nothing again."""


class Loader:
    """Thread-safe; batches may be loaded side by side."""

    def __init__(
        self, hub: Hub, partitions: Partitions, *, max_entry_bytes: int
    ) -> None:
        self._hub = hub
        self._partitions = partitions
        self._max_entry_bytes = max_entry_bytes

    def load(self, batch: Batch) -> Loaded:
        """Store a batch, once however often it is called.

        Raises:
            UnloadableBatch: its content is at fault.
            StorageError: the disk, memory or a partition is; try again.
        """
        if batch.entries == 0:
            return Loaded(entries=0)
        try:
            return self._load_first(batch)
        except _OWN_ERRORS as error:
            raise StorageError(f"A batch was not stored: {first_line(error)}") from None
        except duckdb.Error as error:
            raise UnloadableBatch(first_line(error)) from None

    def _load_first(self, batch: Batch) -> Loaded:
        """Load it, if need be before queries that hold the memory it takes."""
        for _ in range(_MOST_ENDED):
            try:
                with self._hub.noticing():
                    return self._load(batch)
            except duckdb.OutOfMemoryException:
                if not self._hub.headroom.make():
                    raise
                batch = replace(batch, is_new=False)
        with self._hub.noticing():
            return self._load(batch)

    def load_together(self, batches: Sequence[Batch]) -> list[Loaded] | None:
        """Store several batches of one day in one statement: one of 24 MB takes a tenth
        less than three of 8 MB, and makes a third of the row groups.

        Returns:
            What became of each; None: nothing was stored, each is to be loaded alone.
        """
        day = _peek_day(batches[0])
        if day is None or any(_peek_day(batch) != day for batch in batches[1:]):
            return None
        try:
            with self._hub.noticing():
                return self._load_day(batches, day)
        except (_SpansDays, duckdb.Error, StorageError):
            return None

    def _load(self, batch: Batch) -> Loaded:
        day = _peek_day(batch)
        if day is not None:
            try:
                return self._load_day([batch], day)[0]
            except _SpansDays:
                pass
        return self._load_days(batch)

    def _load_day(self, batches: Sequence[Batch], day: date) -> list[Loaded]:
        """Raises _SpansDays: one is not of this day alone, or was applied before."""
        started = time.perf_counter()
        rows = [self._rows_of(batch) for batch in batches]
        text = " UNION ALL ".join(f"({one.text})" for one in rows)
        params = tuple(param for one in rows for param in one.params)
        with self._writing_to(day) as partition:
            for batch in batches:
                if self._elsewhere(partition, batch) is not None:
                    raise _SpansDays
                if not partition.names.wide:
                    partition.names.see(sample_of(batch.path))
            with (
                self._hub.shredding.off(partition.names.wide),
                self._hub.writing() as cursor,
            ):
                for batch in batches:
                    if may_be_applied(cursor, partition, batch):
                        raise _SpansDays  # a replay: other days, if any, may lack it
                number = start_ns(day) // NS_PER_DAY
                insert = _INSERT.format(name=partition.name) + _OF_ONE_DAY
                with _noticing_other_days():
                    cursor.execute(f"{insert} FROM ({text})", (number, *params))
                counts = stored_of_each(cursor, partition, batches)
                for batch, count in zip(batches, counts, strict=True):
                    remember(cursor, partition, batch, count, batch.size)
            partition.mark_dirty(sum(counts))
        INSERT_SECONDS.observe(time.perf_counter() - started)
        return [Loaded(entries=count) for count in counts]

    def _rows_of(self, batch: Batch) -> Sql:
        return rows_of(batch, max_entry_bytes=self._max_entry_bytes)

    def probe(self, batch: Batch) -> None:
        """Whether the batch would load; stores nothing. Raises as `load` does."""
        cursor = self._hub.cursor()
        try:
            _stage(cursor, self._rows_of(batch))
        except _OWN_ERRORS as error:
            raise StorageError(f"A batch was not read: {first_line(error)}") from None
        except duckdb.Error as error:
            raise UnloadableBatch(first_line(error)) from None
        finally:
            cursor.close()

    def _load_days(self, batch: Batch) -> Loaded:
        cursor = self._hub.cursor()
        try:
            _stage(cursor, self._rows_of(batch))
            days = cursor.execute(
                f"SELECT {_DAY} AS day, count(*) FROM staged GROUP BY day ORDER BY day"
            ).fetchall()
            total = sum(count for _, count in days)
            sample = sample_of(batch.path)
            moved = [
                self._move_day(
                    cursor,
                    batch,
                    day_of(day * NS_PER_DAY),
                    batch.size * count // total,
                    sample,
                )
                for day, count in days
            ]
        finally:
            cursor.close()
        return Loaded(
            entries=sum(loaded.entries for loaded in moved),
            before=sum(loaded.before for loaded in moved),
        )

    def _move_day(
        self,
        cursor: duckdb.DuckDBPyConnection,
        batch: Batch,
        day: date,
        raw_bytes: int,
        sample: Sample,
    ) -> Loaded:
        started = time.perf_counter()
        with self._writing_to(day) as partition:
            wide = partition.names.see(sample)
            elsewhere = self._elsewhere(partition, batch)
            with self._hub.shredding.off(wide), transaction(cursor):
                before = applied_entries(cursor, partition, batch.segment)
                before = elsewhere if before is None else before
                stored = 0
                if before is None:
                    insert = _INSERT.format(name=partition.name)
                    rows = f"SELECT * FROM staged WHERE {_DAY} = ?"
                    number = (start_ns(day) // NS_PER_DAY,)
                    stored = number_of(cursor.execute(insert + rows, number))
                    remember(cursor, partition, batch, stored, raw_bytes)
            partition.mark_dirty(stored)
        INSERT_SECONDS.observe(time.perf_counter() - started)
        return Loaded(entries=stored, before=before or 0)

    def _elsewhere(self, partition: Partition, batch: Batch) -> int | None:
        """How many entries of a batch another part of the day has stored; None: none
        has applied it.

        Raises:
            StorageError: one does not open, so nobody knows.
        """
        if batch.is_new:
            return None
        for key in self._partitions.other_parts(partition.key):
            known = self._partitions.known(key)
            if known is not None and not known.may_have(batch.segment):
                continue
            if (found := self._entries_in(key, batch.segment)) is not None:
                return found
        return None

    def _entries_in(self, key: Key, segment: int) -> int | None:
        for _ in range(_TRIES):
            with holding():
                try:
                    partition = self._partitions.attach(key, make=False)
                except StorageCorrupt:
                    self._partitions.set_aside(key)
                    return None
                cursor = self._hub.cursor()
                try:
                    return applied_entries(cursor, partition, segment)
                except (duckdb.CatalogException, duckdb.BinderException):
                    continue  # compacted meanwhile
                except duckdb.Error as error:
                    if not is_corrupt(error):
                        raise
                    self._partitions.set_aside(key, partition)
                    return None
                finally:
                    cursor.close()
        raise StorageError(f"The partition of {key} is busy.")

    @contextmanager
    def _writing_to(self, day: date) -> Iterator[Partition]:
        """The day's last part, which nobody replaces or removes meanwhile."""
        partition = self._writable(day)
        while not partition.writers.enter():
            partition = self._writable(day)  # that one was removed
        try:
            with self._guarding(partition):
                yield partition
            if partition.is_gone():
                raise StorageError(f"The file of {partition.path} was removed.")
        finally:
            partition.writers.leave()

    def _writable(self, day: date) -> Partition:
        """The part of the day that takes entries; in place of one that is damaged, a
        new one.
        """
        key = self._partitions.last_part(day)
        try:
            return self._partitions.attach(key)
        except StorageCorrupt:
            self._partitions.set_aside(key)
            return self._partitions.attach(key)

    @contextmanager
    def _guarding(self, partition: Partition) -> Iterator[None]:
        """Damage that a load finds in a partition is no fault of the batch."""
        try:
            yield
        except duckdb.Error as error:
            if not is_corrupt(error):
                raise
            self._partitions.set_aside(partition.key, partition)
            raise StorageCorrupt(f"A batch goes to a new file: {error}") from None


def _stage(cursor: duckdb.DuckDBPyConnection, rows: Sql) -> None:
    """Read a batch into the temporary table `staged` of this cursor."""
    cursor.execute(f"CREATE TEMP TABLE staged AS {rows.text}", rows.params)
    text = "SELECT count(*) FROM staged WHERE timestamp IS NULL"
    if unplaced := cursor.execute(text).fetchall()[0][0]:
        raise UnloadableBatch(f"{unplaced} timestamps are out of range")


@contextmanager
def _noticing_other_days() -> Iterator[None]:
    try:
        yield
    except duckdb.InvalidInputException as error:
        if _OTHER_DAY in str(error):
            raise _SpansDays from None
        raise


class _Peek(msgspec.Struct):
    timestamp: str


_decode_peek = msgspec.json.Decoder(_Peek).decode


def _peek_day(batch: Batch) -> date | None:
    """The day of the first entry, a guess at the day of all; None: it does not tell."""
    with batch.path.open("rb") as file:
        for line in file:
            if line.startswith(b'{"_frame"'):
                continue
            try:
                return day_of(parse_ns(_decode_peek(line).timestamp))
            except (msgspec.MsgspecError, TimestampError, UnicodeDecodeError):
                return None
    return None
