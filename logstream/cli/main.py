"""The command line. This module imports no more than it takes to print help."""

import sys
from typing import Annotated

import typer

from logstream import __version__
from logstream.cli.commands import config, dead_letters, plugins, retention, saved
from logstream.cli.commands.analyze import analyze
from logstream.cli.commands.backup import backup
from logstream.cli.commands.collect import collect
from logstream.cli.commands.delete import delete
from logstream.cli.commands.export import export
from logstream.cli.commands.fields import fields
from logstream.cli.commands.generate import generate
from logstream.cli.commands.import_ import import_files
from logstream.cli.commands.query import query
from logstream.cli.commands.restore import restore
from logstream.cli.commands.serve import serve
from logstream.cli.commands.sources import sources
from logstream.cli.commands.sql import sql
from logstream.cli.commands.stats import stats
from logstream.cli.commands.storage import storage
from logstream.cli.commands.verify import verify
from logstream.cli.commands.version import version
from logstream.cli.groups import LogStreamGroup
from logstream.cli.query_command import QueryCommand

INTERRUPTED = 130

app = typer.Typer(
    name="logstream",
    cls=LogStreamGroup,
    no_args_is_help=True,
    # A traceback is for bugs only, and then all of it, without values of variables.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 a bug, 2 usage or configuration, "
    "3 no server, 4 storage, 130 interrupted.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"logstream {__version__}")
        raise typer.Exit


@app.callback()
def logstream(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print it."
        ),
    ] = False,
) -> None:
    """Logs in, answers out: collect, store and query logs."""


_FIRST, _ASK, _MORE = "Run", "Ask", "Look after"

app.command(rich_help_panel=_FIRST)(serve)
app.command(rich_help_panel=_FIRST)(collect)
app.command(rich_help_panel=_FIRST)(generate)
app.command(rich_help_panel=_ASK, cls=QueryCommand)(query)
app.command(rich_help_panel=_ASK)(sql)
app.command(rich_help_panel=_ASK)(analyze)
app.command(rich_help_panel=_ASK)(fields)
app.command(rich_help_panel=_ASK)(stats)
app.command(rich_help_panel=_ASK)(sources)
app.add_typer(saved.app, rich_help_panel=_ASK)
app.command(rich_help_panel=_MORE)(export)
app.command("import", rich_help_panel=_MORE)(import_files)
app.command(rich_help_panel=_MORE)(storage)
app.command(rich_help_panel=_MORE)(delete)
app.add_typer(retention.app, rich_help_panel=_MORE)
app.command(rich_help_panel=_MORE)(backup)
app.command(rich_help_panel=_MORE)(restore)
app.command(rich_help_panel=_MORE)(verify)
app.add_typer(config.app, rich_help_panel=_MORE)
app.add_typer(plugins.app, rich_help_panel=_MORE)
app.add_typer(dead_letters.app, rich_help_panel=_MORE)
app.command(rich_help_panel=_MORE)(version)


def main() -> None:
    """The console script. Ends the process with an exit code."""
    try:
        app(prog_name="logstream")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
