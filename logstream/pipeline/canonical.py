"""The fast way: a batch that is canonical already goes on as the very bytes that came.

It is checked in C by msgspec, with no Python per entry.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Annotated, Literal

import msgspec

from logstream.pipeline.depth import too_deep_line
from logstream.pipeline.instants import all_loadable
from logstream.pipeline.rewriting import DEFAULT_SOURCE, MAX_SOURCE_CHARS

# fmt: off
_FastLevel = Literal[
    "trace", "debug", "info", "warn", "warning", "error", "fatal",
    "TRACE", "DEBUG", "INFO", "WARN", "WARNING", "ERROR", "FATAL",
    "Trace", "Debug", "Info", "Warn", "Warning", "Error", "Fatal",
]
# fmt: on


class _AnyObject(msgspec.Struct, gc=False):
    """Matches any JSON object: msgspec walks over its content in C."""


class _Canonical(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    timestamp: datetime
    message: str
    source: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_SOURCE_CHARS)] = (
        DEFAULT_SOURCE
    )
    level: _FastLevel = "info"
    fields: _AnyObject | None = None


_decode = msgspec.json.Decoder(_Canonical).decode_lines
_source_of = attrgetter("source")
_PART_BYTES = 131_072
"""Decoded in one go: for 0.4 ms, no other thread runs Python."""


def sources_of_canonical(
    chunk: bytes, *, max_entry_bytes: int
) -> Mapping[str, int] | None:
    """Entries by source of whole lines, the last one ended too, if all are canonical;
    None: they have to be rewritten.
    """
    lines = chunk.count(b"\n")
    # Every newline stands between two entries: no other place has "}\n{" in it.
    if chunk.count(b"}\n{") != lines - 1:
        return None
    if not (chunk.isascii() or _is_utf8(chunk)):
        return None
    sources: Counter[str] = Counter()
    found = 0
    for part in _parts(chunk):
        try:
            rows = _decode(part)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return None
        if not all_loadable([row.timestamp for row in rows]):
            return None
        found += len(rows)
        sources.update(map(_source_of, rows))
    if found != lines:
        return None
    if too_deep_line(chunk) or _has_line_over(chunk, max_entry_bytes):
        return None
    return sources


def _parts(chunk: bytes) -> Iterator[memoryview]:
    """Whole lines, of `_PART_BYTES` or one line."""
    view = memoryview(chunk)
    at = 0
    while at < len(chunk):
        end = chunk.find(b"\n", at + _PART_BYTES)
        end = len(chunk) if end < 0 else end + 1
        yield view[at:end]
        at = end


def _has_line_over(chunk: bytes, limit: int) -> bool:
    """Whether a line may be longer: a window of half the limit has no newline."""
    if len(chunk) <= limit:
        return False
    window = limit // 2
    return any(
        chunk.find(b"\n", at, at + window) < 0
        for at in range(0, len(chunk) - window, window)
    )


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
