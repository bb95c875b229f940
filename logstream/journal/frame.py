"""A frame: what one fsync covers, as NDJSON that a loader can read as it stands.

A segment file is a row of frames. A frame is a header line and, after it, `bytes`
bytes of canonical NDJSON, `lines` lines of it:

    {"_frame":{"crc":"9ae0daaf","bytes":8192,"lines":31,"positions":{…}}}
    {"timestamp":"2026-11-20T10:00:00Z","source":"auth",…}

The checksum covers all that follows it, in the header too. The header is a JSON object
with none of an entry's keys, so a reader of NDJSON sees it as a row of nulls and drops
it; no entry can look like one, since canonical entries have no other top-level keys.
"""

import mmap
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any
from zlib import crc32

import msgspec

from logstream.journal.answers import Answer

_PREFIX = b'{"_frame":{"crc":"'
_CRC_END = len(_PREFIX) + 8


class Header(msgspec.Struct, frozen=True, kw_only=True):
    bytes: int
    lines: int
    positions: dict[str, tuple[int, Any]] = {}
    """Of collectors' inputs, stored with the entries: see `plugins.contracts.Sink`.
    Stamped: see `journal.positions`."""
    answers: dict[str, Answer] = {}
    """To requests with a key, by it: see `journal.answers`."""


class _Line(msgspec.Struct):
    frame: Header = msgspec.field(name="_frame")


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One that was found whole in a segment; offsets are in bytes of the file."""

    start: int
    payload_start: int
    end: int
    header: Header


Mapped = bytes | mmap.mmap
"""A segment's content: both have `find`, and slices that copy no more than they say."""

_decode_line = msgspec.json.Decoder(_Line).decode
_encode = msgspec.json.Encoder().encode


def is_header(line: bytes) -> bool:
    return line.startswith(_PREFIX)


def encode_header(
    payload: list[bytes],
    *,
    lines: int,
    positions: Mapping[str, Any],
    answers: Mapping[str, Answer] = MappingProxyType({}),
) -> bytes:
    """The header line of a frame whose payload is these pieces, in order."""
    header: dict[str, Any] = {"bytes": sum(map(len, payload)), "lines": lines}
    if positions:
        header["positions"] = positions
    if answers:
        header["answers"] = dict(answers)
    rest = b'",' + _encode(header)[1:] + b"}\n"
    crc = crc32(rest)
    for piece in payload:
        crc = crc32(piece, crc)
    return b"%s%08x%s" % (_PREFIX, crc, rest)


def scan(data: Mapped, start: int = 0) -> Iterator[Frame]:
    """The whole frames from `start` on; ends before the first that is not."""
    at = start
    while (frame := frame_at(data, at)) is not None:
        yield frame
        at = frame.end


def frame_at(data: Mapped, at: int) -> Frame | None:
    """The frame that begins at byte `at`; None when none does, or not a whole one."""
    if data[at : at + len(_PREFIX)] != _PREFIX:
        return None
    newline = data.find(b"\n", at + _CRC_END)
    if newline < 0:
        return None
    head = data[at : newline + 1]
    try:
        header = _decode_line(head).frame
        crc = int(head[len(_PREFIX) : _CRC_END], 16)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    end = newline + 1 + header.bytes
    if header.bytes < 0 or end > len(data):
        return None
    with memoryview(data) as view, view[newline + 1 : end] as payload:
        found = crc32(payload, crc32(head[_CRC_END:]))
    if found != crc:
        return None
    return Frame(start=at, payload_start=newline + 1, end=end, header=header)


def find_next(data: Mapped, after: int) -> Frame | None:
    """The first whole frame that begins behind byte `after`: to go on past damage.

    Not only behind a newline: that may be the very byte that is damaged. Within an
    entry nothing passes for a frame, since its line goes on behind the header.
    """
    at = data.find(_PREFIX, after + 1)
    while at >= 0:
        if (frame := frame_at(data, at)) is not None:
            return frame
        at = data.find(_PREFIX, at + 1)
    return None
