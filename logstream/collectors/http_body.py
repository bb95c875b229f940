"""A body to lines, one per entry: JSON, NDJSON or plain lines.

Told by the format in the config, else by the Content-Type, else by how it looks. Each
record of JSON becomes one line of compact JSON, which the parser then reads.
"""

import contextlib
from typing import Literal

import msgspec

Format = Literal["auto", "json", "ndjson", "lines"]

_NDJSON = frozenset(
    f"application/{name}"
    for name in ("x-ndjson", "ndjson", "jsonl", "x-jsonl", "jsonlines", "x-jsonlines")
)
ARRAY_KEYS = (
    *("entries", "logs", "items", "data", "results", "records", "events", "messages"),
)
"""Where an object is looked into for its entries, in this order."""

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_array = msgspec.json.Decoder(list[msgspec.Raw])
_string = msgspec.json.Decoder(str)


class BodyError(ValueError):
    """The body is not what its format says; says why."""


def records_of(
    body: bytes, *, kind: Format, content_type: str, path: str | None
) -> list[bytes]:
    """The records of a body, without what is empty.

    Args:
        path: Dotted, to the array in the JSON; None: found by itself.

    Raises:
        BodyError: it is no JSON though it should be, or has no array there.
    """
    body = body.removeprefix(b"\xef\xbb\xbf")
    media, _, parameters = content_type.lower().partition(";")
    media = media.strip()
    if not body.strip():
        return []
    if kind == "json" or path is not None:
        return _json(body, path)
    if kind == "ndjson" or (kind == "auto" and media in _NDJSON):
        return _lines(body, "utf-8")
    says_json = media.endswith(("/json", "+json"))
    if kind == "auto" and (says_json or body.lstrip()[:1] in {b"[", b"{"}):
        try:
            return _json(body, None)
        except BodyError:
            # More than one value is NDJSON; and a line of a log may begin with `[`.
            if says_json and not _begins_with_a_record(body):
                raise
    return _lines(body, _charset(parameters))


def _begins_with_a_record(body: bytes) -> bool:
    first, newline, _ = body.strip().partition(b"\n")
    return bool(newline) and _as_object(msgspec.Raw(first)) is not None


def _lines(body: bytes, charset: str) -> list[bytes]:
    if charset not in {"utf-8", "utf8", "us-ascii", "ascii"}:
        # In an unknown one, what is not UTF-8 is marked as such.
        with contextlib.suppress(LookupError, ValueError):
            body = body.decode(charset, "replace").encode("utf-8", "replace")
    return [line for raw in body.split(b"\n") if (line := raw.removesuffix(b"\r"))]


def _charset(parameters: str) -> str:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "charset":
            return value.strip().strip('"')
    return "utf-8"


def _json(body: bytes, path: str | None) -> list[bytes]:
    found = [_record(raw) for raw in _array_in(body, path)]
    return [record for record in found if record.strip() not in {b"", b"null"}]


def _array_in(body: bytes, path: str | None) -> list[msgspec.Raw]:
    value = msgspec.Raw(body)
    for key in path.split(".") if path else ():
        inner = _as_object(value)
        if inner is None or key not in inner:
            raise BodyError(f"there is no {path!r} in the JSON")
        value = inner[key]
    array = _as_array(value)
    if array is not None:
        return array
    if path is not None:
        raise BodyError(f"{path!r} is no array")
    record = _as_object(value)
    if record is None:
        raise BodyError("the body is no JSON array or object")
    for key in ARRAY_KEYS:
        if key in record and (array := _as_array(record[key])) is not None:
            return array
    return [value]


def _as_object(raw: msgspec.Raw) -> dict[str, msgspec.Raw] | None:
    try:
        return _object.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None


def _as_array(raw: msgspec.Raw) -> list[msgspec.Raw] | None:
    try:
        return _array.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None


def _record(raw: msgspec.Raw) -> bytes:
    data = bytes(raw)
    if data[:1] == b'"':
        return _string.decode(data).encode()
    try:
        return msgspec.json.format(data, indent=-1)
    except (msgspec.DecodeError, RecursionError):
        return data
