"""Tables for people: drawn with rich on a terminal, plain columns in a pipe."""

import os
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from logstream.cli.charts import blocks
from logstream.cli.escape import for_cell, for_line
from logstream.cli.output import OutputFormat, is_terminal, write, write_records

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

STYLES = {
    "trace": "dim",
    "debug": "dim",
    "info": "green",
    "warn": "yellow",
    "error": "bold red",
    "fatal": "bold white on red",
}
BAR_CELLS = 30
_WIDE_CELLS = 120
_READABLE_CELLS = 12
"""Of a column of texts, at least."""


def console(*, color: bool = True) -> "Console":
    """One for standard output. Colours only on a terminal, and not with NO_COLOR."""
    from logstream.cli.screen import Screen

    wanted = color and is_terminal() and not os.environ.get("NO_COLOR")
    return Screen(no_color=not wanted, highlight=False, markup=False, emoji=False)


def cell(value: Any, style: str = "") -> "Text":
    """Text of whatever origin, as it is: no markup, no control characters."""
    from rich.text import Text

    return Text(for_cell(str(value)), style=style)


def write_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    numbers: Sequence[str] = (),
    whole: Sequence[str] = (),
    color: bool = True,
) -> None:
    """A table that fits the terminal, or where none does, each row as lines of its own;
    tab-separated lines in a pipe.

    Args:
        numbers: Columns that are aligned to the right.
        whole: Columns whose values are not wrapped either, if the terminal is wide.
    """
    if not is_terminal():
        for row in rows:
            write("\t".join(for_line(_plain(value)) for value in row) + "\n")
        return
    from rich.table import Table

    screen = console(color=color)
    unbroken = {*numbers, *(whole if screen.width >= _WIDE_CELLS else ())}
    shown = [[cell(_shown(value)) for value in row] for row in rows]
    if _least_cells(columns, shown, unbroken) > screen.width:
        screen.print(_as_lines(columns, shown))
        return
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        right = column in numbers
        table.add_column(
            column,
            justify="right" if right else "left",
            no_wrap=column in unbroken,
            overflow="fold",
        )
    for row in shown:
        table.add_row(*row)
    screen.print(table)


def _least_cells(
    columns: Sequence[str], rows: Sequence[Sequence["Text"]], unbroken: Collection[str]
) -> int:
    """How wide a table of these is that can still be read."""
    needed = 0
    for at, column in enumerate(columns):
        width = max([len(column), *(row[at].cell_len for row in rows)])
        needed += 2 + (width if column in unbroken else min(width, _READABLE_CELLS))
    return needed - 2


def _as_lines(columns: Sequence[str], rows: Sequence[Sequence["Text"]]) -> "Table":
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for row in rows:
        for name, value in zip(columns, row, strict=True):
            table.add_row(cell(name), value)
        table.add_row()
    return table


def show(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    how: OutputFormat,
    *,
    numbers: Sequence[str] = (),
) -> None:
    """The same rows for people, who get names without `_`, or for programs."""
    if how is OutputFormat.table:
        titles = [column.replace("_", " ") for column in columns]
        write_table(titles, rows, numbers=[one.replace("_", " ") for one in numbers])
    else:
        write_records(columns, rows, how)


def bar(share: float, cells: int = BAR_CELLS) -> str:
    """A share of 1 as a bar."""
    return blocks.bar(share, cells, blocks=blocks.has_blocks())


def size(count_bytes: int) -> str:
    """`13.2 MB`; decimal, as disks are sold and `df -H` counts."""
    amount = float(count_bytes)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else _plain(value)


def _plain(value: Any) -> str:
    return "" if value is None else str(value)
