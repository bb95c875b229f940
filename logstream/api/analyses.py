"""Analyses beside `frequency`: each is a query with pipes, answered with its rows."""

from collections.abc import Sequence
from typing import Literal

from logstream.core.errors import BadRequest
from logstream.query.expressions.nodes import name_text
from logstream.query.query import parse_query
from logstream.query.quoting import quoted

Kind = Literal[
    "histogram", "timechart", "top", "stats", "patterns", "anomalies", "facets"
]
TIMED: frozenset[str] = frozenset(("histogram", "timechart", "anomalies"))
"""Those with buckets of time."""


def text_of(
    kind: Kind,
    *,
    text: str,
    group_by: Sequence[str],
    aggregates: Sequence[str],
    span: str,
    limit: int | None,
) -> str:
    """The query that gives an analysis, which begins with `text`.

    Raises:
        BadRequest: it takes other names to group by.
    """
    names = ", ".join(map(name_text, group_by))
    by = f" by {names}" if names else ""
    computed = ", ".join(aggregates) or "count() as count"
    if kind in TIMED and len(group_by) > 1:
        raise BadRequest(f"group_by: a {kind} takes one field, or none.")
    if kind == "top" and not names:
        raise BadRequest("group_by: say the values of which fields.")
    match kind:
        case "histogram":
            pipes = f"timechart {span} count() as count{by}"
        case "timechart":
            pipes = f"timechart {span} {computed}{by}"
        case "anomalies":
            pipes = f"timechart {span} {computed}{by} | anomalies"
        case "top":
            pipes = f"top {limit or 10} {names}"
        case "stats":
            pipes = f"stats {computed}{by}"
        case "patterns":
            pipes = f"patterns limit {limit or 20}"
        case _:
            pipes = f"facets {limit or 10}"
    return f"{text if text.strip() else '*'} | {pipes}"


def names_text(text: str, *, prefix: str = "") -> str:
    """The query that lists the fields of what a filter finds."""
    found = f"{text if text.strip() else '*'} | field_names"
    if prefix:
        found += f" | where starts_with(field, {quoted(prefix)})"
    return found


def values_text(text: str, name: str, *, prefix: str = "", limit: int) -> str:
    """The query that lists the values of a field, the most frequent first."""
    found = f"{text if text.strip() else '*'} | "
    if prefix:
        found += f"where starts_with({name_text(name)}, {quoted(prefix)}) | "
    return f"{found}top {limit} {name_text(name)} as value | fields value, count"


def expect_filter(text: str) -> None:
    """Raises QuerySyntaxError; BadRequest: pipes are behind it."""
    if parse_query(text).pipes:
        raise BadRequest("A filter alone goes here, without pipes.")
