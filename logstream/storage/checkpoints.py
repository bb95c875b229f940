"""Checkpoints: what is in the write-ahead log of a day gets into its file."""

import logging
import shutil
import time
from collections.abc import Callable, Iterable

import duckdb

from logstream.storage.hub import Hub, first_line
from logstream.storage.partition import Partition

_log = logging.getLogger(__name__)

WAIT_S = 5.0
"""For having a day alone."""
_ROOM = 1 << 20
"""Bytes that it takes besides, for lists of what is in the file."""


def checkpoint_some(
    hub: Hub,
    partitions: Iterable[Partition],
    when: Callable[[Partition], bool],
    *,
    max_logged_bytes: int,
) -> int:
    """Checkpoint the dirty ones that `when` picks, and the largest ones while more than
    `max_logged_bytes` (0: any number) are in all logs. How many were.
    """
    done = 0
    logged = {one: one.logged_bytes() for one in partitions}
    total = sum(logged.values()) if max_logged_bytes else 0
    for partition in sorted(logged, key=lambda one: -logged[one]):
        urgent = total > max_logged_bytes
        rows = partition.dirty_rows
        if not rows or not (urgent or when(partition)):
            continue
        if checkpoint(hub, partition, alone=urgent):
            partition.mark_clean(rows)
            total -= logged[partition]
            done += 1
    return done


def checkpoint(hub: Hub, partition: Partition, *, alone: bool) -> bool:
    """Whether it worked; if not, a later one may.

    Args:
        alone: Loads wait for it; else it is left out while one is in its way.
    """
    if not has_room(partition):
        return False  # it would fail, and take the day away for a moment
    if alone:
        with partition.writers.alone(WAIT_S) as got:
            return got and checkpoint_now(hub, partition)
    if not partition.writers.enter(wait=False):
        return False  # its file is being copied or replaced
    try:
        return checkpoint_now(hub, partition)
    finally:
        partition.writers.leave()


def checkpoint_now(hub: Hub, partition: Partition) -> bool:
    """For those that share it or have it alone. Whether it worked."""
    cursor = hub.cursor()
    started = time.monotonic()
    rows, size = partition.dirty_rows, partition.logged_bytes()
    try:
        wide = partition.names.wide
        with hub.noticing(), hub.shredding.off(wide):
            cursor.execute(f"CHECKPOINT {partition.name}")
    except duckdb.TransactionException:
        return False  # a load is under way: the next quiet moment will do
    except duckdb.Error as error:
        _log.warning("A checkpoint failed: %s", first_line(error))
        return False
    finally:
        cursor.close()
    partition.checkpoint_s = time.monotonic() - started
    partition.tail.add(rows, size)
    return True


def has_room(partition: Partition) -> bool:
    """Whether a checkpoint may succeed; it compresses what is in the log."""
    if partition.path is None:
        return True
    needed = partition.logged_bytes() // 4 + _ROOM
    return shutil.disk_usage(partition.path.parent).free >= needed
