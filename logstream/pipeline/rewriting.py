"""The lenient way: an entry is read, put right and written anew, or refused.

It accepts what the fast way accepts, and all that can be understood besides.
"""

import json
import re
from typing import Any, cast

import msgspec

from logstream.core.levels import DEFAULT_LEVEL, level_of
from logstream.core.rejections import RejectReason
from logstream.core.timestamps import TimestampError, canonical
from logstream.pipeline.depth import MAX_DEPTH, is_too_deep

DEFAULT_SOURCE = "unknown"
MAX_SOURCE_CHARS = 512

_decode_any = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_MAX_DIGITS = 4300
"""Of an integer, that Python reads."""


class Refused(Exception):
    """Why an entry is not taken; `detail` is about it, without its place."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(detail)
        self.reason: RejectReason = reason
        self.detail = detail


def rewrite(row: bytes, *, max_entry_bytes: int, received: str) -> tuple[bytes, str]:
    """One entry as a canonical line, and its source.

    Args:
        received: The time stamp of an entry that has none.

    Raises:
        Refused: it cannot be put right.
    """
    if len(row) > max_entry_bytes:
        raise Refused(
            "too_large",
            f"has {len(row)} bytes, {max_entry_bytes} are allowed "
            "(intake.max_entry_bytes)",
        )
    raw = _parse(row)
    if is_too_deep(row):
        raise too_deep()
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
        raise too_deep() from None
    except (UnicodeEncodeError, msgspec.EncodeError) as error:
        raise Refused("not_utf8", f"cannot be written as UTF-8: {error}") from None


def _parse(row: bytes) -> dict[str, Any]:
    check_utf8(row)
    try:
        raw = _decode_any(row)
    except RecursionError:
        raise too_deep() from None
    except msgspec.ValidationError as error:
        raw = _decode_out_of_range(row, error)
    except msgspec.DecodeError as error:
        raise Refused("not_json", json_error(error, row)) from None
    if not isinstance(raw, dict):
        raise Refused("wrong_type", f"expected an object, got {_kind(raw)}")
    return raw


def _decode_out_of_range(row: bytes, error: msgspec.ValidationError) -> object:
    """A number beyond a double, such as 1e999, is infinite, which is answered as null:
    that is what DuckDB makes of it on the fast way. Raises Refused.
    """
    try:
        return decode_any_number(row)
    except RecursionError:
        raise too_deep() from None
    except ValueError:
        raise Refused("not_json", json_error(error, row)) from None


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
        raise Refused(
            "bad_timestamp", f"timestamp: expected text or a number, got {_kind(value)}"
        )
    try:
        return canonical(value)
    except TimestampError as error:
        raise Refused("bad_timestamp", f"timestamp: {value!r:.80} {error}") from None


def _source(value: object) -> str:
    if value is None or value == "":
        return DEFAULT_SOURCE
    if not isinstance(value, str):
        raise Refused("wrong_type", f"source: expected text, got {_kind(value)}")
    if len(value) > MAX_SOURCE_CHARS:
        raise Refused(
            "too_large", f"source: has {len(value)} characters, of {MAX_SOURCE_CHARS}"
        )
    return value


def _level(value: object) -> str:
    if value is None:
        return DEFAULT_LEVEL
    if (level := level_of(value)) is not None:
        return level
    if isinstance(value, str | int) and not isinstance(value, bool):
        raise Refused(
            "bad_level",
            f"level: {value!r:.80} is no level: use trace, debug, info, warn, error, "
            "fatal, a syslog severity from 0 to 7, or one word",
        )
    raise Refused("wrong_type", f"level: expected text, got {_kind(value)}")


def _message(raw: dict[str, Any]) -> str:
    if "message" not in raw:
        raise Refused("missing_message", "message: is missing")
    value = raw.pop("message")
    if not isinstance(value, str):
        raise Refused("wrong_type", f"message: expected text, got {_kind(value)}")
    return value


def _fields(raw: dict[str, Any]) -> dict[str, Any]:
    """`fields`, and the top-level keys that are none of ours beside them."""
    fields = raw.pop("fields", None)
    if fields is None:
        return raw
    if not isinstance(fields, dict):
        raise Refused("wrong_type", f"fields: expected an object, got {_kind(fields)}")
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


def too_deep() -> Refused:
    return Refused("too_deep", f"is nested deeper than {MAX_DEPTH} levels")


def check_utf8(body: bytes) -> None:
    if body.isascii():
        return
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise Refused(
            "not_utf8", f"is not UTF-8 ({error.reason} at byte {error.start})"
        ) from None


_AT_BYTE = re.compile(r"\(byte (\d+)\)")


def json_error(error: msgspec.DecodeError, body: bytes) -> str:
    if not body.strip():
        return "is empty, expected JSON"
    text = str(error).removeprefix("JSON is malformed: ")
    if found := _AT_BYTE.search(text):
        at = int(found[1])
        near = body[max(0, at - 10) : at + 10].decode(errors="replace")
        return f"is not JSON: {text}, near {near!r}"
    return f"is not JSON: {text}"
