"""Analyses beside `frequency`: each is a query with pipes, answered with its rows."""

from collections.abc import Sequence
from typing import Literal

from logstream.core.errors import BadRequest
from logstream.query.expressions.nodes import name_text
from logstream.query.query import Query, parse_query

Kind = Literal[
    "histogram", "timechart", "top", "stats", "patterns", "anomalies", "facets"
]


def query_of(
    kind: Kind,
    *,
    text: str,
    group_by: Sequence[str],
    aggregates: Sequence[str],
    span: str,
    limit: int | None,
) -> Query:
    """The query that gives an analysis.

    Raises:
        QuerySyntaxError, BadRequest: it does not compile.
    """
    names = ", ".join(map(name_text, group_by))
    by = f" by {names}" if names else ""
    computed = ", ".join(aggregates) or "count() as count"
    if kind in ("histogram", "timechart", "anomalies") and len(group_by) > 1:
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
    return parse_query(f"{text.strip() or '*'} | {pipes}")
