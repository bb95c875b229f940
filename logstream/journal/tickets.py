"""Tickets: what requests hand to the journal, and which of them share a frame."""

from collections.abc import Mapping
from typing import Any

import msgspec

from logstream.core.errors import BadRequest
from logstream.journal.answers import Answer
from logstream.journal.segment import MAX_LINES

_MAX_GROUP_BYTES = 16 * 1_048_576
_encode = msgspec.json.Encoder().encode


class Ticket(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request's entries on their way to the disk."""

    payload: bytes
    """Canonical NDJSON."""
    lines: int
    positions: Mapping[str, Any] = {}
    answers: Mapping[str, Answer] = {}
    done: Any
    """The caller's own, handed back with `on_group`."""


def take_group(waiting: list[Ticket]) -> tuple[list[Ticket], list[Ticket]]:
    """As many as share one frame: at least one, then up to the limits of a frame."""
    size = lines = 0
    for count, ticket in enumerate(waiting):
        size += len(ticket.payload)
        lines += ticket.lines
        if count and (size > _MAX_GROUP_BYTES or lines >= MAX_LINES):
            return waiting[:count], waiting[count:]
    return waiting, []


def check_positions(positions: Mapping[str, Any]) -> None:
    """Raises BadRequest, to the one whose they are: a group shares its frame."""
    try:
        _encode(positions)
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise BadRequest(f"A position cannot be stored: {error}.") from None
