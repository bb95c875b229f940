"""What `/schema` and `/docs` say of a route, declared beside its handler.

Parameters and bodies come from the structs that check them, so the documents cannot
say other than what the server does.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from logstream.core.errors import LogStreamError

Tag = Literal["Ingest", "Search", "Analyse", "Operate"]

TAGS: dict[Tag, str] = {
    "Ingest": "Send entries. A 200 means: on disk.",
    "Search": "Find entries. A query sees everything that was acked before it.",
    "Analyse": "Count entries.",
    "Operate": "How the server is, what waits, what went wrong.",
}

_KEY = "logstream.operation"


class Header(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    description: str
    example: str


class RequestBody(msgspec.Struct, frozen=True, kw_only=True):
    kind: Any
    """A struct type, or a list of one."""
    examples: Mapping[str, Any]
    """Media type → an example. Text stands for itself, all else is JSON."""
    required: bool = True


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    tag: Tag
    summary: str
    description: str = ""
    query: type[msgspec.Struct] | None = None
    path: tuple[Header, ...] = ()
    headers: tuple[Header, ...] = ()
    body: RequestBody | None = None
    answer: Any = None
    """A type; None for answers that are not JSON."""
    media_type: str = "application/json"
    example: Any = None
    status: int = 200
    linked: bool = False
    """Whether the answer has a `Link` header to the next page."""
    problems: tuple[type[LogStreamError], ...] = ()

    def as_opt(self) -> dict[str, Any]:
        """For the `opt` of a route handler."""
        return {_KEY: self}


def operation_of(opt: Mapping[str, Any]) -> Operation | None:
    """None for routes that are not ours, or not for people."""
    found: Operation | None = opt.get(_KEY)
    return found
