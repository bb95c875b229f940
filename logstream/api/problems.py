"""Errors as answers: one place that turns any exception into RFC 9457 problem JSON.

`type` is `urn:logstream:<code>`, from a closed set, so a client can switch on it.
What a sender can act on is told in `detail`; what is ours to mend is logged, once,
and answered with a sentence that names nothing inside.
"""

import logging
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from logstream.api.encodings import CODINGS
from logstream.api.errors import BodyCutOff, MethodNotAllowed
from logstream.core.errors import (
    BadRequest,
    DiskFull,
    EntryRejected,
    LogStreamError,
    NotFound,
    NotReady,
    Overloaded,
    QueryCancelled,
    QueryMemory,
    QuerySyntaxError,
    QueryTimeout,
    TooManyQueries,
    UnknownEncoding,
    UnreadableDays,
)

MEDIA_TYPE = "application/problem+json"

TITLES = {
    "internal": "The server could not complete this",
    "config": "The server is not configured for this",
    "plugin": "A plugin failed",
    "server_unreachable": "Another server does not answer",
    "bad_request": "The request cannot be used",
    "query_syntax": "The query does not parse",
    "entry_rejected": "An entry cannot be stored",
    "already_there": "The name is taken",
    "too_large": "The request is too large",
    "unknown_encoding": "The Content-Encoding is not known",
    "unsupported_media_type": "The Content-Type is not taken here",
    "not_acceptable": "The answer cannot be written as Accept asks",
    "method_not_allowed": "The path does not take this method",
    "body_timeout": "The body did not arrive in time",
    "body_cut_off": "The body was cut off",
    "idempotency_mismatch": "The Idempotency-Key belongs to another request",
    "idempotency_in_use": "The Idempotency-Key is in use",
    "not_found": "Not found",
    "overloaded": "The intake is full",
    "not_ready": "The server is not ready",
    "storage": "The store is not available",
    "disk_full": "The disk is full",
    "folder_in_use": "The data folder is in use",
    "query_timeout": "The query took too long",
    "query_memory": "The query needs too much memory",
    "query_cancelled": "The query was given up",
    "too_many_queries": "Too many queries wait",
    "unreadable_days": "Some days cannot be read",
    "store_failed": "The server has to be started again",
    "storage_corrupt": "A part of the store is damaged",
}
"""One line per code. Titles do not vary with the request; `detail` does."""

_TELLS = (
    *(BadRequest, NotFound, Overloaded, NotReady, DiskFull),
    *(QueryTimeout, QueryMemory, QueryCancelled, TooManyQueries),
    UnreadableDays,
)
"""Errors whose text is for the caller. The text of others may name files."""

_RETRY_AFTER_S: dict[type[LogStreamError], int] = {DiskFull: 30, NotReady: 2}

_HIDDEN = "The server could not complete this. Its log says why."

_log = logging.getLogger("logstream.api")


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every answer that is not 2xx or 3xx (RFC 9457)."""

    type: str
    """`urn:logstream:<code>`."""
    status: int
    title: str
    detail: str
    index: int | None = None
    """Of the entry in the batch, from 0."""
    reason: str | None = None
    """Why an entry was refused, or why the server is not ready."""
    offset: int | None = None
    """Into the query text, in characters from 0."""


class Unready(NotReady):
    """Not ready, with the reason from the engine's closed set."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def on_exception(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Litestar's handler for whatever a route, or the routing, raises."""
    if isinstance(error, LogStreamError):
        known, headers = error, _headers(error)
    elif isinstance(error, HTTPException):
        known, headers = _of_framework(request, error), dict(error.headers or {})
    else:
        known, headers = LogStreamError(""), {}
    if known.http_status >= 500 and not isinstance(known, _TELLS):
        _log.error(
            "A request failed: %s %s",
            request.method,
            request.scope["path"],
            exc_info=error,
        )
    return Response(
        msgspec.json.encode(problem_of(known)),
        status_code=known.http_status,
        media_type=MEDIA_TYPE,
        headers=headers,
    )


def problem_of(error: LogStreamError) -> Problem:
    return Problem(
        type=f"urn:logstream:{error.code}",
        status=error.http_status,
        title=TITLES[error.code],
        detail=str(error) if isinstance(error, _TELLS) else _HIDDEN,
        index=error.index if isinstance(error, EntryRejected) else None,
        reason=error.reason if isinstance(error, EntryRejected | Unready) else None,
        offset=error.offset if isinstance(error, QuerySyntaxError) else None,
    )


def _headers(error: LogStreamError) -> dict[str, str]:
    headers: dict[str, str] = {}
    if isinstance(error, UnknownEncoding):
        headers["Accept-Encoding"] = ", ".join(CODINGS)
    if isinstance(error, BodyCutOff):
        headers["Connection"] = "close"
    if error.retryable:
        wait_s = next(
            (s for kind, s in _RETRY_AFTER_S.items() if isinstance(error, kind)), 1
        )
        headers["Retry-After"] = str(wait_s)
    return headers


def _of_framework(
    request: Request[Any, Any, Any], error: HTTPException
) -> LogStreamError:
    """Litestar's own errors: routing, and what plugins' handlers raise."""
    path = request.scope["path"]
    if error.status_code == HTTPStatus.NOT_FOUND:
        return NotFound(f"There is nothing at {path!r}: /docs lists what there is.")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return MethodNotAllowed(f"{path!r} does not take {request.method}.")
    known: LogStreamError
    known = BadRequest(error.detail) if error.status_code < 500 else LogStreamError()
    known.http_status = error.status_code
    return known
