"""The commands' questions as what the REST API is sent."""

from typing import Any
from urllib.parse import quote

from logstream.cli.backend import Search, Sql
from logstream.core.timestamps import format_ns
from logstream.storage.saved_queries import check_name


def search_body(search: Search) -> dict[str, Any]:
    body: dict[str, Any] = {
        "sort_by": search.sort_by,
        "sort_order": "desc" if search.descending else "asc",
        **span(search.from_ns, search.to_ns),
    }
    if search.text:
        body["filter"] = search.text
    if search.levels:
        body["levels"] = list(search.levels)
    if search.sources:
        body["source"] = list(search.sources)
    if search.ids:
        body["ids"] = True
    if search.timeout_s is not None:
        body["timeout_s"] = search.timeout_s
    return body


def sql_body(asked: Sql, how: str) -> dict[str, Any]:
    body = {"sql": asked.text, "format": how, **span(asked.from_ns, asked.to_ns)}
    more = {"limit": asked.limit, "timeout_s": asked.timeout_s}
    return body | {key: value for key, value in more.items() if value is not None}


def saved_path(name: str) -> str:
    """Raises BadRequest: it would be another path."""
    check_name(name)
    return f"/api/v1/saved/{quote(name, safe='')}"


def span(from_ns: int | None, to_ns: int | None) -> dict[str, str]:
    ends = {"from": from_ns, "to": to_ns}
    return {name: format_ns(ns) for name, ns in ends.items() if ns is not None}
