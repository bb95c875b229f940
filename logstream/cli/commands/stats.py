"""`logstream stats`: how much is stored."""

from typing import TYPE_CHECKING

import typer

from logstream.cli.output import OutputFormat
from logstream.cli.parameters import Config, Data, Output, Server

if TYPE_CHECKING:
    from logstream.cli.backend import Totals


def stats(
    output: Output = OutputFormat.table,
    server: Server = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Show how much is stored, of what, and since when."""
    import msgspec

    from logstream.cli.connect import open_backend
    from logstream.cli.output import write_json, write_ndjson, write_records

    with open_backend(server=server, data=data, config=config) as backend:
        totals = backend.totals()
    match output:
        case OutputFormat.json:
            write_json(totals)
        case OutputFormat.ndjson:
            write_ndjson([totals])
        case OutputFormat.csv:
            row = msgspec.structs.asdict(totals)
            write_records(list(row), [list(row.values())], output)
        case OutputFormat.table:
            _write_tables(totals)


def _write_tables(totals: "Totals") -> None:
    from logstream.cli.tables import size, write_table

    write_table(
        ["what", "value"],
        [
            ["entries", f"{totals.TotalEntries:,}"],
            ["oldest", totals.OldestEntry],
            ["newest", totals.NewestEntry],
            ["on disk", size(totals.StorageSize)],
            ["compression", f"{totals.CompressionRatio:.2f} to 1"],
        ],
    )
    for name, counts in (
        ("source", totals.EntriesBySource),
        ("level", totals.EntriesByLevel),
    ):
        typer.echo()
        write_counts(name, counts, total=totals.TotalEntries)


def write_counts(name: str, counts: dict[str, int], *, total: int) -> None:
    """Values with their counts and shares, the shares also as bars."""
    from logstream.cli.tables import bar, write_table

    largest = max(counts.values(), default=1)
    rows = [
        [
            value,
            count,
            f"{100 * count / total:.1f} %" if total else "",
            bar(count / largest),
        ]
        for value, count in counts.items()
    ]
    write_table([name, "count", "share", ""], rows, numbers=("count", "share"))
