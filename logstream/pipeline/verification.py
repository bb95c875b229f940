"""A check of all that is stored: of a running server, a folder, or a backup."""

from pathlib import Path

import msgspec

from logstream.core.errors import BadRequest
from logstream.core.findings import Report
from logstream.journal.check import verify_journal, verify_positions
from logstream.storage.backup import MANIFEST, verify_backup
from logstream.storage.dead_letters import DeadLetterStore
from logstream.storage.hub import Hub
from logstream.storage.partitions import Partitions
from logstream.storage.verify import (
    verify_dead_letters,
    verify_partition_files,
    verify_partitions,
)


def verify_running(
    hub: Hub,
    partitions: Partitions,
    dead_letters: DeadLetterStore,
    data: Path | None,
) -> Report:
    """Of this process; queries and ingest go on."""
    report = Report()
    verify_partitions(hub, partitions, report)
    if data is not None:
        verify_journal(data / "journal", report, in_use=True)
        verify_positions(data / "positions.json", report)
    report.dead_letters = dead_letters.count()
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
    verify_partition_files(path / "partitions", report)
    verify_journal(path / "journal", report)
    verify_positions(path / "positions.json", report)
    verify_dead_letters(path / "dead-letters.duckdb", report)
    retention = path / "retention.json"
    if retention.exists():
        try:
            msgspec.json.decode(retention.read_bytes())
        except msgspec.MsgspecError as error:
            report.problem(retention.name, str(error))
    return report
