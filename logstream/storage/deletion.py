"""Deletion: entries that a condition selects, gone for good, day by day.

A day is one transaction, so a crash leaves it whole or done; a deletion over several
days that is cut short is asked for again. Rows go at once, and a checkpoint follows, so
that a write-ahead log that gets lost does not bring them back; all of the space is free
after compaction.
"""

from collections.abc import Callable, Mapping

import duckdb
import msgspec

from logstream.core.errors import DiskFull, QueryTimeout, StorageError, UnreadableDays
from logstream.core.sql import TRUE, Sql
from logstream.storage.hub import Hub, first_line
from logstream.storage.partition import Partition
from logstream.storage.partitions import Partitions
from logstream.storage.selection import Selection, condition
from logstream.telemetry.metrics import DELETED, DeletedReason

_TRIES = 3
"""Of a transaction that another one got in the way of."""
_NO_SPACE = "No space left on device"


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """What went, or would."""

    entries: int
    by_source: Mapping[str, int]
    """The most entries first."""
    days: int
    """That had any of them."""


class Deletion:
    """Thread-safe."""

    def __init__(self, hub: Hub, partitions: Partitions, *, timeout_s: float) -> None:
        self._hub = hub
        self._partitions = partitions
        self._timeout_s = timeout_s

    def preview(self, selection: Selection) -> Deleted:
        """What `delete` would take away. Raises as it and as `Hub.reading`."""
        found = self._over_days(selection, self._count)
        self._expect_all(selection, f"{found.entries} entries would be deleted")
        return found

    def delete(self, selection: Selection, *, reason: DeletedReason) -> Deleted:
        """Take the entries away. No query that begins later sees one of them.

        Raises:
            UnreadableDays: a day does not open; the others are done.
            StorageError: DuckDB or the disk refused. Some days may be done.
            DiskFull: there is no room to say what is gone.
        """

        def remove(partition: Partition, selection: Selection) -> dict[str, int] | None:
            found = self.delete_in(partition, selection, reason=reason)
            if found:
                self._partitions.checkpoint(lambda one: one is partition)
            return found

        done = self._over_days(selection, remove)
        self._expect_all(selection, f"{done.entries} entries were deleted")
        if selection.where == TRUE:
            self._partitions.forget_lost(selection.from_ns, selection.to_ns)
        return done

    def _expect_all(self, selection: Selection, told: str) -> None:
        left = self._partitions.unreadable(selection.from_ns, selection.to_ns)
        if left:
            raise UnreadableDays(
                f"{told}, but none of these, which do not open: "
                f"{', '.join(map(str, left))}."
            )

    def delete_in(
        self, partition: Partition, selection: Selection, *, reason: DeletedReason
    ) -> dict[str, int] | None:
        """Those of one day, and no checkpoint; how many of which source. Raises as
        `delete`.

        None: the partition was removed or replaced meanwhile, and nothing was done.
        """
        if not partition.writers.enter():
            return None
        try:
            found = self._delete(partition, selection)
            if gone := sum(found.values()):
                partition.mark_dirty(gone, deletes=True)
                DELETED.labels(reason).inc(gone)
        finally:
            partition.writers.leave()
        return found

    def _over_days(
        self,
        selection: Selection,
        work: Callable[[Partition, Selection], dict[str, int] | None],
    ) -> Deleted:
        sources: dict[str, int] = {}
        days = set()
        for key in self._partitions.within(selection.from_ns, selection.to_ns):
            found: dict[str, int] | None = None
            while found is None:
                found = {}
                for partition in self._partitions.readable([key]):
                    found = work(partition, selection)
            if found:
                days.add(key.day)
            for source, count in found.items():
                sources[source] = sources.get(source, 0) + count
        ranked = sorted(sources.items(), key=lambda item: (-item[1], item[0]))
        total = sum(sources.values())
        return Deleted(entries=total, by_source=dict(ranked), days=len(days))

    def _count(
        self, partition: Partition, selection: Selection
    ) -> dict[str, int] | None:
        with self._hub.reading(self._timeout_s) as cursor:
            try:
                return _by_source(cursor, partition, condition(selection, fast=True))
            except (duckdb.InterruptException, duckdb.OutOfMemoryException):
                raise
            except duckdb.CatalogException:
                return None  # removed or replaced meanwhile
            except duckdb.Error:
                return _by_source(cursor, partition, condition(selection))

    def _delete(self, partition: Partition, selection: Selection) -> dict[str, int]:
        try:
            return self._transact(partition, condition(selection, fast=True))
        except duckdb.Error:
            pass  # see `Selection.fast`
        for left in reversed(range(_TRIES)):
            try:
                return self._transact(partition, condition(selection))
            except duckdb.TransactionException as error:
                if not left:
                    raise StorageError(_failed(partition, error)) from None
            except duckdb.InterruptException as error:
                raise QueryTimeout(_failed(partition, error)) from None
            except duckdb.Error as error:
                kind = DiskFull if _NO_SPACE in str(error) else StorageError
                raise kind(_failed(partition, error)) from None
        raise AssertionError

    def _transact(self, partition: Partition, where: Sql) -> dict[str, int]:
        name = partition.name
        with self._hub.writing() as cursor:
            found = _by_source(cursor, partition, where)
            if not found:
                return found
            total = cursor.execute(f"SELECT count(*) FROM {name}.entries").fetchall()
            text = f"DELETE FROM {name}.entries WHERE {where.text}"
            cursor.execute(text, where.params)
            # What the rest came as is not known line by line: its share by count.
            kept = 1 - sum(found.values()) / int(total[0][0])
            text = f"UPDATE {name}.applied SET raw_bytes = (raw_bytes * ?)::BIGINT"
            cursor.execute(text, (kept,))
        return found


def _by_source(
    cursor: duckdb.DuckDBPyConnection, partition: Partition, where: Sql
) -> dict[str, int]:
    text = (
        f"SELECT source, count(*) FROM {partition.name}.entries "
        f"WHERE {where.text} GROUP BY source"
    )
    return dict(cursor.execute(text, where.params).fetchall())


def _failed(partition: Partition, error: duckdb.Error) -> str:
    return f"Entries of {partition.key} were not deleted: {first_line(error)}"
