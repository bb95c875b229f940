"""Frames and recovery: what was whole comes back, whatever happens around it."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstream.journal.frame import encode_header, find_next, scan
from logstream.journal.recovery import recover


def a_frame(*messages: str, positions: dict[str, Any] | None = None) -> bytes:
    payload = b"".join(b'{"message":"%s"}\n' % text.encode() for text in messages)
    stamped = {name: (1, value) for name, value in (positions or {}).items()}
    header = encode_header([payload], lines=len(messages), positions=stamped)
    return header + payload


FRAMES = [a_frame("a"), a_frame("b", "bb"), a_frame("c")]


def write(folder: Path, data: bytes) -> Path:
    path = folder / "000000000001.ndjson"
    path.write_bytes(data)
    return path


def expect_recovered(path: Path, *frames: bytes) -> None:
    """What is left in the file is these frames, and it is whole."""
    found = recover(1, path)
    assert path.read_bytes() == b"".join(frames)
    assert found.size == path.stat().st_size
    assert found.entries == sum(frame.count(b"\n") - 1 for frame in frames)
    assert recover(1, path).torn_bytes == 0


@given(st.lists(st.lists(st.text("ab}{ ", max_size=5), max_size=4), max_size=6))
def test_frames_written_are_frames_read(batches: list[list[str]]) -> None:
    """Also those without entries, which carry positions."""
    frames = [a_frame(*batch, positions={"n": len(batch)}) for batch in batches]
    found = list(scan(b"".join(frames)))
    assert [frame.header.lines for frame in found] == [len(batch) for batch in batches]
    assert [frame.end - frame.start for frame in found] == [len(f) for f in frames]
    assert all(f.header.positions["n"][1] == f.header.lines for f in found)


def test_a_torn_end_is_cut_at_every_byte(tmp_path: Path) -> None:
    """However much of the last frame was written, the ones before it stay."""
    *whole, last = FRAMES
    for cut in range(len(last)):
        path = write(tmp_path, b"".join(whole) + last[:cut])
        found = recover(1, path)
        assert found.torn_bytes == cut
        assert path.read_bytes() == b"".join(whole)
        assert found.entries == 3


def test_a_flipped_byte_in_the_last_frame_costs_that_frame_only(tmp_path: Path) -> None:
    *whole, last = FRAMES
    for at in range(len(last)):
        damaged = bytearray(last)
        damaged[at] ^= 0x55
        expect_recovered(write(tmp_path, b"".join(whole) + damaged), *whole)


def test_a_flipped_byte_in_the_middle_costs_that_frame_only(tmp_path: Path) -> None:
    """The file as it was is kept: what is in it was acked."""
    first, middle, last = FRAMES
    for at in range(len(middle)):
        damaged = bytearray(middle)
        damaged[at] ^= 0x55
        path = write(tmp_path, first + damaged + last)
        expect_recovered(path, first, last)
        copy = tmp_path / f"damaged-{path.name}.copy"
        assert copy.read_bytes() == first + damaged + last
        copy.unlink()


def test_damage_at_the_beginning_and_twice_is_taken_out(tmp_path: Path) -> None:
    first, middle, last = FRAMES
    data = b"junk" + first[4:] + middle + b"\n\x00\x00" + last + b"more junk"
    expect_recovered(write(tmp_path, data), middle, last)
    data = b"junk\n" + first + b"\x00" * 5000 + b"\n" + middle + last[:-1]
    expect_recovered(write(tmp_path, data), first, middle)


def test_a_file_of_zeros_or_of_nothing_has_no_frames(tmp_path: Path) -> None:
    """A power cut leaves such files."""
    expect_recovered(write(tmp_path, b""))
    path = write(tmp_path, b"\x00" * 10_000)
    assert recover(1, path).entries == 0
    assert path.stat().st_size == 0


def test_a_header_may_be_longer_than_any_buffer(tmp_path: Path) -> None:
    """Thousands of positions in one frame are read back."""
    positions = {f"file-{n}": "x" * 100 for n in range(20_000)}
    big = a_frame("m", positions=positions)
    assert len(big) > 2_000_000
    found = recover(1, write(tmp_path, FRAMES[0] + big + FRAMES[2]))
    assert found.torn_bytes == 0
    assert found.positions.keys() == positions.keys()


def test_many_small_frames_are_scanned_in_linear_time() -> None:
    """Reading a header copies no more than the header: this takes a tenth of a second,
    and took minutes when each copied a megabyte.
    """
    data = FRAMES[0] * 50_000
    assert sum(1 for _ in scan(data)) == 50_000
    assert find_next(data, len(data) - len(FRAMES[0]) - 1) is not None


@pytest.mark.parametrize("size", [-1, -100, 10**15])
def test_a_header_that_lies_about_its_size_is_no_frame(size: int) -> None:
    header = FRAMES[0].replace(b'"bytes":16', b'"bytes":%d' % size)
    assert header != FRAMES[0]
    assert list(scan(header)) == []
