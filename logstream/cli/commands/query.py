"""`logstream query`: find entries."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from logstream.cli.output import OutputFormat, is_terminal
from logstream.cli.parameters import (
    Config,
    Data,
    From,
    NoColor,
    Output,
    Server,
    To,
    time_range,
)

if TYPE_CHECKING:
    from logstream.cli.backend import Search


_NEWEST = "timestamp:desc"


def query(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUERY",
            help="Such as 'level:error timeout'. Without one: everything.",
            show_default=False,
        ),
    ] = None,
    *,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            "-n",
            min=0,
            help="At most so many; 0 = all. Without it 100 entries, or as many rows "
            "as one answer may have.",
            show_default=False,
        ),
    ] = None,
    from_: From = None,
    to: To = None,
    sort: Annotated[
        str,
        typer.Option(
            metavar="FIELD[:asc|desc]",
            help="Sort by timestamp, source, level, message or a field; "
            "without a direction the largest come first.",
        ),
    ] = _NEWEST,
    source: Annotated[
        list[str] | None,
        typer.Option("--source", "-s", help="Only of this source; may be repeated."),
    ] = None,
    level: Annotated[
        list[str] | None,
        typer.Option("--level", "-l", help="Only of this level; may be repeated."),
    ] = None,
    output: Output = OutputFormat.table,
    ids: Annotated[bool, typer.Option("--ids", help="With the id of each.")] = False,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Print what would be done instead of doing it."),
    ] = False,
    server: Server = None,
    data: Data = None,
    config: Config = None,
    no_color: NoColor = False,
) -> None:
    """Find entries, the newest first.

    The query language: bare words and "phrases" look in the message; field:value,
    field:>=5, field:[1 TO 9], field:* and wildcards look in fields; AND, OR, NOT, -
    and parentheses combine. Pipes work on what was found, such as
    'level:error | stats count() by source'. A query that begins with "-" goes after
    "--".
    """
    from logstream.cli.backend import Search
    from logstream.cli.connect import open_backend
    from logstream.cli.entries import write_entries
    from logstream.cli.pointing import pointing_at
    from logstream.cli.rows import write_rows

    begin_ns, end_ns = time_range(from_, to)
    field, descending = sort_of(sort)
    text = " ".join(words or ())
    is_piped = _is_piped(text)
    search = Search(
        text=text,
        sources=tuple(source or ()),
        levels=tuple(level or ()),
        from_ns=begin_ns,
        to_ns=end_ns,
        limit=0 if limit is None and is_piped else 100 if limit is None else limit,
        sort_by=field,
        descending=descending,
        ids=ids,
    )
    with (
        open_backend(server=server, data=data, config=config) as backend,
        pointing_at(text),
    ):
        if explain:
            _print_plan(backend.explain(search), output)
            return
        if is_piped:
            _expect_order(sort)
            write_rows(backend.table(search), output, color=not no_color)
            return
        count = write_entries(
            backend.search(search), output, ids=ids, color=not no_color
        )
    if output is OutputFormat.table and is_terminal():
        typer.echo(_summary(count, search), err=True)


def _is_piped(text: str) -> bool:
    """Whether there are pipes. What does not parse is for the backend to say."""
    if "|" not in text:
        return False
    from logstream.core.errors import QuerySyntaxError
    from logstream.query.query import parse_query

    try:
        return bool(parse_query(text).pipes)
    except QuerySyntaxError:
        return True


def _expect_order(sort: str) -> None:
    from logstream.core.errors import BadRequest

    if sort != _NEWEST:
        raise BadRequest("--sort does not go with pipes: use `| sort by`.")


def _print_plan(found: dict[str, Any], output: OutputFormat) -> None:
    from logstream.cli.output import write, write_json

    if output is not OutputFormat.table:
        write_json(found)
        return
    lines = [f"Query  {found['query']}"]
    for scan, days in found["days"].items():
        for one in days:
            blocks = one["place"] or "all blocks"
            lines.append(f"Reads  {scan}: {one['day']}, {blocks}")
    lines += [f"SQL    {found['sql']}", found["plan"]]
    write("\n".join(lines) + "\n")


def sort_of(text: str) -> tuple[str, bool]:
    """`field:asc` as the field and whether it descends.

    Raises:
        BadRequest: no field.
    """
    from logstream.core.errors import BadRequest

    field, colon, direction = text.rpartition(":")
    if not colon or direction.lower() not in ("asc", "desc"):
        field, direction = text, "desc"
    if not field:
        raise BadRequest("--sort: write such as timestamp:asc or duration_ms:desc.")
    return field, direction.lower() == "desc"


def _summary(count: int, search: "Search") -> str:
    if count == 0:
        where = " in that time" if search.from_ns or search.to_ns else ""
        return f"Nothing matches{where}. `logstream sources` lists what there is."
    noun = "entry" if count == 1 else "entries"
    more = ", the limit: --limit 0 shows all" if count == search.limit else ""
    return f"{count:,} {noun}{more}."
