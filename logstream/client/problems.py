"""A server's answer that is no success, as the error that it was over there."""

import httpx
import msgspec

from logstream.core.errors import (
    AlreadyThere,
    BadRequest,
    DiskFull,
    LogStreamError,
    NotFound,
    NotReady,
    QueryCancelled,
    QueryMemory,
    QuerySyntaxError,
    QueryTimeout,
    ServerUnreachable,
    StorageCorrupt,
    StorageError,
    StoreFailed,
    TooLarge,
    TooManyQueries,
    UnknownEncoding,
)

_URN = "urn:logstream:"

_KINDS: dict[str, type[LogStreamError]] = {
    kind.code: kind
    for kind in (
        *(AlreadyThere, TooLarge, UnknownEncoding, NotFound, NotReady, TooManyQueries),
        *(StorageError, DiskFull, QueryTimeout, QueryMemory, QueryCancelled),
        *(StoreFailed, StorageCorrupt),
    )
}
"""Of those that are made of their text alone."""


_LINE = b'{"error":{"type":"urn:logstream:'
"""How the last line of NDJSON begins that could not be gone on with."""


class _Problem(msgspec.Struct, frozen=True, kw_only=True):
    type: str = ""
    detail: str = ""
    status: int = 0
    offset: int | None = None


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    error: _Problem


def error_of(response: httpx.Response, where: str) -> LogStreamError:
    """The error to raise.

    Args:
        response: No success, and read.
        where: The server, for people.
    """
    status = response.status_code
    try:
        problem = msgspec.json.decode(response.content, type=_Problem)
    except msgspec.MsgspecError:
        problem = _Problem()
    if not problem.type.startswith(_URN):
        return ServerUnreachable(
            f"What answers at {where} is no LogStream server: {status} "
            f"{response.reason_phrase}."
        )
    return _made_of(problem, status, where)


def error_of_line(line: bytes, where: str) -> LogStreamError | None:
    """What the last line of NDJSON says that went wrong; None: it is a row."""
    if not line.startswith(_LINE):
        return None
    try:
        problem = msgspec.json.decode(line, type=_Line).error
    except msgspec.MsgspecError:
        return None
    return _made_of(problem, problem.status, where)


def _made_of(problem: _Problem, status: int, where: str) -> LogStreamError:
    detail = problem.detail or f"The server answered {status}."
    if problem.offset is not None:
        return QuerySyntaxError(detail, offset=problem.offset)
    kind = _KINDS.get(problem.type.removeprefix(_URN))
    if kind is not None:
        return kind(detail)
    if status < 500 and status != 429:
        return BadRequest(detail)
    return LogStreamError(f"{where}: {detail}")
