"""What a journal holds after a crash: whole frames; a torn end is cut off, counted.

A frame that is damaged though later ones are whole (a flipped bit, not a torn write)
is taken out, and the file as it was found is kept beside it as `damaged-…`, so that
nothing that was acked is destroyed by reading it.
"""

import mmap
import os
import shutil
from pathlib import Path

import msgspec

from logstream.core.durable import write_durably
from logstream.journal.answers import Answer
from logstream.journal.frame import Frame, find_next, scan
from logstream.journal.positions import Stamped


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """One segment that is now whole frames only."""

    number: int
    path: Path
    size: int
    entries: int
    positions: dict[str, Stamped]
    answers: dict[str, Answer]
    torn_bytes: int
    """Cut off its end, or taken out of its middle."""


def recover(number: int, path: Path) -> Recovered:
    """Read one segment, and repair it in place where it needs that."""
    size = path.stat().st_size
    if size == 0:
        return _recovered(number, path, [], 0, 0)
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        frames = list(scan(data))
        good = frames[-1].end if frames else 0
        if good == size:
            return _recovered(number, path, frames, size, 0)
        if (later := find_next(data, good)) is not None:
            return _take_out_damage(number, path, data, frames, later)
    os.truncate(path, good)
    with path.open("rb+") as repaired:
        os.fsync(repaired.fileno())
    return _recovered(number, path, frames, good, size - good)


def _take_out_damage(
    number: int, path: Path, data: mmap.mmap, frames: list[Frame], later: Frame
) -> Recovered:
    shutil.copyfile(path, path.with_name(f"damaged-{path.name}.copy"))
    found: Frame | None = later
    while found is not None:
        frames.extend(scan(data, found.start))
        found = find_next(data, frames[-1].end)
    whole = b"".join(data[frame.start : frame.end] for frame in frames)
    torn = len(data) - len(whole)
    write_durably(path, whole)
    return _recovered(number, path, frames, len(whole), torn)


def _recovered(
    number: int, path: Path, frames: list[Frame], size: int, torn: int
) -> Recovered:
    positions: dict[str, Stamped] = {}
    answers: dict[str, Answer] = {}
    for frame in frames:
        positions.update(frame.header.positions)
        answers.update(frame.header.answers)
    return Recovered(
        number=number,
        path=path,
        size=size,
        entries=sum(frame.header.lines for frame in frames),
        positions=positions,
        answers=answers,
        torn_bytes=torn,
    )
