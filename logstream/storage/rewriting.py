"""The rewrite of a day in order, and the check that it holds what the old file holds.

See `compaction` for when and why; this is what DuckDB does of it.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import duckdb
import msgspec

from logstream.core.errors import StorageError
from logstream.storage import spreading
from logstream.storage.compaction_files import CompactionFiles
from logstream.storage.index_building import build_index
from logstream.storage.partition import LATE_PLACE, Key
from logstream.storage.shredding import names_allowed

_log = logging.getLogger(__name__)

_SHAPE = "regexp_replace(message[:64], '[0-9]+', '0', 'g')"
_NEW = f"""
CREATE TABLE new.entries (
    id BIGINT NOT NULL, timestamp TIMESTAMP_NS NOT NULL, source VARCHAR NOT NULL,
    level VARCHAR NOT NULL, message VARCHAR NOT NULL USING COMPRESSION zstd,
    fields VARIANT, place INTEGER NOT NULL DEFAULT {LATE_PLACE});
CREATE TABLE new.applied (
    segment BIGINT NOT NULL, entries BIGINT NOT NULL, raw_bytes BIGINT NOT NULL);
CREATE TABLE new.compacted (key VARCHAR NOT NULL, rows BIGINT NOT NULL);
"""
_ORDER = (
    *(("source", "by_source"), (_SHAPE, "by_shape"), ("level", "by_level")),
    *(("timestamp", "by_time"), ("id", "by_id")),
)
_REWRITE = f"""
INSERT INTO new.entries
SELECT *, row_number() OVER () - 1 FROM (
    SELECT id, timestamp, source, level, message, fields
    FROM old.entries LEFT JOIN spread ON id = moved
    ORDER BY {", ".join(f"coalesce({name}, {sql})" for sql, name in _ORDER)})
"""
_REWRITE_UNSORTED = """
INSERT INTO new.entries
SELECT id, timestamp, source, level, message, fields, row_number() OVER () - 1
FROM old.entries
"""
"""Of entries of 3 KB on average, a sort holds more than it may, spilled or not."""
_NAMES = """
WITH sampled AS MATERIALIZED (SELECT json_keys(CAST(fields AS JSON)) AS keys
    FROM old.entries USING SAMPLE 4096 ROWS (reservoir, 1))
SELECT (SELECT count(DISTINCT name) FROM (SELECT unnest(keys) AS name FROM sampled)),
    (SELECT avg(len(keys)) FROM sampled WHERE len(keys) > 0)
"""
_CHECKSUM = """
SELECT count(*), bit_xor(h), sum(h % 4294967296) FROM (SELECT hash(id, timestamp,
    source, level, message, CAST(CAST(fields AS JSON) AS VARCHAR)) AS h
    FROM {name}.entries)
"""
_APPLIED = "SELECT segment, entries, raw_bytes FROM {name}.applied ORDER BY ALL"


def connect(memory_bytes: int, spill: Path) -> duckdb.DuckDBPyConnection:
    """A DuckDB of its own, with one thread: whose priority is that of the caller's.

    Args:
        spill: Where a sort that needs more memory goes on.
    """
    options: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{memory_bytes}B",
        "threads": 1,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "checkpoint_threshold": "16GB",
        "temp_directory": str(spill),
    }
    return duckdb.connect(":memory:", config=options)


def rewrite(
    db: duckdb.DuckDBPyConnection, files: CompactionFiles, check: Callable[[], None]
) -> int:
    """Make `files.new` and its index of `files.copy`; returns how many entries.

    Args:
        check: Called now and then; raises to end it.

    Raises:
        StorageError: what was written differs from what was read.
        duckdb.Error, OSError: the copy cannot be read, or nothing be written.
    """
    key = uuid4().hex
    db.execute(f"ATTACH '{_quoted(files.copy)}' AS old (READ_ONLY)")
    db.execute(
        f"ATTACH '{_quoted(files.new)}' AS new (STORAGE_VERSION 'latest', "
        f"ROW_GROUP_SIZE {spreading.ROW_GROUP_ROWS})"
    )
    db.execute(_NEW)
    known = _put_in_order(db, files.key)
    db.execute("INSERT INTO new.applied SELECT * FROM old.applied")
    text = "INSERT INTO new.compacted SELECT ?, count(*) FROM new.entries"
    db.execute(text, (key,))
    db.execute("CHECKPOINT new")
    check()
    entries = _verify(db)
    build_index(
        db,
        "new.entries",
        files.new_index,
        key=key,
        rows=entries,
        columns=known.columns,
        together=known.together,
        unfounded=known.unfounded,
        check=check,
    )
    db.execute("DETACH new")
    return entries


def _put_in_order(db: duckdb.DuckDBPyConnection, key: Key) -> spreading.Known:
    """Fill `new.entries`; what is known of its fields."""
    if _is_wide(db):
        db.execute("SET variant_minimum_shredding_size = -1")
        spreading.no_others(db, _ORDER)
        known = spreading.Known(columns=False, together=True)
    else:
        known = spreading.choose(db, _ORDER)
    try:
        db.execute(_REWRITE)
    except duckdb.OutOfMemoryException:
        _log.info("The entries of %s are too large to be sorted.", key)
        db.execute(_REWRITE_UNSORTED)
        known = msgspec.structs.replace(known, columns=False)
    return known


def _is_wide(db: duckdb.DuckDBPyConnection) -> bool:
    """Too many names of fields to make a column of each; see `shredding`."""
    names, per_entry = db.execute(_NAMES).fetchall()[0]
    return bool(names > names_allowed(per_entry or 0))


def _verify(db: duckdb.DuckDBPyConnection) -> int:
    """The new file holds what the old one holds; returns how many entries."""
    old, new = (
        db.execute(_CHECKSUM.format(name=name)).fetchall() for name in ("old", "new")
    )
    applied = [
        db.execute(_APPLIED.format(name=name)).fetchall() for name in ("old", "new")
    ]
    if old != new or applied[0] != applied[1]:
        raise StorageError("A compacted day differs from what it was made of.")
    return int(new[0][0])


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
