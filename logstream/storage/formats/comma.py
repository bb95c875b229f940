"""CSV (RFC 4180): a header, CRLF, quotes doubled; null is empty, `json` JSON text, of
which a text is itself, without quotes.
"""

import csv
import io
from collections.abc import Callable
from typing import Any

import msgspec

from logstream.storage.results import Result


def write_csv(result: Result, sink: Callable[[bytes], None]) -> None:
    sink(_lines([tuple(result.names)]))
    at = [
        (place, _AS_TEXT[column.kind])
        for place, column in enumerate(result.columns)
        if column.kind in _AS_TEXT
    ]
    for rows in result.batches():
        sink(_lines([_in_words(row, at) for row in rows] if at else rows))


def _in_words(
    row: tuple[Any, ...], at: list[tuple[int, Callable[[Any], str]]]
) -> tuple[Any, ...]:
    values = list(row)
    for place, as_text in at:
        if values[place] is not None:
            values[place] = as_text(values[place])
    return tuple(values)


def _boolean(value: bool) -> str:
    """As JSON has them; Python would write its own words."""
    return "true" if value else "false"


def _bare(value: str) -> str:
    return msgspec.json.decode(value, type=str) if value.startswith('"') else value


_AS_TEXT: dict[str, Callable[[Any], str]] = {"boolean": _boolean, "json": _bare}


def _lines(rows: list[tuple[Any, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")
