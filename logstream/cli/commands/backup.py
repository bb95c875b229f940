"""`logstream backup`: a copy of the store, while it is in use."""

from pathlib import Path
from typing import Annotated

import typer

from logstream.cli.output import OutputFormat
from logstream.cli.parameters import Config, Data, Output, Server


def backup(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Empty, new, or an earlier backup.")
    ],
    output: Output = OutputFormat.table,
    server: Server = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Copy the store into a folder; only what changed since the last time.

    A server that runs writes it, into a folder that its config allows
    (storage.backup_folder); otherwise this command does.
    """
    from logstream.cli.connect import open_backend
    from logstream.cli.output import write_json
    from logstream.cli.tables import size

    with open_backend(server=server, data=data, config=config) as backend:
        done = backend.backup(str(folder.absolute()))
    if output is not OutputFormat.table:
        write_json(done)
        return
    typer.echo(
        f"{done.files:,} files, {size(done.bytes)}, in {done.folder}: "
        f"{done.copied:,} had changed."
    )
    if done.skipped:
        typer.echo(
            f"These days cannot be read, and are as they were in the backup before: "
            f"{', '.join(done.skipped)}.",
            err=True,
        )
