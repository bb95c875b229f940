"""`logstream storage`: the store, day by day."""

from typing import TYPE_CHECKING

import typer

from logstream.cli.output import OutputFormat
from logstream.cli.parameters import Config, Data, Output, Server

if TYPE_CHECKING:
    from logstream.cli.backend import Day, Stored


def storage(
    output: Output = OutputFormat.table,
    server: Server = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Show the partitions: entries, bytes and span of each day."""
    import msgspec

    from logstream.cli.backend import Day
    from logstream.cli.connect import open_backend
    from logstream.cli.output import write_json, write_ndjson, write_records

    with open_backend(server=server, data=data, config=config) as backend:
        found = backend.storage()
    match output:
        case OutputFormat.json:
            write_json(found)
        case OutputFormat.ndjson:
            write_ndjson(found.partitions)
        case OutputFormat.csv:
            columns = list(Day.__struct_fields__)
            rows = [msgspec.structs.astuple(one) for one in found.partitions]
            write_records(columns, rows, output)
        case OutputFormat.table:
            _write_tables(found)


def _write_tables(found: "Stored") -> None:
    from logstream.cli.tables import bar, size, write_table

    largest = max((one.stored_bytes for one in found.partitions), default=0) or 1
    rows = [
        [
            one.day if one.part == 1 else f"{one.day}.p{one.part}",
            one.rows,
            size(one.stored_bytes),
            size(one.raw_bytes),
            _time_of(one.oldest),
            _time_of(one.newest),
            _state_of(one),
            bar(one.stored_bytes / largest),
        ]
        for one in found.partitions
    ]
    columns = ["day", "entries", "on disk", "as NDJSON", "first", "last", "state", ""]
    write_table(columns, rows, numbers=("entries", "on disk", "as NDJSON"))
    totals = found.totals
    typer.echo(
        f"{totals.days:,} {'day' if totals.days == 1 else 'days'}, "
        f"{totals.rows:,} entries, {size(totals.stored_bytes)} on disk, "
        f"{size(totals.raw_bytes)} as NDJSON"
        + (f", {totals.broken:,} broken" if totals.broken else ""),
        err=True,
    )
    if found.stuck:
        typer.echo(
            f"{found.stuck_entries:,} entries cannot be stored just now: {found.stuck}",
            err=True,
        )


def _time_of(timestamp: str | None) -> str:
    return timestamp[11:19] if timestamp else ""


def _state_of(one: "Day") -> str:
    if one.broken:
        return f"broken: {one.broken}"
    states = {"sealed": one.sealed, "indexed": one.indexed}
    return ", ".join(name for name, is_so in states.items() if is_so)
