"""What is stored, partition by partition, for an operator."""

import msgspec

from logstream.core.errors import StorageError
from logstream.core.timestamps import format_ns
from logstream.storage.hub import Hub
from logstream.storage.partition import Partition, PartitionState
from logstream.storage.partitions import Partitions
from logstream.storage.planning import is_indexed


class StorageTotals(msgspec.Struct, frozen=True, kw_only=True):
    days: int
    """Partitions, without those that do not open."""
    broken: int
    rows: int
    raw_bytes: int
    stored_bytes: int
    oldest: str | None
    newest: str | None


class StorageState(msgspec.Struct, frozen=True, kw_only=True):
    partitions: list[PartitionState]
    """The newest first."""
    totals: StorageTotals
    stuck: str = ""
    """Why entries cannot be stored at the moment; empty when all can."""
    stuck_entries: int = 0
    """That are in the journal, and in no answer, until they can."""


def describe(hub: Hub, partitions: Partitions, *, timeout_s: float) -> StorageState:
    """Every day. Opens each that is not open yet.

    Raises:
        QueryTimeout: all of it took longer than `timeout_s`.
    """
    states = [
        _filled(hub, partitions, state, timeout_s) for state in partitions.states()
    ]
    sound = [state for state in states if not state.broken]
    return StorageState(
        partitions=states,
        totals=StorageTotals(
            days=len(sound),
            broken=len(states) - len(sound),
            rows=sum(state.rows for state in sound),
            raw_bytes=sum(state.raw_bytes for state in sound),
            stored_bytes=sum(state.stored_bytes for state in states),
            oldest=next((one.oldest for one in reversed(sound) if one.oldest), None),
            newest=next((one.newest for one in sound if one.newest), None),
        ),
    )


def _filled(
    hub: Hub, partitions: Partitions, state: PartitionState, timeout_s: float
) -> PartitionState:
    if state.broken:
        return state
    try:
        partition = partitions.attach(state.day, make=False)
        with hub.reading(timeout_s) as cursor:
            rows, oldest, newest = cursor.execute(
                "SELECT count(*), epoch_ns(min(timestamp)), epoch_ns(max(timestamp)) "
                f"FROM {partition.name}.entries"
            ).fetchall()[0]
            text = f"SELECT coalesce(sum(raw_bytes), 0) FROM {partition.name}.applied"
            raw_bytes = int(cursor.execute(text).fetchall()[0][0])
            indexed = is_indexed(cursor, partition)
    except StorageError as error:
        return msgspec.structs.replace(state, broken=str(error))
    return msgspec.structs.replace(
        state,
        rows=rows,
        raw_bytes=raw_bytes,
        oldest=None if oldest is None else format_ns(oldest),
        newest=None if newest is None else format_ns(newest),
        sealed=partition.generation > 0,
        indexed=indexed,
        last_checkpoint=_written_at(partition),
    )


def _written_at(partition: Partition) -> str | None:
    if partition.path is None:
        return None
    try:
        seconds = partition.path.stat().st_mtime_ns // 1_000_000_000
    except FileNotFoundError:
        return None
    return format_ns(seconds * 1_000_000_000)
