"""Attaching the file of a day to the hub, and letting go of it."""

import logging
import time

import duckdb

from logstream.storage.hub import Hub, first_line
from logstream.storage.partition import Partition

_log = logging.getLogger(__name__)

ROW_GROUP_ROWS = 40_960
"""A third of DuckDB's default: three bodies of 8 MB that are loaded together make two
whole ones, which are compressed, shredded and in the file as they are loaded. What does
not is logged, and held in memory until a checkpoint, at 50 000 rows. Larger ones are
not filled (with 61 440, 713 MB at the peak of a million entries instead of 391 MB);
smaller ones cost memory later: DuckDB holds a kilobyte for each of the 160 columns that
fields of 25 names make. A compacted day has DuckDB's own size."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS {name}.entries (
    id BIGINT NOT NULL, timestamp TIMESTAMP_NS NOT NULL, source VARCHAR NOT NULL,
    level VARCHAR NOT NULL, message VARCHAR NOT NULL, fields VARIANT);
CREATE TABLE IF NOT EXISTS {name}.applied (
    segment BIGINT NOT NULL, entries BIGINT NOT NULL, raw_bytes BIGINT NOT NULL);
"""
_STILL_READ = "Unique file handle conflict"
_FREE_TIMEOUT_S = 2.0
_FREE_PAUSE_S = 0.01


def attach_when_free(hub: Hub, partition: Partition, *, has_tables: bool) -> None:
    """A file that was just detached stays with the queries that read it until they
    end; they end soon, since it was replaced or a checkpoint of it failed.

    Args:
        has_tables: They are known to be there, so they need not be made.

    Raises:
        duckdb.Error: it does not open.
    """
    until = time.monotonic() + _FREE_TIMEOUT_S
    while True:
        try:
            _attach(hub, partition, has_tables=has_tables)
        except duckdb.Error as error:
            if _STILL_READ not in str(error) or time.monotonic() > until:
                raise
        else:
            return
        time.sleep(_FREE_PAUSE_S)


def detach(hub: Hub, partition: Partition) -> None:
    """Queries that read it go on. A failure is only logged."""
    cursor = hub.cursor()
    try:
        cursor.execute(f"DETACH {partition.name}")
    except duckdb.Error as error:
        _log.warning("A partition was not detached: %s", first_line(error))
    finally:
        cursor.close()


def _attach(hub: Hub, partition: Partition, *, has_tables: bool) -> None:
    # ATTACH takes no parameters; a path of ours may hold a quote all the same.
    path = str(partition.path) if partition.path else ":memory:"
    quoted = path.replace("'", "''")
    cursor = hub.cursor()
    try:
        cursor.execute(
            f"ATTACH '{quoted}' AS {partition.name} "
            f"(STORAGE_VERSION 'latest', ROW_GROUP_SIZE {ROW_GROUP_ROWS})"
        )
        try:
            if not has_tables:
                cursor.execute(_SCHEMA.format(name=partition.name))
        except duckdb.Error:
            detach(hub, partition)
            raise
    finally:
        cursor.close()
