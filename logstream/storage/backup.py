"""Backups: a folder of copies and a manifest that says which file is which.

A copy's name has its checksum in it, and a copy is never written over: the manifest is
replaced in one step at the end, so a backup that is cut short leaves the one before it
whole. A day whose file has not changed is not copied again.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from logstream.core.durable import sync_folder, write_durably
from logstream.core.errors import BadRequest, DiskFull, NotReady, StorageError
from logstream.core.findings import Report
from logstream.core.timestamps import format_ns, now_ns
from logstream.storage.manifest import (
    MANIFEST,
    Copied,
    Manifest,
    kept_of_lost,
    key_in,
    read_manifest,
)
from logstream.storage.partition import WAL, Key, Partition, index_of, wal_of
from logstream.storage.partitions import Partitions

_FILES = "files"
_PARTIAL = ".partial"
_CHUNK_BYTES = 4 * 1_048_576
_HEADER_BYTES = 12_288
"""DuckDB counts checkpoints in its headers, so a file that was written differs here."""
_ALONE_S = 20.0
_TRIES = 3
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class BackupDone(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup did."""

    folder: str
    files: int
    bytes: int
    copied: int
    """Files that had changed since the backup before."""
    skipped: list[str] = []
    """Partitions that cannot be read; what the backup before had of them is kept."""


class Backup:
    """One backup being made. For one thread.

    Raises:
        BadRequest: the folder holds something else.
        StorageError, DiskFull: it cannot be written. So do its methods.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            (folder / _FILES).mkdir(parents=True, exist_ok=True)
            strangers = {path.name for path in folder.iterdir()} - {_FILES, MANIFEST}
            strangers -= {f"{MANIFEST}.tmp"}
        except OSError as failure:
            raise _error(folder, failure) from None
        if strangers:
            raise BadRequest(
                f"{folder} holds other things, such as {min(strangers)!r}: name an "
                "empty folder, or the one of an earlier backup."
            )
        self._earlier = read_manifest(folder)
        self._before = {one.path: one for one in self._earlier.files}
        self._files: dict[str, Copied] = {}
        self._skipped: dict[Key, None] = {}
        self._lost: list[Key] = []

    def add_partitions(self, partitions: Partitions) -> None:
        """Copy those that changed since the last call, or the last backup."""
        self._skipped.clear()
        for key in partitions.within():
            for _ in range(_TRIES):
                found = partitions.readable([key])
                if not found or found[0].path is None or found[0].is_gone():
                    self._skipped[key] = None
                    break
                if self._add_partition(partitions, found[0], found[0].path):
                    break
            else:
                raise NotReady(f"The partition of {key} is busy: try again.")
        keys = partitions.within()
        self._lost = partitions.lost()
        self._skipped |= dict.fromkeys(key for key in self._lost if key not in keys)
        for path in list(self._files):
            if (found_of := key_in(path)) is not None and found_of not in keys:
                del self._files[path]

    def add_files(self, data: Path, paths: Iterable[Path]) -> None:
        """Copy these; one that is gone meanwhile is left out."""
        for path in paths:
            try:
                self._copy(path, str(path.relative_to(data)))
            except FileNotFoundError:
                continue
            except OSError as failure:
                raise _error(self.folder, failure) from None

    def finish(self) -> BackupDone:
        """From now on it counts, and the one before does not."""
        lost = {*self._lost, *self._skipped}
        kept = kept_of_lost(self._earlier, self._files, lost)
        copies = [*self._files.values(), *kept]
        files = sorted(copies, key=lambda one: one.path)
        told = [*map(str, self._lost)]
        manifest = Manifest(made_at=format_ns(now_ns()), files=files, lost=told)
        try:
            sync_folder(self.folder / _FILES)
            content = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
            write_durably(self.folder / MANIFEST, content + b"\n")
            needed = {one.stored for one in files}
            for copy in (self.folder / _FILES).iterdir():
                if f"{_FILES}/{copy.name}" not in needed:
                    copy.unlink()
        except OSError as failure:
            raise _error(self.folder, failure) from None
        known = {one.stored for one in self._before.values()}
        return BackupDone(
            folder=str(self.folder),
            files=len(files),
            bytes=sum(one.bytes for one in files),
            copied=sum(one.stored not in known for one in files),
            skipped=[*map(str, self._skipped)],
        )

    def _add_partition(
        self, partitions: Partitions, partition: Partition, path: Path
    ) -> bool:
        """Whether it was free; it was removed or replaced, or is busy, if not."""
        with partition.writers.alone(_ALONE_S) as alone:
            if not alone:
                return False
            rows = partition.dirty_rows
            if (rows or wal_of(path).exists()) and partitions.checkpoint_now(partition):
                partition.mark_clean(rows)
            try:
                self._drop_others(partition.key, path)
                self._copy_partition(path)
                if partition.generation:
                    self._add_index(path)
            except OSError as failure:
                raise _error(self.folder, failure) from None
        return True

    def _drop_others(self, key: Key, path: Path) -> None:
        """Of one that was compacted since the last call: the file it had then."""
        for known in list(self._files):
            if key_in(known) == key and not known.startswith(f"partitions/{path.name}"):
                del self._files[known]

    def _add_index(self, path: Path) -> None:
        """Beside its partition. It never changes; without one, queries read all."""
        index = index_of(path)
        name = f"partitions/{index.name}"
        known = self._before.get(name)
        with suppress(FileNotFoundError):
            version = _version_of(index)
            if known is not None and self._is_there(known, version):
                self._files[name] = known
            else:
                self._copy(index, name, version=version)

    def _copy_partition(self, path: Path) -> None:
        name = f"partitions/{path.name}"
        version = _version_of(path)
        wal = wal_of(path)
        has_wal = wal.exists() and wal.stat().st_size > 0
        known = self._files.get(name) or self._before.get(name)
        self._files.pop(name + WAL, None)
        if known is not None and not has_wal and self._is_there(known, version):
            self._files[name] = known
            return
        self._copy(path, name, version="" if has_wal else version)
        if has_wal:  # no room for a checkpoint, say: both together are the day
            self._copy(wal, name + WAL)

    def _is_there(self, known: Copied, version: str) -> bool:
        return known.version == version and (self.folder / known.stored).exists()

    def _copy(self, source: Path, path: str, *, version: str = "") -> None:
        """Raises OSError."""
        partial = self.folder / _FILES / _PARTIAL
        digest = hashlib.sha256()
        size = 0
        with source.open("rb") as read, partial.open("wb") as write:
            while chunk := read.read(_CHUNK_BYTES):
                digest.update(chunk)
                write.write(chunk)
                size += len(chunk)
            write.flush()
            os.fsync(write.fileno())
        sha256 = digest.hexdigest()
        stored = f"{_FILES}/{sha256[:16]}-{source.name}"
        partial.rename(self.folder / stored)
        self._files[path] = Copied(
            path=path, stored=stored, bytes=size, sha256=sha256, version=version
        )


def verify_backup(folder: Path, report: Report) -> None:
    """Compare every file with its checksum."""
    files = read_manifest(folder).files
    known = {folder / one.stored for one in files} | {folder / MANIFEST}
    there = {*folder.iterdir(), *(folder / _FILES).glob("*")}
    for path in sorted(there - known - {folder / _FILES}):
        where = str(path.relative_to(folder))
        report.note(where, "not in the manifest: it is no part of the backup")
    for one in files:
        report.files += 1
        try:
            found = _sha256_of(folder / one.stored)
        except OSError as failure:
            report.problem(one.stored, failure.strerror or str(failure))
            continue
        if found != one.sha256:
            report.problem(one.stored, f"it is not what was copied of {one.path}")


def restore(folder: Path, data: Path) -> Manifest:
    """Make a data folder of a backup. It appears as a whole, or not at all.

    Raises:
        BadRequest: there is no backup, or the data folder holds something.
        StorageError, DiskFull: a file is damaged, or cannot be written.
    """
    if not (folder / MANIFEST).exists():
        raise BadRequest(f"{folder} holds no backup: it has no {MANIFEST}.")
    manifest = read_manifest(folder)
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise BadRequest(f"{data} is not empty: name a folder that is, or a new one.")
    making = data.with_name(f".{data.name}.restoring")
    try:
        if making.exists():
            shutil.rmtree(making)
        for one in manifest.files:
            target = making / one.path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / one.stored, target)
            if _sha256_of(target) != one.sha256:
                raise StorageError(f"{folder / one.stored} is damaged.")
            _sync_file(target)
        making.mkdir(parents=True, exist_ok=True)
        for path in (making, *making.rglob("*")):
            if path.is_dir():
                sync_folder(path)
        making.rename(data)
        sync_folder(data.parent)
    except OSError as failure:
        raise _error(data, failure) from None
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return manifest


def _version_of(path: Path) -> str:
    """Changes with every checkpoint, and with every other file."""
    stat = path.stat()
    with path.open("rb") as file:
        header = hashlib.sha256(file.read(_HEADER_BYTES)).hexdigest()
    return f"{stat.st_size}-{stat.st_mtime_ns}-{header[:32]}"


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _error(path: Path, failure: OSError) -> StorageError:
    kind = DiskFull if failure.errno in _NO_SPACE else StorageError
    return kind(f"{failure.filename or path}: {failure.strerror or failure}.")
