"""A check of a journal that changes nothing in it."""

import mmap
import re
from pathlib import Path
from typing import Any

import msgspec

from logstream.core.findings import Report
from logstream.journal.answers import decode_line
from logstream.journal.files import SUFFIX
from logstream.journal.frame import find_next, scan

_OURS = re.compile(r"next|\d+\.ndjson|batch-\d+|damaged-.*", re.ASCII)
_UNFINISHED = re.compile(r"staging-\d+|next\.tmp", re.ASCII)


def verify_journal(folder: Path, report: Report, *, in_use: bool = False) -> None:
    """Every frame of every segment, and the number that is given next.

    Args:
        in_use: A server appends meanwhile: an end that is half written is no finding,
            nor is a segment that is gone.
    """
    numbers = [0]
    segments = [*folder.glob(f"*{SUFFIX}"), *folder.glob(f"batch-*/*{SUFFIX}")]
    for path in sorted(segments):
        if not path.stem.isdigit():
            continue
        numbers.append(int(path.stem))
        try:
            where = f"journal/{path.relative_to(folder)}"
            _check_segment(path, where, report, in_use=in_use)
        except FileNotFoundError:
            if not in_use:
                raise
    _note_others(folder, report, in_use=in_use)
    _check_next(folder / "next", max(numbers), report)


def verify_positions(path: Path, report: Report) -> None:
    """The file in which collectors' positions are kept."""
    if not path.exists():
        return
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=dict[str, tuple[int, Any]])
    except (OSError, msgspec.MsgspecError) as error:
        report.problem(path.name, str(error))
    else:
        report.positions = sum(value is not None for _, value in kept.values())


def verify_answers(path: Path, report: Report, *, in_use: bool = False) -> None:
    """The file of what requests with a key were answered."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return
    except OSError as error:
        report.problem(path.name, str(error))
        return
    keys: set[str] = set()
    for at, line in enumerate(lines):
        try:
            keys.add(decode_line(line).key)
        except msgspec.MsgspecError as error:
            if line.endswith(b"\n"):
                report.problem(path.name, f"line {at + 1}: {error}")
            elif not in_use:
                report.note(path.name, "its last line is not whole: it is left out")
    report.answers = len(keys)


def _note_others(folder: Path, report: Report, *, in_use: bool) -> None:
    for path in sorted(folder.iterdir() if folder.is_dir() else ()):
        where = f"journal/{path.name}"
        if path.name.startswith("damaged-"):
            report.note(where, "kept when damage was taken out")
        elif _UNFINISHED.fullmatch(path.name):
            if not in_use:
                report.note(where, "cut short by a crash, never acked: it is not used")
        elif not _OURS.fullmatch(path.name):
            report.note(where, "not LogStream's: it is left alone")


def _check_segment(path: Path, where: str, report: Report, *, in_use: bool) -> None:
    report.segments += 1
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size == 0:
            return
        with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as data:
            end = 0
            for frame in scan(data):
                report.journal_entries += frame.header.lines
                end = frame.end
            if end == size:
                return
            if find_next(data, end) is not None:
                report.problem(where, f"damage at byte {end}, before whole frames")
            elif not in_use:
                torn = size - end
                report.note(where, f"{torn} bytes at its end are no whole frame")


def _check_next(path: Path, highest: int, report: Report) -> None:
    if not path.exists():
        return
    try:
        number = int(path.read_text())
    except ValueError:
        report.problem("journal/next", "it does not hold a number")
        return
    if number <= highest:
        report.note("journal/next", f"it says {number}, and {highest} is given")
