"""Results: what the columns of an answer are called, and what is in them."""

from typing import Any, Literal

import msgspec

Kind = Literal["text", "integer", "number", "boolean", "time", "duration", "json"]
"""`time` is RFC 3339 text with Z, `duration` a number of seconds, `json` any value."""


class ResultColumn(msgspec.Struct, frozen=True):
    name: str
    kind: Kind


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A result of the format `table`: what the command line and pages draw."""

    columns: tuple[ResultColumn, ...]
    rows: list[list[Any]]
    truncated: bool = False
    """Whether there are more rows."""
