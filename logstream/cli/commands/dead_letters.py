"""`logstream dead-letters`: entries that processors could not take."""

from typing import Annotated

import typer

from logstream.cli.output import OutputFormat
from logstream.cli.parameters import Config, Data, Output, Server

app = typer.Typer(
    name="dead-letters",
    help="Show entries that could not be processed, and try them again.",
    no_args_is_help=True,
)


@app.command("list")
def list_(
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=10_000, help="At most so many.")
    ] = 100,
    output: Output = OutputFormat.table,
    server: Server = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """List the newest, with the reason of each."""
    from logstream.cli.connect import open_backend
    from logstream.cli.output import is_terminal, write_json
    from logstream.cli.tables import show

    with open_backend(server=server, data=data, config=config) as backend:
        letters = backend.dead_letters(limit=limit)
    if output is OutputFormat.json:
        write_json(letters)
        return
    columns = ["id", "failed_at", "processor", "reason", "detail", "entry"]
    rows = [[getattr(letter, column) for column in columns] for letter in letters]
    if output is OutputFormat.table:
        rows = [[*row[:-1], bytes(row[-1]).decode()] for row in rows]
    show(columns, rows, output)
    if not letters and output is OutputFormat.table and is_terminal():
        typer.echo("There are none.", err=True)


@app.command()
def replay(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID", help="As `list` shows them."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All there are.")] = False,
    server: Server = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Send dead letters through the processors again; what fails comes back."""
    from logstream.cli.connect import open_backend
    from logstream.core.errors import BadRequest

    if bool(ids) == every:
        raise BadRequest("Name the ids to replay, or --all.")
    for one in ids or ():
        if not (one.isascii() and one.isdigit()):
            raise BadRequest(f"{one!r} is no id: `logstream dead-letters list`.")
    with open_backend(server=server, data=data, config=config) as backend:
        count = backend.replay(ids)
    typer.echo(f"{count:,} replayed.")
