"""The commands' questions, asked of a running server over its REST API."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, Self, TypeVar

import httpx
import msgspec

from logstream.cli.backend import (
    Failed,
    FileFormat,
    Found,
    Gone,
    Named,
    Policy,
    Retained,
    Saved,
    Search,
    Sql,
    Stored,
    Totals,
)
from logstream.cli.http_bodies import saved_path, search_body, span, sql_body
from logstream.cli.http_parts import copy_parts
from logstream.client.problems import error_of
from logstream.client.reaching import base_url, reached
from logstream.core.errors import BadRequest, ServerUnreachable
from logstream.core.findings import Report
from logstream.core.results import Table

PAGE_ENTRIES = 1_000
"""Asked for at a time: of a day of 320 000 entries 11 µs CPU each, 134 with 5 000."""

_TIMEOUT = httpx.Timeout(10.0, read=120.0)
"""A query is stopped by the server, by default after 30 s."""
_SPARE_S = 90.0
"""For what comes behind a query that was given more time."""

_LONG = httpx.Timeout(10.0, read=3600.0)
"""For what works on the whole store."""

T = TypeVar("T")


class _Removed(msgspec.Struct, frozen=True, kw_only=True):
    removed: Named


class _Frequency(msgspec.Struct, frozen=True, kw_only=True):
    frequency: dict[str, int]


class _DeadLetters(msgspec.Struct, frozen=True, kw_only=True):
    dead_letters: list[Failed]


class _Replayed(msgspec.Struct, frozen=True, kw_only=True):
    count: str


class HttpBackend:
    """Use as a context manager, from one thread.

    Args:
        url: Such as `http://127.0.0.1:8000`.

    Raises:
        ConfigError: the URL is not one of HTTP.
    """

    def __init__(self, url: str) -> None:
        self.where = base_url(url)
        self.left_out: set[str] = set()
        """Days that answers lack, since the server cannot read them."""
        self.stuck_entries = 0
        """That answers lack, since the server cannot store them just now."""
        self._client = httpx.Client(
            base_url=self.where,
            timeout=_TIMEOUT,
            event_hooks={"response": [self._note_left_out]},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def search(self, search: Search) -> Iterator[Found]:
        left = search.limit or None
        page_entries: int | None = PAGE_ENTRIES
        body = search_body(search)
        cursor: dict[str, str] = {}
        while True:
            if page_entries is not None:
                asked = page_entries if left is None else min(left, page_entries)
                body["limit"] = asked
            try:
                response = self._ask("/api/v1/query", body, params=cursor)
            except BadRequest as error:
                if page_entries is None or "query.max_limit" not in str(error):
                    raise
                # A server that is set to give less: take its own page size.
                page_entries = None
                body.pop("limit")
                continue
            found = _decode(response, list[Found])[:left]
            yield from found
            if left is not None:
                left -= len(found)
            cursor = _next_page(response)
            if not cursor or left == 0:
                return

    def table(self, search: Search) -> Table:
        body = search_body(search) | {"format": "table"}
        if search.limit:
            body["limit"] = search.limit
        return _decode(self._ask("/api/v1/query", body), Table)

    def explain(self, search: Search) -> dict[str, Any]:
        body = search_body(search) | {"explain": True}
        response = self._ask("/api/v1/query", body)
        return _decode(response, dict[str, Any])

    def write(
        self, search: Search, how: FileFormat, sink: Callable[[bytes], None]
    ) -> None:
        body = search_body(search) | {"format": how, "limit": search.limit}
        self._stream("/api/v1/query", body, sink, in_lines=how == "ndjson")

    def sql(self, asked: Sql) -> Table:
        response = self._ask("/api/v1/sql", sql_body(asked, "table"))
        table = _decode(response, Table)
        return msgspec.structs.replace(table, truncated=_is_truncated(response))

    def sql_tables(self) -> list[str]:
        return _decode(self._call("GET", "/api/v1/sql/tables"), list[str])

    def write_sql(
        self, asked: Sql, how: FileFormat, sink: Callable[[bytes], None]
    ) -> bool:
        response = self._ask("/api/v1/sql", sql_body(asked, how))
        sink(response.content)
        return _is_truncated(response)

    def totals(self) -> Totals:
        return _decode(self._call("GET", "/api/v1/logs/stats"), Totals)

    def sources(self) -> list[str]:
        return _decode(self._call("GET", "/api/v1/logs/sources"), list[str])

    def frequency(
        self, *, group_by: str, text: str, from_ns: int | None, to_ns: int | None
    ) -> dict[str, int]:
        analysis: dict[str, Any] = {
            "type": "frequency",
            "time_range": span(from_ns, to_ns),
            "group_by": group_by,
        }
        if text:
            analysis["filter"] = text
        body = {"analysis": analysis}
        response = self._call("POST", "/api/v1/query/analyze", json=body)
        return _decode(response, _Frequency).frequency

    def dead_letters(self, *, limit: int) -> list[Failed]:
        response = self._call("GET", "/api/v1/dead-letters", params={"limit": limit})
        return _decode(response, _DeadLetters).dead_letters

    def replay(self, ids: Sequence[str] | None) -> int:
        body = {"all": True} if ids is None else {"ids": list(ids)}
        response = self._call("POST", "/api/v1/dead-letters/replay", json=body)
        return int(_decode(response, _Replayed).count)

    def storage(self) -> Stored:
        return _decode(self._call("GET", "/api/v1/storage"), Stored)

    def delete(
        self, *, text: str, from_ns: int | None, to_ns: int | None, dry_run: bool
    ) -> Gone:
        asked = {"filter": text} if text.strip() else {"all": "true"}
        asked |= span(from_ns, to_ns)
        asked |= {"dry_run": "true"} if dry_run else {}
        answer = self._call("DELETE", "/api/v1/logs", params=asked, timeout=_LONG)
        return _decode(answer, Gone)

    def retention(self) -> Retained:
        return _decode(self._call("GET", "/api/v1/retention"), Retained)

    def set_retention(self, policy: Policy | None) -> Retained:
        if policy is None:
            return _decode(self._call("DELETE", "/api/v1/retention"), Retained)
        body = msgspec.to_builtins(policy)
        return _decode(self._call("PUT", "/api/v1/retention", json=body), Retained)

    def saved(self) -> list[Named]:
        return _decode(self._call("GET", "/api/v1/saved"), list[Named])

    def saved_one(self, name: str) -> Named:
        return _decode(self._call("GET", saved_path(name)), Named)

    def save(self, name: str, query: str, *, description: str, replace: bool) -> Named:
        body = {
            "name": name,
            "query": query,
            "description": description,
            "replace": replace,
        }
        return _decode(self._call("POST", "/api/v1/saved", json=body), Named)

    def unsave(self, name: str) -> Named:
        answer = self._call("DELETE", saved_path(name))
        return _decode(answer, _Removed).removed

    def backup(self, folder: str) -> Saved:
        body = {"to": folder}
        answer = self._call("POST", "/api/v1/backup", json=body, timeout=_LONG)
        return _decode(answer, Saved)

    def verify(self) -> Report:
        return _decode(self._call("POST", "/api/v1/verify", timeout=_LONG), Report)

    def _note_left_out(self, response: httpx.Response) -> None:
        days = response.headers.get("logstream-left-out", "")
        self.left_out.update(filter(None, days.split(", ")))
        stuck = response.headers.get("logstream-stuck-entries", "0")
        self.stuck_entries = max(self.stuck_entries, int(stuck))

    def _ask(self, path: str, body: dict[str, Any], **more: Any) -> httpx.Response:
        return self._call("POST", path, json=body, timeout=_patience(body), **more)

    def _call(self, method: str, path: str, **more: Any) -> httpx.Response:
        with reached(self.where):
            response = self._client.request(method, path, **more)
        if response.is_success:
            return response
        raise error_of(response, self.where)

    def _stream(
        self, path: str, body: Any, sink: Callable[[bytes], None], *, in_lines: bool
    ) -> None:
        request = self._client.build_request(
            "POST", path, json=body, timeout=_patience(body)
        )
        with reached(self.where):
            response = self._client.send(request, stream=True)
        with closing(response):
            if not response.is_success:
                response.read()
                raise error_of(response, self.where)
            copy_parts(response, sink, where=self.where, in_lines=in_lines)


def answers(url: str, *, timeout_s: float = 2.0) -> bool:
    """Whether a LogStream server answers there, soon."""
    try:
        response = httpx.get(f"{url.rstrip('/')}/api/v1/health", timeout=timeout_s)
    except httpx.HTTPError:
        return False
    return response.is_success and b'"version"' in response.content


def _patience(body: dict[str, Any]) -> httpx.Timeout:
    wanted = body.get("timeout_s")
    if wanted is None:
        return _TIMEOUT
    return httpx.Timeout(10.0, read=max(120.0, wanted + _SPARE_S))


def _is_truncated(response: httpx.Response) -> bool:
    return bool(response.headers.get("LogStream-Truncated") == "true")


def _next_page(response: httpx.Response) -> dict[str, str]:
    """What the link to the next page adds to the URL; empty at the end."""
    link = response.links.get("next")
    return dict(httpx.URL(link["url"]).params) if link else {}


def _decode(response: httpx.Response, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(response.content, type=kind)
    except msgspec.MsgspecError as error:
        raise ServerUnreachable(
            f"{response.url} does not answer as LogStream does: {error}"
        ) from None
