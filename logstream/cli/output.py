"""Standard output: formats, machine-readable ones byte by byte, and closed pipes."""

import csv
import io
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any


class OutputFormat(StrEnum):
    """What commands print. `table` is for people, the others for programs."""

    table = "table"
    json = "json"
    ndjson = "ndjson"
    csv = "csv"


class AnswerFormat(StrEnum):
    """`OutputFormat`, and what only files and programs read."""

    table = "table"
    json = "json"
    ndjson = "ndjson"
    csv = "csv"
    arrow = "arrow"
    parquet = "parquet"


def is_terminal() -> bool:
    """Whether standard output is shown to a person."""
    return sys.stdout.isatty()


def write(data: bytes | str) -> None:
    """To standard output, in UTF-8 whatever the locale is.

    Raises:
        BrokenPipeError: the reader has gone; the program's top ends it quietly.
    """
    if isinstance(data, str):
        # A lone surrogate cannot be UTF-8, and a log may hold one.
        data = data.encode("utf-8", "backslashreplace")
    sys.stdout.flush()
    sys.stdout.buffer.write(data)


def writer_of(how: AnswerFormat) -> Callable[[bytes], None]:
    """What takes the parts of a file.

    Raises:
        BadRequest: only programs can read it, and standard output is a terminal.
    """
    from logstream.core.errors import BadRequest

    if is_terminal() and how in (AnswerFormat.arrow, AnswerFormat.parquet):
        raise BadRequest(
            f"--output {how} is nothing to look at: send it to a file (> rows.{how}) "
            "or to a program (|)."
        )
    return write


def flush() -> None:
    sys.stdout.flush()
    sys.stdout.buffer.flush()


def abandon_stdout() -> None:
    """After the reader has gone: nothing is written, at the exit of Python neither."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def write_records(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], how: OutputFormat
) -> None:
    """Rows as JSON, NDJSON or CSV. For tables see `tables.write_table`."""
    if how is OutputFormat.csv:
        write_csv(columns, rows)
        return
    objects = (dict(zip(columns, row, strict=True)) for row in rows)
    if how is OutputFormat.json:
        write_json(list(objects))
    else:
        write_ndjson(objects)


def write_json(value: Any) -> None:
    import msgspec

    encoded = msgspec.json.encode(value)
    if is_terminal():
        encoded = msgspec.json.format(encoded, indent=2)
    write(encoded + b"\n")


def write_ndjson(values: Iterable[Any]) -> None:
    """One line each, as they come."""
    import msgspec

    encode = msgspec.json.Encoder().encode
    live = is_terminal()
    for value in values:
        write(encode(value) + b"\n")
        if live:
            flush()


def write_json_array(values: Iterable[Any]) -> None:
    """One array, an element a line, written as the elements come."""
    import msgspec

    encode = msgspec.json.Encoder().encode
    before = b"[\n"
    for value in values:
        write(before + encode(value))
        before = b",\n"
    write(b"\n]\n" if before == b",\n" else b"[]\n")


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """RFC 4180: CRLF, quotes doubled. Objects and lists are JSON; null is empty.

    Args:
        columns: The header line; empty = none.
    """
    if columns:
        write(_csv_line(columns))
    for row in rows:
        write(_csv_line([_cell(value) for value in row]))


def _csv_line(values: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(values)
    return line.getvalue()


def _cell(value: Any) -> str:
    import msgspec

    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | Mapping | list | tuple | msgspec.Raw):
        return msgspec.json.encode(value).decode()
    return str(value)
