"""`logstream analyze`: count entries by a field."""

from typing import Annotated

import typer

from logstream.cli.output import OutputFormat
from logstream.cli.parameters import Config, Data, From, Output, Server, To, time_range


def analyze(
    *,
    group_by: Annotated[
        str,
        typer.Option(
            "--group-by", "-g", metavar="FIELD", help="source, level, or any field."
        ),
    ] = "source",
    from_: From = None,
    to: To = None,
    filter_: Annotated[
        str, typer.Option("--filter", "-f", metavar="QUERY", help="Only of these.")
    ] = "",
    top: Annotated[
        int, typer.Option("--top", min=0, help="The most frequent; 0 = all.")
    ] = 20,
    output: Output = OutputFormat.table,
    server: Server = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Count entries by the values of a field, the most frequent first."""
    from logstream.cli.commands.stats import write_counts
    from logstream.cli.connect import open_backend
    from logstream.cli.output import is_terminal, write_json, write_records
    from logstream.cli.pointing import pointing_at

    begin_ns, end_ns = time_range(from_, to)
    with (
        open_backend(server=server, data=data, config=config) as backend,
        pointing_at(filter_),
    ):
        counts = backend.frequency(
            group_by=group_by, text=filter_, from_ns=begin_ns, to_ns=end_ns
        )
    shown = dict(list(counts.items())[: top or None])
    match output:
        case OutputFormat.json:
            write_json(shown)
        case OutputFormat.table:
            write_counts(group_by, shown, total=sum(counts.values()))
            if is_terminal() and len(counts) > len(shown):
                rest = len(counts) - len(shown)
                typer.echo(f"{rest:,} more values: --top 0 shows all.", err=True)
        case _:
            write_records([group_by, "count"], list(shown.items()), output)
