"""A query asked and its answer printed: for `query`, for saved ones, at the prompt."""

from typing import TYPE_CHECKING, Any

import msgspec
import typer

from logstream.cli.finding_nothing import empty_column, nothing_found
from logstream.cli.output import (
    AnswerFormat,
    OutputFormat,
    is_terminal,
    write,
    write_json,
    writer_of,
)
from logstream.cli.parameters import time_range
from logstream.core.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from logstream.cli.backend import Backend, FileFormat, Search

NEWEST = "timestamp:desc"
DEFAULT_ENTRIES = 100

BINARY: "Mapping[AnswerFormat, FileFormat]" = {
    AnswerFormat.arrow: "arrow",
    AnswerFormat.parquet: "parquet",
}
_LINES: "Mapping[AnswerFormat, FileFormat]" = {
    AnswerFormat.ndjson: "ndjson",
    AnswerFormat.csv: "csv",
}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for beside the query's text."""

    sources: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    from_ns: int | None = None
    to_ns: int | None = None
    limit: int | None = None
    """None: `DEFAULT_ENTRIES`, or with pipes as many rows as one answer may have."""
    sort_by: str = "timestamp"
    descending: bool = True
    timeout_s: float | None = None
    ids: bool = False
    explain: bool = False
    output: AnswerFormat = AnswerFormat.table
    color: bool = True
    chart: bool | None = None
    """None: on a terminal, of what comes in buckets."""
    pager: bool = True
    """On a terminal, for what is longer than it."""

    @property
    def is_sorted(self) -> bool:
        """Otherwise than without a wish."""
        return (self.sort_by, self.descending) != ("timestamp", True)


def asked_of(
    *,
    from_: str | None,
    to: str | None,
    sort: str,
    source: list[str] | None,
    level: list[str] | None,
    no_color: bool,
    no_pager: bool,
    **more: Any,
) -> Asked:
    """What the options of `query` say; the others are those of `Asked`.

    Raises:
        BadRequest: an option says nothing usable, or the format is not for a terminal.
    """
    writer_of(more["output"])
    begin_ns, end_ns = time_range(from_, to)
    field, descending = sort_of(sort)
    return Asked(
        sources=tuple(source or ()),
        levels=tuple(level or ()),
        from_ns=begin_ns,
        to_ns=end_ns,
        sort_by=field,
        descending=descending,
        color=not no_color,
        pager=not no_pager,
        **more,
    )


def ask(backend: "Backend", text: str, asked: Asked) -> None:
    """Raises LogStreamError: as the backend's methods do."""
    from logstream.cli.paging import paged
    from logstream.cli.pointing import pointing_at

    with pointing_at(text), paged(wanted=asked.pager):
        _ask(backend, text, asked)


def _ask(backend: "Backend", text: str, asked: Asked) -> None:
    from logstream.cli.entries import write_entries

    is_piped = has_pipes(text)
    search = _search(text, asked, is_piped=is_piped)
    if asked.explain:
        _print_plan(backend.explain(search), asked.output)
        return
    if is_piped and asked.is_sorted:
        raise BadRequest("--sort does not go with pipes: use `| sort by`.")
    if file_format := _file_format(asked, is_piped=is_piped):
        backend.write(search, file_format, writer_of(asked.output))
        return
    output = OutputFormat(asked.output)
    if is_piped:
        _ask_rows(backend, text, asked, bars=False)
        return
    count = write_entries(
        backend.search(search), output, ids=asked.ids, color=asked.color
    )
    if output is OutputFormat.table and is_terminal():
        typer.echo(_summary(backend, count, search), err=True)


def ask_rows(backend: "Backend", text: str, asked: Asked) -> None:
    """Ask for the rows of pipes, all at once, and draw them; a bar for each if they
    come in no buckets.
    """
    from logstream.cli.paging import paged
    from logstream.cli.pointing import pointing_at

    with pointing_at(text), paged(wanted=asked.pager):
        _ask_rows(backend, text, asked, bars=True)


def _ask_rows(backend: "Backend", text: str, asked: Asked, *, bars: bool) -> None:
    from logstream.cli.charts.answers import write_drawn
    from logstream.cli.charts.shape import is_bucketed
    from logstream.cli.entries import entries_of, write_entries
    from logstream.cli.rows import say_more, write_rows

    search = _search(text, asked, is_piped=True)
    table = backend.table(search)
    is_table = asked.output is AnswerFormat.table
    if is_table and not table.rows and is_terminal():
        typer.echo(nothing_found(backend, search), err=True)
        return
    if is_table and (entries := entries_of(table)) is not None:
        write_entries(entries, OutputFormat.table, ids=False, color=asked.color)
        if table.truncated and is_terminal():
            say_more(len(table.rows))
        return
    wanted = is_terminal() if asked.chart is None else asked.chart
    bucketed = is_bucketed(text)
    if is_table and wanted and (bars or asked.chart or bucketed):
        write_drawn(
            table, bucketed=bucketed, wanted=bool(asked.chart), color=asked.color
        )
    else:
        write_rows(table, OutputFormat(asked.output), color=asked.color)
    if is_table and is_terminal() and (told := empty_column(backend, search, table)):
        typer.echo(told, err=True)


def _file_format(asked: Asked, *, is_piped: bool) -> "FileFormat | None":
    """What the store itself writes row by row, however many rows there are."""
    if how := BINARY.get(asked.output):
        if asked.is_sorted:
            raise BadRequest(
                f"--sort does not go with --output {how}: use `| sort by`."
            )
        return how
    # A person who reads slowly would meet the time limit of the query.
    return None if is_terminal() or not is_piped else _LINES.get(asked.output)


def has_pipes(text: str) -> bool:
    """Whether there are pipes. What does not parse is for the backend to say."""
    if "|" not in text:
        return False
    from logstream.core.errors import QuerySyntaxError
    from logstream.query.query import parse_query

    try:
        return bool(parse_query(text).pipes)
    except QuerySyntaxError:
        return True


def _search(text: str, asked: Asked, *, is_piped: bool) -> "Search":
    from logstream.cli.backend import Search

    default = 0 if is_piped else DEFAULT_ENTRIES
    return Search(
        text=text,
        sources=asked.sources,
        levels=asked.levels,
        from_ns=asked.from_ns,
        to_ns=asked.to_ns,
        limit=default if asked.limit is None else asked.limit,
        sort_by=asked.sort_by,
        descending=asked.descending,
        ids=asked.ids,
        timeout_s=asked.timeout_s,
    )


def sort_of(text: str) -> tuple[str, bool]:
    """`field:asc` as the field and whether it descends.

    Raises:
        BadRequest: no field.
    """
    field, colon, direction = text.rpartition(":")
    if not colon:
        field, direction = text, "desc"
    if not field or direction.lower() not in ("asc", "desc"):
        raise BadRequest(
            f"--sort {text}: behind a field write :asc or :desc, such as timestamp:asc "
            "or duration_ms:desc."
        )
    return field, direction.lower() == "desc"


def _print_plan(found: dict[str, Any], output: AnswerFormat) -> None:
    if output is not AnswerFormat.table:
        write_json(found)
        return
    from logstream.cli.syntax_tree import drawn

    lines = [f"Query  {found['query']}"]
    if "tree" in found:  # a server before this one gives none
        lines += [f"       {line}" for line in drawn(found["tree"])]
    for scan, days in found["days"].items():
        for one in days:
            blocks = one["place"] or "all blocks"
            lines.append(f"Reads  {scan}: {one['day']}, {blocks}")
    lines += [f"SQL    {found['sql']}", found["plan"]]
    write("\n".join(lines) + "\n")


def _summary(backend: "Backend", count: int, search: "Search") -> str:
    if count == 0:
        return nothing_found(backend, search)
    noun = "entry" if count == 1 else "entries"
    more = ", the limit: --limit 0 shows all" if count == search.limit else ""
    return f"{count:,} {noun}{more}."
