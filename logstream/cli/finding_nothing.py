"""What is said on a terminal when a query finds nothing, or nothing in a column."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from logstream.cli.backend import Backend, Search
    from logstream.core.results import Table


def nothing_found(backend: "Backend", search: "Search") -> str:
    from logstream.query.advice import advice

    where = " in that time" if search.from_ns or search.to_ns else ""
    told = _sentences(advice(search.text)) or _unknown(backend, search)
    told = told or "`logstream sources` lists what there is."
    return f"Nothing matches{where}. {told}"


def empty_column(backend: "Backend", search: "Search", table: "Table") -> str:
    """Empty: there is none, or all names that the query has are known."""
    has_empty = any(
        all(row[at] is None for row in table.rows) for at in range(len(table.columns))
    )
    return _unknown(backend, search) if has_empty and table.rows else ""


def _unknown(backend: "Backend", search: "Search") -> str:
    """Of names in a query that are those of no field."""
    from logstream.cli.backend import Search
    from logstream.core.errors import LogStreamError
    from logstream.query.advice import unknown_fields

    try:
        known = backend.table(Search(text="* | field_names | fields field", limit=0))
    except LogStreamError:
        return ""  # it is no more than advice
    if not known.rows:
        return ""
    return _sentences(unknown_fields(search.text, [str(row[0]) for row in known.rows]))


def _sentences(said: "Iterable[str]") -> str:
    ends = ((one, "" if one.endswith("?") else ".") for one in said)
    return " ".join(f"{one[:1].upper()}{one[1:]}{end}" for one, end in ends)
