"""`logstream saved`: queries that have a name, shared through the server."""

from typing import Annotated

import typer

from logstream.cli.asking import NEWEST
from logstream.cli.output import AnswerFormat, OutputFormat
from logstream.cli.parameters import (
    Answer,
    Charted,
    Config,
    Data,
    Explain,
    From,
    Ids,
    Level,
    Limit,
    NoColor,
    NoPager,
    Output,
    Server,
    Sort,
    Source,
    Timeout,
    To,
)
from logstream.cli.query_command import QueryCommand

app = typer.Typer(
    name="saved",
    help="Give queries names, and run them by these.",
    no_args_is_help=True,
)

_Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]


@app.command(cls=QueryCommand)
def add(
    name: _Name,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="QUERY", help="Such as 'level:error | top source'; in quotes."
        ),
    ],
    *,
    description: Annotated[
        str, typer.Option("--description", "-d", metavar="TEXT", help="For people.")
    ] = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="Also when the name is taken.")
    ] = False,
    server: Server = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Save a query for everybody who uses the server, or the data folder."""
    from logstream.cli.connect import open_backend
    from logstream.cli.pointing import pointing_at
    from logstream.core.errors import AlreadyThere

    text = " ".join(words)
    with (
        open_backend(server=server, data=data, config=config) as backend,
        pointing_at(text),
    ):
        try:
            backend.save(name, text, description=description, replace=replace)
        except AlreadyThere as error:
            raise AlreadyThere(f"{error} (--replace puts this in its place)") from None
    typer.echo(f"Saved: `logstream saved run {name}` runs it.", err=True)


@app.command("list")
def list_(
    output: Output = OutputFormat.table,
    server: Server = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """List them, by name."""
    from logstream.cli.connect import open_backend
    from logstream.cli.output import is_terminal, write_json
    from logstream.cli.tables import show

    with open_backend(server=server, data=data, config=config) as backend:
        found = backend.saved()
    if output is OutputFormat.json:
        write_json(found)
        return
    columns = ["name", "query", "description", "created"]
    show(columns, [[getattr(one, name) for name in columns] for one in found], output)
    if not found and output is OutputFormat.table and is_terminal():
        typer.echo("There are none: `logstream saved add NAME QUERY`.", err=True)


@app.command()
def run(
    name: _Name,
    *,
    limit: Limit = None,
    from_: From = None,
    to: To = None,
    sort: Sort = NEWEST,
    source: Source = None,
    level: Level = None,
    output: Answer = AnswerFormat.table,
    timeout: Timeout = None,
    ids: Ids = False,
    explain: Explain = False,
    chart: Charted = None,
    server: Server = None,
    data: Data = None,
    config: Config = None,
    no_color: NoColor = False,
    no_pager: NoPager = False,
) -> None:
    """Run one. The options are those of `logstream query`."""
    from logstream.cli.asking import ask, asked_of
    from logstream.cli.connect import open_backend

    asked = asked_of(
        from_=from_,
        to=to,
        sort=sort,
        source=source,
        level=level,
        limit=limit,
        timeout_s=timeout,
        ids=ids,
        explain=explain,
        chart=chart,
        output=output,
        no_color=no_color,
        no_pager=no_pager,
    )
    with open_backend(server=server, data=data, config=config) as backend:
        ask(backend, backend.saved_one(name).query, asked)


@app.command()
def remove(
    name: _Name,
    *,
    server: Server = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Remove one, for everybody; prints the query that it was."""
    from logstream.cli.connect import open_backend
    from logstream.cli.escape import for_line

    with open_backend(server=server, data=data, config=config) as backend:
        removed = backend.unsave(name)
    typer.echo(for_line(removed.query))
