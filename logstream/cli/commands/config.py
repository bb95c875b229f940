"""`logstream config`: check it, show it, begin one."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from logstream.cli.output import OutputFormat
from logstream.cli.parameters import Config, Data, Output

app = typer.Typer(
    name="config",
    help="Check and show the configuration, and print an example.",
    no_args_is_help=True,
)


@app.command()
def check(
    file: Annotated[
        Path | None,
        typer.Argument(help="The file; `-` reads standard input.", show_default=False),
    ] = None,
    config: Config = None,
) -> None:
    """Check the file, the environment, and that every plugin takes its options."""
    from logstream.cli.configuration import load, plugins_of
    from logstream.config.load import parse_settings

    if file is not None and str(file) == "-":
        text = sys.stdin.read()
        loaded = parse_settings(text, origin="<stdin>", environ=os.environ)
        name = "<stdin>"
    else:
        loaded = load(file or config)
        name = str(loaded.path or "The defaults")
    from logstream.runtime.building import check_settings

    check_settings(loaded.settings, plugins_of(loaded.settings))
    typer.echo(f"{name}: good.")


@app.command()
def show(
    config: Config = None, data: Data = None, output: Output = OutputFormat.table
) -> None:
    """Show the values in effect, and where each comes from."""
    from logstream.cli.configuration import load
    from logstream.cli.output import write_records
    from logstream.config import show as showing

    loaded = load(config, data=data)
    if output is OutputFormat.table:
        typer.echo(showing.show(loaded), nl=False)
        return
    rows = [[item.key, item.value, item.origin] for item in showing.shown(loaded)]
    write_records(["key", "value", "origin"], rows, output)


@app.command()
def example() -> None:
    """Print a config file with every key, its default and what it does."""
    from logstream.config.example import example as text

    typer.echo(text(), nl=False)
