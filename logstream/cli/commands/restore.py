"""`logstream restore`: a data folder from a backup."""

from pathlib import Path
from typing import Annotated

import typer


def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The backup.")],
    data: Annotated[
        Path,
        typer.Option("--data", metavar="FOLDER", help="The new data folder."),
    ],
) -> None:
    """Make a data folder of a backup, checked file by file."""
    from logstream.cli.tables import size
    from logstream.storage.backup import restore as run

    manifest = run(folder, data)
    total = sum(one.bytes for one in manifest.files)
    typer.echo(
        f"{len(manifest.files):,} files, {size(total)}, as of {manifest.made_at}: "
        f"logstream serve --data {data}"
    )
