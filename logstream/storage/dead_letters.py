"""Dead letters: acked entries that could not be processed, kept with the reason.

They are written before the rest of their batch, by segment: a batch that is worked on
again after a crash replaces what it wrote the first time.

They are checkpointed when their write-ahead log is long. All that is in it is in memory
too, with what was deleted since; and each checkpoint ends a row group, which takes
256 KB of the file and as much memory, however few letters are in it.
"""

import logging
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import msgspec

from logstream.core.errors import StorageError
from logstream.core.rejections import DeadReason
from logstream.core.timestamps import format_ns, now_ns
from logstream.storage.hub import Hub, first_line
from logstream.storage.partition import wal_of
from logstream.telemetry.metrics import DEAD_DROPPED

_log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS dead.letters (
    id BIGINT NOT NULL, segment BIGINT NOT NULL, failed_at VARCHAR NOT NULL,
    processor VARCHAR NOT NULL, reason VARCHAR NOT NULL, detail VARCHAR NOT NULL,
    entry VARCHAR NOT NULL)
"""
_COLUMNS = "id, failed_at, processor, reason, detail, entry"
MAX_DETAIL_CHARS = 2000
_LONG_BYTES = 8 << 20
"""A write-ahead log of so much is checkpointed."""


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    """The id that the entry would have."""
    failed_at: str
    """RFC 3339."""
    processor: str
    """Name in the config; empty when it was the load that failed."""
    reason: DeadReason
    detail: str
    """What was raised, for a person."""
    entry: msgspec.Raw
    """The entry as it was before the first processor."""


class DeadLetterStore:
    """Thread-safe.

    Args:
        path: None keeps them in memory.
    """

    def __init__(self, hub: Hub, path: Path | None, *, capacity_rows: int) -> None:
        self._hub = hub
        self._path = path
        self._capacity_rows = capacity_rows
        self._lock = threading.Lock()
        where = str(path).replace("'", "''") if path else ":memory:"
        cursor = hub.cursor()
        try:
            cursor.execute(f"ATTACH '{where}' AS dead (STORAGE_VERSION 'latest')")
            cursor.execute(_SCHEMA)
        except duckdb.Error as error:
            raise StorageError(
                f"The dead letters in {where} do not open ({first_line(error)}): move "
                "the file away, and a new one is made."
            ) from None
        finally:
            cursor.close()

    def put(self, segment: int, letters: Sequence[DeadLetter]) -> None:
        """Replace the letters of a segment by these, durably.

        Raises:
            StorageError: try again.
        """
        try:
            with self._writing() as db:
                db.execute("DELETE FROM dead.letters WHERE segment = ?", (segment,))
                for at in range(0, len(letters), 500):
                    _insert(db, segment, letters[at : at + 500])
                total = db.execute("SELECT count(*) FROM dead.letters").fetchall()[0][0]
                if (over := total - self._capacity_rows) > 0:
                    db.execute(
                        "DELETE FROM dead.letters WHERE id IN "
                        "(SELECT id FROM dead.letters ORDER BY id LIMIT ?)",
                        (over,),
                    )
                    DEAD_DROPPED.inc(over)
        except duckdb.Error as error:
            raise StorageError(f"Dead letters not kept: {first_line(error)}") from None

    def get(self, ids: Sequence[int]) -> list[DeadLetter]:
        """Those of these ids that there are, the oldest first."""
        with self._hub.reading(30) as db:
            rows = db.execute(
                f"SELECT {_COLUMNS} FROM dead.letters "
                "WHERE id IN (SELECT unnest(?::BIGINT[])) ORDER BY id",
                ([*ids],),
            ).fetchall()
        return [_letter(row) for row in rows]

    def remove(self, ids: Sequence[int]) -> None:
        """Raises StorageError."""
        try:
            with self._writing() as db:
                db.execute(
                    "DELETE FROM dead.letters WHERE id IN (SELECT unnest(?::BIGINT[]))",
                    ([*ids],),
                )
        except duckdb.Error as error:
            raise StorageError(
                f"Dead letters not removed: {first_line(error)}"
            ) from None

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """While it lasts its file and the log of that are not written to, and can be
        copied, both together.
        """
        with self._lock:
            yield

    def highest_segment(self) -> int:
        """The highest journal segment that has letters; 0 when none has."""
        with self._hub.reading(30) as db:
            found = db.execute("SELECT max(segment) FROM dead.letters").fetchall()
        return int(found[0][0] or 0)

    def count(self) -> int:
        with self._hub.reading(30) as db:
            return int(db.execute("SELECT count(*) FROM dead.letters").fetchall()[0][0])

    def list(self, *, limit: int, before_id: int | None = None) -> list[DeadLetter]:
        """The newest first; `before_id` goes on after a page."""
        with self._hub.reading(30) as db:
            rows = db.execute(
                f"SELECT {_COLUMNS} FROM dead.letters WHERE id < ? "
                "ORDER BY id DESC LIMIT ?",
                (2**63 - 1 if before_id is None else before_id, limit),
            ).fetchall()
        return [_letter(row) for row in rows]

    @contextmanager
    def _writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """One transaction at a time. Raises duckdb.Error."""
        with self._lock:
            with self._hub.writing() as db:
                yield db
            if self._path is not None:
                self._checkpoint_if_long(self._path)

    def _checkpoint_if_long(self, path: Path) -> None:
        """The caller has the lock. If it fails, the next write tries again."""
        cursor = self._hub.cursor()
        try:
            size = wal_of(path).stat().st_size
            if size >= _LONG_BYTES and shutil.disk_usage(path.parent).free >= 2 * size:
                with self._hub.noticing():
                    cursor.execute("CHECKPOINT dead")
        except FileNotFoundError:
            return  # nothing is logged
        except (duckdb.Error, OSError) as error:
            _log.warning("The dead letters stay in their log: %s", first_line(error))
        finally:
            cursor.close()


def _insert(
    db: duckdb.DuckDBPyConnection, segment: int, letters: Sequence[DeadLetter]
) -> None:
    values = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(letters))
    params: list[object] = []
    for letter in letters:
        detail = letter.detail[:MAX_DETAIL_CHARS].encode("utf-8", "replace").decode()
        params += [letter.id, segment, letter.failed_at, letter.processor]
        params += [letter.reason, detail, bytes(letter.entry).decode()]
    db.execute(f"INSERT INTO dead.letters VALUES {values}", params)


def _letter(row: tuple[object, ...]) -> DeadLetter:
    fields = dict(zip(_COLUMNS.split(", "), row, strict=True))
    return DeadLetter(**{**fields, "entry": msgspec.Raw(str(fields["entry"]).encode())})  # type: ignore[arg-type]


def failed_now() -> str:
    return format_ns(now_ns())
