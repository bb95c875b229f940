"""A server, for the Python library."""

from typing import Any

import httpx
import msgspec

from logstream.client.answer import Form
from logstream.client.database import Question
from logstream.core.errors import (
    BadRequest,
    ConfigError,
    LogStreamError,
    QuerySyntaxError,
    QueryTimeout,
    ServerUnreachable,
    StorageError,
)
from logstream.core.timestamps import format_ns


class _Problem(msgspec.Struct, frozen=True, kw_only=True):
    type: str = ""
    detail: str = ""
    offset: int | None = None


class _Added(msgspec.Struct, frozen=True, kw_only=True):
    count: str


class RemotePlace:
    """Use from one thread.

    Raises:
        ConfigError: the URL is not one of HTTP.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self.where = url.rstrip("/")
        if not self.where.startswith(("http://", "https://")):
            raise ConfigError(
                f"{url!r} is no address of a server: write such as "
                "http://127.0.0.1:8000"
            )
        timeout = httpx.Timeout(10.0, read=timeout_s)
        self._client = httpx.Client(base_url=self.where, timeout=timeout)

    def ask(self, question: Question, form: Form) -> bytes:
        body: dict[str, Any] = {"limit": question.limit, "format": form}
        if question.from_ns is not None:
            body["from"] = format_ns(question.from_ns)
        if question.to_ns is not None:
            body["to"] = format_ns(question.to_ns)
        if question.is_sql:
            body |= {"sql": question.text, "params": list(question.params)}
            return self._post("/api/v1/sql", json=body)
        return self._post("/api/v1/query", json={**body, "filter": question.text})

    def add(self, lines: bytes) -> int:
        headers = {"content-type": "application/x-ndjson"}
        found = self._post("/api/v1/logs/batch", content=lines, headers=headers)
        return int(msgspec.json.decode(found, type=_Added).count)

    def close(self) -> None:
        self._client.close()

    def _post(self, path: str, **options: Any) -> bytes:
        try:
            response = self._client.post(path, **options)
        except httpx.TransportError as error:
            raise ServerUnreachable(
                f"No server answers at {self.where} ({error}): start one with "
                "`logstream serve`."
            ) from None
        if response.is_success:
            return response.content
        raise _error_of(response, self.where)


def _error_of(response: httpx.Response, where: str) -> LogStreamError:
    """The server's problem, as the error that it was."""
    try:
        problem = msgspec.json.decode(response.content, type=_Problem)
    except msgspec.MsgspecError:
        problem = _Problem()
    if not problem.type.startswith("urn:logstream:"):
        return ServerUnreachable(
            f"What answers at {where} is no LogStream server: {response.status_code}."
        )
    detail = problem.detail or f"The server answered {response.status_code}."
    if problem.offset is not None:
        return QuerySyntaxError(detail, offset=problem.offset)
    if response.status_code == 504:
        return QueryTimeout(detail)
    if response.status_code < 500 and response.status_code != 429:
        return BadRequest(detail)
    return StorageError(detail)
