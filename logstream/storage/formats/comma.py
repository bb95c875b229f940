"""CSV (RFC 4180): a header, CRLF, quotes doubled; null is empty, `json` JSON text."""

import csv
import io
from collections.abc import Callable
from typing import Any

from logstream.storage.results import Result


def write_csv(result: Result, sink: Callable[[bytes], None]) -> None:
    sink(_lines([tuple(result.names)]))
    at = [n for n, column in enumerate(result.columns) if column.kind == "boolean"]
    for rows in result.batches():
        sink(_lines([_with_words(row, at) for row in rows] if at else rows))


def _with_words(row: tuple[Any, ...], at: list[int]) -> tuple[Any, ...]:
    """`true` and `false`, as JSON has them; Python would write its own words."""
    values = list(row)
    for place in at:
        if values[place] is not None:
            values[place] = "true" if values[place] else "false"
    return tuple(values)


def _lines(rows: list[tuple[Any, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")
