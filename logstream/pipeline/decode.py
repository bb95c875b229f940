"""Decode: what a sender sent, to canonical NDJSON, or a reason why not.

The fast way: a batch that is canonical already (checked in C by msgspec, with no Python
per entry) goes to the journal as the very bytes that came. The lenient way, for all
else: each entry is read, put right and written anew. Both accept the same entries.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Annotated, Any, Literal, cast

import msgspec

from logstream.config.settings import IntakeConfig
from logstream.core.errors import EntryRejected, TooLarge
from logstream.core.levels import DEFAULT_LEVEL, level_of
from logstream.core.rejections import RejectReason
from logstream.core.timestamps import TimestampError, canonical, format_ns
from logstream.pipeline.depth import MAX_DEPTH, is_too_deep, too_deep_line
from logstream.pipeline.instants import all_loadable

DEFAULT_SOURCE = "unknown"
MAX_SOURCE_CHARS = 512

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


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """Why one entry of a batch is not taken."""

    index: int
    reason: RejectReason
    detail: str


class Decoded(msgspec.Struct, frozen=True, kw_only=True):
    """Entries, ready for the journal."""

    payload: bytes
    """Canonical NDJSON, a line per entry, each ended by a newline."""
    entries: int
    sources: Mapping[str, int]
    """Entries by source."""
    rejected: tuple[Rejection, ...] = ()
    """Left out; only when the sender asked for a part (`partial`)."""


_decode_fast = msgspec.json.Decoder(_Canonical).decode_lines
_decode_any = msgspec.json.Decoder().decode
_decode_rows = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_source_of = attrgetter("source")
_PART_BYTES = 131_072
"""Decoded in one go: for 0.4 ms, no other thread runs Python."""
_BOM = b"\xef\xbb\xbf"
_MAX_DIGITS = 4300
"""Of an integer, that Python reads."""


def decode_one(body: bytes, *, limits: IntakeConfig, received_ns: int) -> Decoded:
    """One entry, as a JSON object.

    Raises:
        EntryRejected: with index 0.
    """
    try:
        line, source = _rewrite(body.removeprefix(_BOM), limits, format_ns(received_ns))
    except _Refused as refused:
        raise refused.at(0) from None
    return Decoded(payload=line, entries=1, sources={source: 1})


def decode_array(
    body: bytes, *, limits: IntakeConfig, received_ns: int, partial: bool = False
) -> Decoded:
    """A JSON array of entries.

    Raises:
        EntryRejected: an entry is bad and `partial` is off; or it is no array at all.
        TooLarge: over `intake.max_array_bytes`.
    """
    if len(body) > limits.max_array_bytes:
        raise TooLarge(
            f"A JSON array may have {limits.max_array_bytes} bytes "
            "(intake.max_array_bytes): send NDJSON, which has no such limit."
        )
    body = body.removeprefix(_BOM)
    try:
        _check_utf8(body)
        rows = _decode_rows(body)
    except _Refused as refused:
        raise refused.at(0) from None
    except RecursionError:
        raise _too_deep().at(0) from None
    except msgspec.ValidationError:
        raise _Refused("wrong_type", "expected a JSON array of entries").at(0) from None
    except msgspec.DecodeError as error:
        raise _Refused("not_json", _json_error(error, body)).at(0) from None
    return _rewrite_all(
        (bytes(row) for row in rows),
        limits=limits,
        received_ns=received_ns,
        partial=partial,
        first_index=0,
    )


def decode_lines(
    chunk: bytes,
    *,
    limits: IntakeConfig,
    received_ns: int,
    partial: bool = False,
    first_index: int = 0,
) -> Decoded:
    """Whole lines of NDJSON; blank ones are passed over.

    Args:
        first_index: Of the chunk's first entry in the stream, for errors.

    Raises:
        EntryRejected: an entry is bad and `partial` is off.
    """
    if first_index == 0:
        chunk = chunk.removeprefix(_BOM)
    if (fast := _as_it_is(chunk, limits)) is not None:
        return fast
    return _rewrite_all(
        (line for line in chunk.split(b"\n") if line and not line.isspace()),
        limits=limits,
        received_ns=received_ns,
        partial=partial,
        first_index=first_index,
    )


def _as_it_is(chunk: bytes, limits: IntakeConfig) -> Decoded | None:
    """The chunk unchanged, if it is canonical. None: it has to be rewritten."""
    if not chunk.endswith(b"\n"):
        chunk += b"\n"
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
            rows = _decode_fast(part)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return None
        if not all_loadable([row.timestamp for row in rows]):
            return None
        found += len(rows)
        sources.update(map(_source_of, rows))
    if found != lines:
        return None
    if too_deep_line(chunk) or _has_line_over(chunk, limits.max_entry_bytes):
        return None
    return Decoded(payload=chunk, entries=lines, sources=sources)


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


def _rewrite_all(
    rows: Iterator[bytes],
    *,
    limits: IntakeConfig,
    received_ns: int,
    partial: bool,
    first_index: int,
) -> Decoded:
    received = format_ns(received_ns)
    lines: list[bytes] = []
    sources: Counter[str] = Counter()
    rejected: list[Rejection] = []
    for index, row in enumerate(rows, first_index):
        try:
            line, source = _rewrite(row, limits, received)
        except _Refused as refused:
            if not partial:
                raise refused.at(index) from None
            rejected.append(refused.rejection(index))
            continue
        lines.append(line)
        sources[source] += 1
    return Decoded(
        payload=b"".join(lines),
        entries=len(lines),
        sources=sources,
        rejected=tuple(rejected),
    )


def _rewrite(row: bytes, limits: IntakeConfig, received: str) -> tuple[bytes, str]:
    """One entry as a canonical line, and its source. Raises _Refused."""
    if len(row) > limits.max_entry_bytes:
        raise _Refused(
            "too_large",
            f"has {len(row)} bytes, {limits.max_entry_bytes} are allowed "
            "(intake.max_entry_bytes)",
        )
    raw = _parse(row)
    if is_too_deep(row):
        raise _too_deep()
    source = _source(raw.pop("source", None))
    entry: dict[str, Any] = {
        "timestamp": _timestamp(raw.pop("timestamp", None), received),
        "source": source,
        "level": _level(raw.pop("level", None)),
        "message": _message(raw),
    }
    if fields := _fields(raw):
        entry["fields"] = fields
    try:
        return _encode(entry) + b"\n", source
    except RecursionError:
        raise _too_deep() from None
    except (UnicodeEncodeError, msgspec.EncodeError) as error:
        raise _Refused("not_utf8", f"cannot be written as UTF-8: {error}") from None


def _parse(row: bytes) -> dict[str, Any]:
    _check_utf8(row)
    try:
        raw = _decode_any(row)
    except RecursionError:
        raise _too_deep() from None
    except msgspec.ValidationError as error:
        raw = _decode_out_of_range(row, error)
    except msgspec.DecodeError as error:
        raise _Refused("not_json", _json_error(error, row)) from None
    if not isinstance(raw, dict):
        raise _Refused("wrong_type", f"expected an object, got {_kind(raw)}")
    return raw


def _decode_out_of_range(row: bytes, error: msgspec.ValidationError) -> object:
    """A number beyond a double, such as 1e999, is infinite, which is answered as null:
    that is what DuckDB makes of it on the fast way. Raises _Refused.
    """
    try:
        return decode_any_number(row)
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise _Refused("not_json", _json_error(error, row)) from None


def decode_any_number(text: bytes) -> object:
    """JSON with numbers of any size. Raises ValueError, RecursionError."""
    return json.loads(text, parse_int=_int, parse_constant=_refuse_constant)


def _int(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_DIGITS else float(digits)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _timestamp(value: object, received: str) -> str:
    if value is None or value == "":
        return received
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _Refused(
            "bad_timestamp", f"timestamp: expected text or a number, got {_kind(value)}"
        )
    try:
        return canonical(value)
    except TimestampError as error:
        raise _Refused("bad_timestamp", f"timestamp: {value!r:.80} {error}") from None


def _source(value: object) -> str:
    if value is None or value == "":
        return DEFAULT_SOURCE
    if not isinstance(value, str):
        raise _Refused("wrong_type", f"source: expected text, got {_kind(value)}")
    if len(value) > MAX_SOURCE_CHARS:
        raise _Refused(
            "too_large", f"source: has {len(value)} characters, of {MAX_SOURCE_CHARS}"
        )
    return value


def _level(value: object) -> str:
    if value is None:
        return DEFAULT_LEVEL
    if (level := level_of(value)) is not None:
        return level
    if isinstance(value, str | int) and not isinstance(value, bool):
        raise _Refused(
            "bad_level",
            f"level: {value!r:.80} is no level: use trace, debug, info, warn, error, "
            "fatal, a syslog severity from 0 to 7, or one word",
        )
    raise _Refused("wrong_type", f"level: expected text, got {_kind(value)}")


def _message(raw: dict[str, Any]) -> str:
    if "message" not in raw:
        raise _Refused("missing_message", "message: is missing")
    value = raw.pop("message")
    if not isinstance(value, str):
        raise _Refused("wrong_type", f"message: expected text, got {_kind(value)}")
    return value


def _fields(raw: dict[str, Any]) -> dict[str, Any]:
    """`fields`, and the top-level keys that are none of ours beside them."""
    fields = raw.pop("fields", None)
    if fields is None:
        return raw
    if not isinstance(fields, dict):
        raise _Refused("wrong_type", f"fields: expected an object, got {_kind(fields)}")
    for key, value in raw.items():
        name = key
        while name in fields:
            name += "_"
        fields[name] = value
    return cast("dict[str, Any]", fields)


_KINDS: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


def _kind(value: object) -> str:
    return _KINDS.get(type(value), type(value).__name__)


class _Refused(Exception):
    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(detail)
        self.reason: RejectReason = reason
        self.detail = detail

    def at(self, index: int) -> EntryRejected:
        return EntryRejected(
            f"Entry {index}: {self.detail}.", index=index, reason=self.reason
        )

    def rejection(self, index: int) -> Rejection:
        return Rejection(index=index, reason=self.reason, detail=self.detail)


def _too_deep() -> _Refused:
    return _Refused("too_deep", f"is nested deeper than {MAX_DEPTH} levels")


def _check_utf8(body: bytes) -> None:
    if body.isascii():
        return
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise _Refused(
            "not_utf8", f"is not UTF-8 ({error.reason} at byte {error.start})"
        ) from None


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


_AT_BYTE = re.compile(r"\(byte (\d+)\)")


def _json_error(error: msgspec.DecodeError, body: bytes) -> str:
    if not body.strip():
        return "is empty, expected JSON"
    text = str(error).removeprefix("JSON is malformed: ")
    if found := _AT_BYTE.search(text):
        at = int(found[1])
        near = body[max(0, at - 10) : at + 10].decode(errors="replace")
        return f"is not JSON: {text}, near {near!r}"
    return f"is not JSON: {text}"
