"""What is stored, partition by partition, for an operator."""

from pathlib import Path

import msgspec

from logstream.core.errors import StorageError
from logstream.core.timestamps import format_ns
from logstream.storage.counting import count
from logstream.storage.day_statistics import Compaction
from logstream.storage.hub import Hub
from logstream.storage.partition import Key, PartitionState, index_of
from logstream.storage.partitions import Partitions
from logstream.storage.skip_index import open_index


class StorageTotals(msgspec.Struct, frozen=True, kw_only=True):
    days: int
    """Without those of which nothing opens."""
    broken: int
    """Partitions."""
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
    """Every day. Opens those of which nothing is known.

    Raises:
        QueryTimeout: all of it took longer than `timeout_s`.
    """
    states = [
        _filled(hub, partitions, state, timeout_s) for state in partitions.states()
    ]
    partitions.save_statistics()
    sound = [state for state in states if not state.broken]
    return StorageState(
        partitions=states,
        totals=StorageTotals(
            days=len({state.day for state in sound}),
            broken=len(states) - len(sound),
            rows=sum(state.rows for state in sound),
            raw_bytes=sum(state.raw_bytes for state in sound),
            stored_bytes=sum(state.stored_bytes for state in states),
            oldest=min((one.oldest for one in sound if one.oldest), default=None),
            newest=max((one.newest for one in sound if one.newest), default=None),
        ),
    )


def _filled(
    hub: Hub, partitions: Partitions, state: PartitionState, timeout_s: float
) -> PartitionState:
    if state.broken:
        return state
    key = Key(state.day, state.part)
    try:
        known = partitions.known(key)
        if known is None:
            with hub.reading(timeout_s) as cursor:
                partition = partitions.attach(key, make=False)
                known = partitions.know(partition, count(cursor, partition))
    except StorageError as error:
        return msgspec.structs.replace(state, broken=str(error))
    path = partitions.path_of(key)
    oldest, newest = known.oldest_ns, known.newest_ns
    return msgspec.structs.replace(
        state,
        rows=known.entries,
        raw_bytes=known.raw_bytes,
        oldest=None if oldest is None else format_ns(oldest),
        newest=None if newest is None else format_ns(newest),
        sealed=known.compaction is not None,
        indexed=_is_indexed(path, known.compaction),
        last_checkpoint=_written_at(path),
    )


def _is_indexed(path: Path | None, compaction: Compaction | None) -> bool:
    if path is None or compaction is None:
        return False
    return open_index(index_of(path), key=compaction.key) is not None


def _written_at(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        seconds = path.stat().st_mtime_ns // 1_000_000_000
    except FileNotFoundError:
        return None
    return format_ns(seconds * 1_000_000_000)
