"""A check of all that is stored: of a running server, a folder, or a backup."""

from pathlib import Path

from logstream.core.errors import BadRequest
from logstream.core.findings import Report
from logstream.journal.check import verify_answers, verify_journal, verify_positions
from logstream.query import compile_filter
from logstream.query.query import compile_query
from logstream.storage.backup import verify_backup
from logstream.storage.hub import Hub
from logstream.storage.manifest import MANIFEST
from logstream.storage.partitions import Partitions
from logstream.storage.retention import verify_retention
from logstream.storage.saved_queries import FILE as SAVED
from logstream.storage.saved_queries import verify_saved
from logstream.storage.verify import (
    LETTERS,
    note_strangers,
    verify_dead_letters,
    verify_letters,
    verify_partition_files,
    verify_partitions,
)

_OURS = {
    *("lock", "journal", "partitions", "tmp"),
    *("accounts.json", "days.json", "statistics.json"),
    *("positions.json", "idempotency.ndjson", "retention.json"),
    *(LETTERS, f"{LETTERS}.wal", SAVED),
}
"""What lies in a data folder."""


def verify_running(hub: Hub, partitions: Partitions, data: Path | None) -> Report:
    """Of this process; queries and ingest go on."""
    report = Report()
    verify_partitions(hub, partitions, report)
    verify_letters(hub, report)
    if data is not None:
        note_strangers(data / "partitions", report)
        verify_journal(data / "journal", report, in_use=True)
        _verify_small(data, report, in_use=True)
    return report


def verify_folder(path: Path) -> Report:
    """Of a folder that no process uses, or of a backup; nothing is changed.

    Raises:
        BadRequest: it is neither.
        StorageError: the manifest of a backup is damaged.
    """
    report = Report()
    if (path / MANIFEST).exists():
        verify_backup(path, report)
        return report
    if not (path / "partitions").is_dir():
        raise BadRequest(f"{path} is no data folder, and no backup.")
    verify_partition_files(
        path / "partitions", report, path / "days.json", path / "accounts.json"
    )
    verify_journal(path / "journal", report)
    verify_dead_letters(path / LETTERS, report)
    _verify_small(path, report)
    return report


def _verify_small(data: Path, report: Report, *, in_use: bool = False) -> None:
    verify_positions(data / "positions.json", report)
    verify_answers(data / "idempotency.ndjson", report, in_use=in_use)
    verify_retention(data / "retention.json", report, compile_query=compile_filter)
    verify_saved(data / SAVED, report, compile_query=compile_query)
    for path in sorted(data.iterdir()):
        if path.name in _OURS:
            continue
        if path.name.removesuffix(".tmp") not in _OURS:
            report.note(path.name, "not LogStream's: it is left alone")
        elif not in_use:
            report.note(path.name, "a write that a crash cut short: it is not used")
