"""A check of a journal that changes nothing in it."""

import mmap
from pathlib import Path
from typing import Any

import msgspec

from logstream.core.findings import Report
from logstream.journal.files import SUFFIX
from logstream.journal.frame import find_next, scan


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
            _check_segment(path, f"journal/{path.name}", report, in_use=in_use)
        except FileNotFoundError:
            if not in_use:
                raise
    for path in folder.glob("damaged-*"):
        report.note(f"journal/{path.name}", "kept when damage was taken out")
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
