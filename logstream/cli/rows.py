"""Rows of a query or of SQL, on standard output."""

import re

import typer

from logstream.cli.charts.blocks import columns, has_blocks
from logstream.cli.output import OutputFormat, is_terminal, write_records
from logstream.cli.tables import BAR_CELLS, bar, write_table
from logstream.core.results import Kind, ResultColumn, Table

_SHORT_CELLS = 10
_BEYOND_MS = re.compile(r"(\.\d{3})\d+")
_NUMBERS = ("integer", "number", "duration")


def write_rows(
    table: Table, output: OutputFormat, *, color: bool = True, bars: str = ""
) -> None:
    """All of them; that there are more is said on standard error.

    Args:
        bars: A table for people has bars of the numbers of this column.
    """
    names = [column.name for column in table.columns]
    if output is OutputFormat.table:
        numbers = [column.name for column in table.columns if column.kind in _NUMBERS]
        times = [column.name for column in table.columns if column.kind == "time"]
        rows = [
            [
                _shown(value, column)
                for value, column in zip(row, table.columns, strict=True)
            ]
            for row in table.rows
        ]
        if bars:
            _add_bars(rows, [row[names.index(bars)] for row in table.rows])
            names.append("")
        write_table(names, rows, numbers=numbers, whole=times, color=color)
    else:
        write_records(names, table.rows, output)
    if table.truncated and (output is not OutputFormat.table or is_terminal()):
        say_more(len(table.rows))


def say_more(count: int | None = None) -> None:
    """On standard error: these were not all."""
    rows = "" if count is None else f" of {count:,} rows"
    typer.echo(f"There are more: this is the limit{rows}.", err=True)


def number_text(value: float, kind: Kind) -> str:
    """Short: `12,345`, `0.25`, `250ms`."""
    if kind == "duration":
        return _span(value)
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value):,}"
    return f"{value:.4g}"


def _add_bars(rows: list[list[object]], values: list[object]) -> None:
    numbers = [one if isinstance(one, int | float) else 0 for one in values]
    largest = max([*numbers, 0]) or 1
    for row, number in zip(rows, numbers, strict=True):
        row.append(bar(number / largest, BAR_CELLS if len(row) < 6 else _SHORT_CELLS))


def _shown(value: object, column: ResultColumn) -> object:
    """A value for a cell: objects and lists as JSON, numbers and, on a terminal, times
    with few digits.
    """
    import msgspec

    if column.kind == "duration" and isinstance(value, int | float):
        return _span(float(value))
    if isinstance(value, float):
        return f"{value:.6g}"
    if column.kind == "time" and isinstance(value, str) and is_terminal():
        return _BEYOND_MS.sub(r"\1", value)
    if isinstance(value, list) and column.name == "trend" and is_terminal():
        return _trend(value)
    if isinstance(value, dict | list | bool):
        return msgspec.json.encode(value).decode()
    return value


def _trend(values: list[object]) -> str:
    """Counts over time, as `patterns` gives them."""
    numbers = [float(one) if isinstance(one, int | float) else 0.0 for one in values]
    high = max([*numbers, 1.0])
    return columns(numbers, low=0, high=high, height=1, blocks=has_blocks())[0]


def _span(seconds: float) -> str:
    """`250ms`, `1.5s`, `2h3m`."""
    if seconds < 0:
        return f"-{_span(-seconds)}"
    if seconds < 1:
        return f"{seconds * 1000:.4g}ms"
    if seconds < 60:
        return f"{seconds:.4g}s"
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (left, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count)
