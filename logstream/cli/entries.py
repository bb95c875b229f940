"""Entries on standard output: as a table, plain lines, JSON, NDJSON or CSV."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from logstream.cli.backend import Found
from logstream.cli.escape import for_cell, for_line
from logstream.cli.output import (
    OutputFormat,
    is_terminal,
    write,
    write_csv,
    write_json_array,
    write_ndjson,
)
from logstream.cli.tables import STYLES, cell, console
from logstream.core.results import Table

if TYPE_CHECKING:
    from rich.text import Text

_COLUMNS = ("timestamp", "source", "level", "message", "fields")
_SOURCE_CELLS = 20
_FIRST_ROWS, _TABLE_ROWS = 100, 1000
"""Rows that share one table, and with it column widths; then the next begins. The
first is short, since somebody waits for it.
"""


def write_entries(
    entries: Iterable[Found], how: OutputFormat, *, ids: bool, color: bool
) -> int:
    """Returns how many there were."""
    counted = _Counted(entries)
    match how:
        case OutputFormat.json:
            write_json_array(counted)
        case OutputFormat.ndjson:
            write_ndjson(counted)
        case OutputFormat.csv:
            columns = ("id", *_COLUMNS) if ids else _COLUMNS
            rows = ([getattr(entry, name) for name in columns] for entry in counted)
            write_csv(columns, rows)
        case OutputFormat.table if is_terminal():
            _write_tables(counted, ids=ids, color=color)
        case _:
            for entry in counted:
                write(plain_line(entry) + "\n")
    return counted.count


def entries_of(table: Table) -> list[Found] | None:
    """What rows of pipes are, where they are entries still; None: they are not."""
    if tuple(column.name for column in table.columns) != _COLUMNS:
        return None
    if any(not isinstance(row[4], dict) or None in row[:4] for row in table.rows):
        return None
    return [
        Found(
            timestamp=row[0],
            source=row[1],
            level=row[2],
            message=row[3],
            fields=msgspec.Raw(msgspec.json.encode(row[4])),
        )
        for row in table.rows
    ]


class _Counted:
    def __init__(self, entries: Iterable[Found]) -> None:
        self._entries = entries
        self.count = 0

    def __iter__(self) -> Iterator[Found]:
        for entry in self._entries:
            self.count += 1
            yield entry


def plain_line(entry: Found) -> str:
    """`timestamp LEVEL source message name=value …`, on one line."""
    parts = [
        entry.timestamp,
        for_line(entry.level.upper()),
        for_line(entry.source) or "-",
        for_line(entry.message),
    ]
    if entry.id is not None:
        parts.insert(0, entry.id)
    parts += [f"{name}={value}" for name, value in _pairs(entry.fields, for_line)]
    return " ".join(parts)


def _write_tables(entries: Iterable[Found], *, ids: bool, color: bool) -> None:
    from itertools import islice

    screen = console(color=color)
    rows = iter(entries)
    count = _FIRST_ROWS
    while page := list(islice(rows, count)):
        _write_table(page, screen, ids=ids)
        count = _TABLE_ROWS


def _write_table(entries: list[Found], screen: Any, *, ids: bool) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    if ids:
        table.add_column("id", no_wrap=True)
    # A terminal as narrow as 60 cells still has some left for the message.
    wide = screen.width >= 80
    table.add_column("time", no_wrap=wide, overflow="fold")
    table.add_column("level", no_wrap=True)
    table.add_column("source", no_wrap=True, max_width=_SOURCE_CELLS if wide else 10)
    table.add_column("message", overflow="fold", ratio=1)
    for entry in entries:
        style = STYLES.get(entry.level, "")
        cells = [
            cell(_shortened(entry.timestamp), "dim"),
            cell(entry.level.upper(), style),
            cell(entry.source, "cyan"),
            _message(entry, style),
        ]
        table.add_row(*([cell(entry.id)] if ids else []), *cells)
    screen.print(table)


def _shortened(timestamp: str) -> str:
    """To the millisecond: a person reads no more, and programs take other formats."""
    whole, point, fraction = timestamp.removesuffix("Z").partition(".")
    return f"{whole}{point}{fraction[:3]}Z"


def _message(entry: Found, style: str) -> "Text":
    text = cell(entry.message, style if entry.level in ("error", "fatal") else "")
    for name, value in _pairs(entry.fields, for_cell):
        text.append(f" {name}=", style="blue").append(value, style="dim")
    return text


def _pairs(fields: msgspec.Raw, escape: Any) -> Iterator[tuple[str, str]]:
    """Fields as text; nested ones by their dotted names."""
    decoded = msgspec.json.decode(fields)
    if isinstance(decoded, dict) and decoded:
        yield from _flat("", decoded, escape)


def _flat(prefix: str, value: Any, escape: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(f"{prefix}.{name}" if prefix else name, inner, escape)
        return
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if isinstance(value, str) and (not value or any(c in value for c in ' ="')):
        text = msgspec.json.encode(value).decode()
    yield escape(prefix), escape(text)
