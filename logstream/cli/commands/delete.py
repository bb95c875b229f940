"""`logstream delete`: entries go, for good."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from logstream.cli.output import OutputFormat
from logstream.cli.parameters import (
    Config,
    Data,
    From,
    Output,
    Server,
    To,
    time_range,
)

if TYPE_CHECKING:
    from logstream.cli.backend import Gone


def delete(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUERY",
            help="What to delete, such as 'source:test level:debug'.",
            show_default=False,
        ),
    ] = None,
    *,
    from_: From = None,
    to: To = None,
    every: Annotated[
        bool, typer.Option("--all", help="Everything in the time range.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count what would go.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    output: Output = OutputFormat.table,
    server: Server = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Delete the entries that a query finds, for good; counts them and asks first."""
    from logstream.cli.connect import open_backend
    from logstream.cli.pointing import pointing_at
    from logstream.core.errors import BadRequest

    text = " ".join(words or ()).strip()
    if every == bool(text):
        raise BadRequest("Give a query, or --all to delete without one.")
    asks = not (yes or dry_run)
    if asks and not sys.stdin.isatty():
        raise BadRequest("Nobody can be asked here: add --yes, or --dry-run to look.")
    begin_ns, end_ns = time_range(from_, to)
    with (
        open_backend(server=server, data=data, config=config) as backend,
        pointing_at(text),
    ):
        found = backend.delete(
            text=text, from_ns=begin_ns, to_ns=end_ns, dry_run=dry_run or asks
        )
        if asks and found.entries:
            _show(found, OutputFormat.table, "would go")
            if not typer.confirm("Delete them for good?", err=True):
                typer.echo("Nothing was deleted.", err=True)
                return
            found = backend.delete(
                text=text, from_ns=begin_ns, to_ns=end_ns, dry_run=False
            )
            if output is OutputFormat.table:
                typer.echo(_summary(found, "deleted"), err=True)
                return
    _show(found, output, "would go" if dry_run else "deleted")


def _show(found: "Gone", output: OutputFormat, what: str) -> None:
    from logstream.cli.commands.stats import write_counts
    from logstream.cli.output import write_json, write_ndjson, write_records

    match output:
        case OutputFormat.json:
            write_json(found)
        case OutputFormat.ndjson:
            write_ndjson([found])
        case OutputFormat.csv:
            write_records(["source", "count"], list(found.by_source.items()), output)
        case OutputFormat.table:
            if found.entries:
                write_counts("source", found.by_source, total=found.entries)
            typer.echo(_summary(found, what), err=True)


def _summary(found: "Gone", what: str) -> str:
    noun = "entry" if found.entries == 1 else "entries"
    days = "day" if found.days == 1 else "days"
    return f"{found.entries:,} {noun} of {found.days:,} {days} {what}."
