"""Decode: what a sender sent, to canonical NDJSON, or a reason why not.

A batch that is canonical already goes to the journal as the very bytes that came
(`canonical`); all else is put right, entry by entry (`rewriting`). Both ways accept the
same entries.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

import msgspec

from logstream.config.settings import IntakeConfig
from logstream.core.errors import EntryRejected, TooLarge
from logstream.core.rejections import RejectReason
from logstream.core.timestamps import format_ns
from logstream.pipeline.canonical import sources_of_canonical
from logstream.pipeline.rewriting import (
    Refused,
    check_utf8,
    json_error,
    rewrite,
    too_deep,
)

_decode_rows = msgspec.json.Decoder(list[msgspec.Raw]).decode
_BOM = b"\xef\xbb\xbf"


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


def decode_one(body: bytes, *, limits: IntakeConfig, received_ns: int) -> Decoded:
    """One entry, as a JSON object.

    Raises:
        EntryRejected: with index 0.
    """
    try:
        line, source = rewrite(
            body.removeprefix(_BOM),
            max_entry_bytes=limits.max_entry_bytes,
            received=format_ns(received_ns),
        )
    except Refused as refused:
        raise _rejected(0, refused) from None
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
        check_utf8(body)
        rows = _decode_rows(body)
    except Refused as refused:
        raise _rejected(0, refused) from None
    except RecursionError:
        raise _rejected(0, too_deep()) from None
    except msgspec.ValidationError:
        other = Refused("wrong_type", "expected a JSON array of entries")
        raise _rejected(0, other) from None
    except msgspec.DecodeError as error:
        malformed = Refused("not_json", json_error(error, body))
        raise _rejected(0, malformed) from None
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
    ended = chunk if chunk.endswith(b"\n") else chunk + b"\n"
    found = sources_of_canonical(ended, max_entry_bytes=limits.max_entry_bytes)
    if found is not None:
        return Decoded(payload=ended, entries=sum(found.values()), sources=found)
    return _rewrite_all(
        (line for line in chunk.split(b"\n") if line and not line.isspace()),
        limits=limits,
        received_ns=received_ns,
        partial=partial,
        first_index=first_index,
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
            line, source = rewrite(
                row, max_entry_bytes=limits.max_entry_bytes, received=received
            )
        except Refused as refused:
            if not partial:
                raise _rejected(index, refused) from None
            rejected.append(
                Rejection(index=index, reason=refused.reason, detail=refused.detail)
            )
            continue
        lines.append(line)
        sources[source] += 1
    return Decoded(
        payload=b"".join(lines),
        entries=len(lines),
        sources=sources,
        rejected=tuple(rejected),
    )


def _rejected(index: int, refused: Refused) -> EntryRejected:
    return EntryRejected(
        f"Entry {index}: {refused.detail}.", index=index, reason=refused.reason
    )
