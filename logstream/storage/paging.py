"""Cursors: where the next page begins, as opaque text.

By time a cursor is the last row's key, so a page neither repeats nor skips an entry
however many arrive meanwhile. By another column it is a row count: entries that arrive
between two pages may shift it.
"""

import base64
import binascii
from typing import Literal
from zlib import crc32

import msgspec

from logstream.core.errors import BadRequest
from logstream.storage.selection import Selection


class Cursor(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    query: int
    """Checksum of the selection and order that it belongs to."""
    kind: Literal["key", "offset"]
    timestamp_ns: int = 0
    id: int = 0
    offset: int = 0


_decoder = msgspec.json.Decoder(Cursor)


def query_checksum(selection: Selection, sort_by: str, *, descending: bool) -> int:
    return crc32(repr((selection, sort_by, descending)).encode("utf-8", "replace"))


def encode_cursor(cursor: Cursor) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def decode_cursor(text: str, *, query: int) -> Cursor:
    """Raises BadRequest: it is not one of ours, or of another query."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        cursor = _decoder.decode(raw)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise BadRequest("The cursor is not one that this server gave.") from None
    if cursor.query != query:
        raise BadRequest(
            "The cursor belongs to another query: repeat that one with it."
        )
    numbers = (cursor.timestamp_ns, cursor.id)
    if not (0 <= cursor.offset < 2**53 and all(abs(n) < 2**63 for n in numbers)):
        raise BadRequest("The cursor is not one that this server gave.")
    return cursor
