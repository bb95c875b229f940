"""A server, for the Python library."""

from typing import Any

import httpx
import msgspec

from logstream.client.answer import Form
from logstream.client.database import Question
from logstream.client.incomplete import warn_if_incomplete
from logstream.client.problems import error_of
from logstream.client.reaching import base_url, reached
from logstream.core.timestamps import format_ns


class _Added(msgspec.Struct, frozen=True, kw_only=True):
    count: str


class RemotePlace:
    """Use from one thread.

    Raises:
        ConfigError: the URL is not one of HTTP.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self.where = base_url(url)
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
        with reached(self.where):
            response = self._client.post(path, **options)
        if response.is_success:
            days = response.headers.get("logstream-left-out", "")
            stuck = response.headers.get("logstream-stuck-entries", "0")
            warn_if_incomplete(filter(None, days.split(", ")), int(stuck))
            return response.content
        raise error_of(response, self.where)
