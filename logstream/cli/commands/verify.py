"""`logstream verify`: is all that is stored as it should be."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from logstream.cli.output import OutputFormat
from logstream.cli.parameters import Config, Data, Output, Server

if TYPE_CHECKING:
    from logstream.core.findings import Report

_DAMAGED = 4


def verify(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR",
            help="A backup, or a data folder that is not in use. Else: the store.",
            show_default=False,
        ),
    ] = None,
    output: Output = OutputFormat.table,
    server: Server = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Check partitions, indexes, the journal and the rest, to the last byte.

    Nothing is changed. Ends with 4 when something is damaged.
    """
    from logstream.cli.output import write_json

    report = _report(folder, server, data, config)
    if output is OutputFormat.table:
        _write(report)
    else:
        write_json(report)
    if report.problems:
        raise typer.Exit(_DAMAGED)


def _report(
    folder: Path | None, server: str | None, data: str | None, config: Path | None
) -> "Report":
    from logstream.cli.configuration import load
    from logstream.cli.connect import find_server, open_backend
    from logstream.storage.folder import DataFolder

    if folder is None:
        settings = load(config, data=data).settings
        path = Path(settings.storage.path)
        if find_server(server, settings, data=data) is not None or not path.is_dir():
            with open_backend(server=server, data=data, config=config) as backend:
                return backend.verify()
        folder = path
    from logstream.pipeline.verification import verify_folder

    if not (folder / "partitions").is_dir():
        return verify_folder(folder)
    owned = DataFolder(folder)  # nobody writes meanwhile
    try:
        return verify_folder(folder)
    finally:
        owned.close()


def _write(report: "Report") -> None:
    from logstream.cli.tables import write_table

    counts = [
        ["partitions", report.partitions],
        ["entries", report.entries],
        ["indexes", report.indexes],
        ["journal segments", report.segments],
        ["entries in the journal", report.journal_entries],
        ["positions", report.positions],
        ["answers to keys", report.answers],
        ["dead letters", report.dead_letters],
        ["files of the backup", report.files],
    ]
    write_table(
        ["checked", "count"], [row for row in counts if row[1]], numbers=("count",)
    )
    findings = [("damaged", one) for one in report.problems]
    findings += [("note", one) for one in report.notes]
    for kind, one in findings:
        typer.echo(f"{kind}: {one.where}: {one.what}", err=True)
    verdict = (
        f"{len(report.problems):,} damaged." if report.problems else "All is well."
    )
    typer.echo(verdict, err=True)
