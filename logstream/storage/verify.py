"""Checks of the store: every partition and the dead letters, read to the last block.

DuckDB keeps a checksum with each block and compares it when the block is read, so
reading all columns of all rows finds what is damaged.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from logstream.core.errors import LogStreamError
from logstream.core.findings import Report
from logstream.storage.accounts import LOADED, verify_accounts
from logstream.storage.generations import UNFINISHED
from logstream.storage.hub import Hub, first_line
from logstream.storage.lost_days import (
    ASIDE,
    GONE,
    LACKS,
    lacking,
    note_in,
    verify_register,
)
from logstream.storage.partition import (
    INDEX,
    SUFFIX,
    WAL,
    Key,
    day_of,
    generation_of,
    index_of,
    key_of_name,
)
from logstream.storage.partitions import Partitions
from logstream.storage.removal import REMOVED
from logstream.storage.skip_index import open_index

LETTERS = "dead-letters.duckdb"
_DAY_TIMEOUT_S = 3600.0
_STRANGER = "not LogStream's: it is left alone"
Ask = Callable[[str], list[tuple[Any, ...]]]
"""Runs a statement and gives its rows. Raises duckdb.Error, LogStreamError."""


def verify_partitions(hub: Hub, partitions: Partitions, report: Report) -> None:
    """Those of a running store. Queries and loads go on."""
    checks = _Checks(report)
    for state in partitions.states():
        key = Key(state.day, state.part)
        where = f"partitions/{key}{SUFFIX}"
        if "kept as" in state.broken:
            report.note(where, state.broken)
            continue
        if state.broken == GONE or state.broken.startswith(LACKS):
            report.problem(where, state.broken)
            continue
        try:
            with hub.reading(_DAY_TIMEOUT_S) as cursor:
                partition = partitions.attach(key, make=False)
                ask = _asking(cursor)
                checks.check(ask, partition.name, key, where)
                if partition.generation and partition.path is not None:
                    _check_index(ask, partition.name, partition.path, report)
        except (duckdb.Error, LogStreamError) as error:
            report.problem(where, first_line(error))


def verify_partition_files(
    folder: Path,
    report: Report,
    register: Path | None = None,
    accounts: Path | None = None,
) -> None:
    """Those of a folder that no process uses. Nothing in it is changed.

    Args:
        register: Names the days that there should be.
        accounts: Tells what they were given.
    """
    loaded = verify_accounts(accounts, report) if accounts is not None else {}
    counts = _files_that_count(folder)
    if register is not None:
        verify_register(register, set(filter(None, map(key_of_name, counts))), report)
    checks = _Checks(report)
    for path in sorted(folder.iterdir()):
        where = f"{folder.name}/{path.name}"
        key = key_of_name(path)
        if path.suffix != SUFFIX or key is None:
            if ASIDE in path.name and key is not None and (why := note_in(path)):
                report.problem(f"{folder.name}/{key}{SUFFIX}", why)
            elif why := _why_it_lies_here(path):
                report.note(where, why)
        elif path not in counts:
            report.note(where, "compacted since: the next start removes it")
        else:
            try:
                with _attached(path) as ask:
                    checks.check(ask, "checked", key, where)
                    lacks = (
                        loaded.get(key, 0) - ask(LOADED.format(name="checked"))[0][0]
                    )
                    if lacks > 0:
                        report.problem(where, lacking(lacks))
                    if generation_of(path):
                        _check_index(ask, "checked", path, report)
            except duckdb.Error as error:
                report.problem(where, first_line(error))


def note_strangers(folder: Path, report: Report) -> None:
    """Of the folder of a running store: files that are none of its own."""
    for path in sorted(folder.iterdir()):
        if _why_it_lies_here(path) == _STRANGER:
            report.note(f"{folder.name}/{path.name}", _STRANGER)


def _files_that_count(folder: Path) -> set[Path]:
    """Of each partition that of the highest generation; see `generations`."""
    newest: dict[Key | None, Path] = {}
    for path in sorted(folder.glob(f"*{SUFFIX}"), key=generation_of):
        newest[key_of_name(path)] = path
    return set(newest.values())


def _why_it_lies_here(path: Path) -> str:
    """What is to be said of a file that is no partition; empty: it belongs to one."""
    name = path.name
    if path.suffix == SUFFIX and key_of_name(path) is not None:
        return ""
    for ending in (INDEX, SUFFIX + WAL):
        if name.endswith(ending):
            owner = path.with_name(name.removesuffix(ending) + SUFFIX)
            if key_of_name(owner) is not None:
                return "" if owner.exists() else "left over: its partition is gone"
    if UNFINISHED.fullmatch(name):
        return "a compaction that was cut short: the next start removes it"
    if key_of_name(path) is not None:
        if name.endswith(REMOVED):
            return "a day that was removed: the next start unlinks it"
        if ASIDE in name:
            return "a damaged partition that was set aside"
    return _STRANGER


def verify_letters(hub: Hub, report: Report) -> None:
    """Of a running store."""
    try:
        with hub.reading(_DAY_TIMEOUT_S) as cursor:
            _check_letters(_asking(cursor), "dead", report)
    except LogStreamError as error:
        report.problem(LETTERS, first_line(error))


def verify_dead_letters(path: Path, report: Report) -> None:
    """Of a folder that no process uses."""
    if not path.exists():
        return
    try:
        with _attached(path) as ask:
            _check_letters(ask, "checked", report)
    except duckdb.Error as error:
        report.problem(path.name, first_line(error))


def _check_letters(ask: Ask, name: str, report: Report) -> None:
    count, ids, *_ = ask(
        "SELECT count(*), count(DISTINCT id), max(segment), max(failed_at), "
        "max(length(processor)), max(length(reason)), max(length(detail)), "
        f"max(length(entry)) FROM {name}.letters"
    )[0]
    report.dead_letters = int(count)
    if count != ids:
        report.problem(LETTERS, f"{count - ids} have the id of another one")


class _Checks:
    """Of partitions in the order of their days."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._day: date | None = None
        self._applied: set[int] = set()
        """Segments of the journal that other parts of this day have applied."""

    def check(self, ask: Ask, name: str, key: Key, where: str) -> None:
        report = self._report
        report.partitions += 1
        rows, ids, oldest, newest, *_ = ask(
            "SELECT count(*), count(DISTINCT id), epoch_ns(min(timestamp)), "
            "epoch_ns(max(timestamp)), max(source), max(level), max(length(message)), "
            f"max(length(CAST(fields AS VARCHAR))) FROM {name}.entries"
        )[0]
        report.entries += rows
        if rows != ids:
            report.problem(where, f"{rows - ids} entries have the id of another one")
        if rows and not day_of(oldest) == day_of(newest) == key.day:
            report.problem(where, "some entries are of another day")
        segments = [row[0] for row in ask(f"SELECT segment FROM {name}.applied")]
        if self._are_applied_twice(key.day, segments):
            report.problem(where, "a journal segment was applied more than once")
        loaded = ask(LOADED.format(name=name))[0][0]
        if rows > loaded:
            report.problem(where, f"{rows} entries, and only {loaded} were ever loaded")

    def _are_applied_twice(self, day: date, segments: list[int]) -> bool:
        if day != self._day:
            self._day, self._applied = day, set()
        before = len(self._applied)
        self._applied.update(segments)
        return len(self._applied) < before + len(segments)


def _check_index(ask: Ask, name: str, path: Path, report: Report) -> None:
    """Its checksum, and that it is the one of this file."""
    index = index_of(path)
    where = f"partitions/{index.name}"
    if not index.exists():
        report.note(where, "missing: queries of that day read all of it")
        return
    report.indexes += 1
    key = ask(f"SELECT key FROM {name}.compacted")[0][0]
    if open_index(index, key=key) is None:
        report.problem(
            where, "damaged, or of another file or version: queries read all of the day"
        )


@contextmanager
def _attached(path: Path) -> Iterator[Ask]:
    """The file as `checked`, read only. Raises duckdb.Error."""
    connection = duckdb.connect(":memory:")
    try:
        quoted = str(path).replace("'", "''")
        connection.execute(f"ATTACH '{quoted}' AS checked (READ_ONLY)")
        yield _asking(connection)
    finally:
        connection.close()


def _asking(cursor: duckdb.DuckDBPyConnection) -> Ask:
    return lambda text: cursor.execute(text).fetchall()
