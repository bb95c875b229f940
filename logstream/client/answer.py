"""An answer: what a query found, as rows, as Arrow, or as a table to look at."""

import html
import io
import unicodedata
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from logstream.core.results import ResultColumn, Table

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

_SHOWN_ROWS = 20
_SHOWN_WIDTH = 40

Form = Literal["table", "arrow"]
Ask = Callable[[Form], bytes]


class Answer:
    """Runs when it is first looked at, once as rows and once as Arrow.

    Use from one thread.

    Raises (each method that looks):
        LogStreamError: what the query is refused or stopped for.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    @cached_property
    def _table(self) -> Table:
        return msgspec.json.decode(self._ask("table"), type=Table)

    @cached_property
    def _stream(self) -> bytes:
        return self._ask("arrow")

    @property
    def columns(self) -> tuple[ResultColumn, ...]:
        """Their names and kinds."""
        return self._table.columns

    @property
    def truncated(self) -> bool:
        """Whether there are more rows than the limit."""
        return self._table.truncated

    def rows(self) -> list[dict[str, Any]]:
        """Times are RFC 3339 text, all else is as JSON has it."""
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self._table.rows]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows())

    def __len__(self) -> int:
        return len(self._table.rows)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Arrow's C interface: what takes it needs nothing else installed."""
        from nanoarrow.ipc import InputStream

        stream = InputStream.from_readable(io.BytesIO(self._stream))
        return stream.__arrow_c_stream__(requested_schema)

    def arrow(self) -> "pyarrow.Table":
        """Raises ImportError."""
        try:
            import pyarrow as pa
        except ImportError:
            raise _missing("pyarrow") from None
        return pa.table(self)

    def df(self) -> "pandas.DataFrame":
        """Times are UTC. Raises ImportError."""
        try:
            import pandas as pd
        except ImportError:
            raise _missing("pandas") from None
        try:
            import pyarrow as pa
        except ImportError:
            names = [column.name for column in self.columns]
            frame = pd.DataFrame(self.rows(), columns=names)
            for name in (one.name for one in self.columns if one.kind == "time"):
                frame[name] = pd.to_datetime(frame[name], format="ISO8601", utc=True)
            return frame
        return pa.table(self).to_pandas()

    to_pandas = df

    def pl(self) -> "polars.DataFrame":
        """Raises ImportError."""
        try:
            import polars
        except ImportError:
            raise _missing("polars") from None
        return polars.DataFrame(self)

    to_polars = pl

    def __repr__(self) -> str:
        """The first rows, as a table of text."""
        names = [_cut(column.name) for column in self.columns]
        shown = [[_cut(_text(value)) for value in row] for row in self._first]
        widths = [max(map(_width, cells)) for cells in zip(names, *shown, strict=True)]
        numeric = [_is_numeric(column) for column in self.columns]
        lines = [
            "  ".join(map(_padded, row, widths, numeric)).rstrip()
            for row in (names, ["─" * width for width in widths], *shown)
        ]
        return "\n".join([*lines, self._summary])

    def _repr_html_(self) -> str:
        """For notebooks. All text is escaped."""
        head = "".join(f"<th>{html.escape(one.name)}</th>" for one in self.columns)
        body = "".join(
            "<tr>"
            + "".join(f"<td>{html.escape(_text(value))}</td>" for value in row)
            + "</tr>"
            for row in self._first
        )
        return (
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f"<p>{html.escape(self._summary)}</p>"
        )

    @property
    def _first(self) -> list[list[Any]]:
        return self._table.rows[:_SHOWN_ROWS]

    @property
    def _summary(self) -> str:
        count = len(self)
        noun = "row" if count == 1 else "rows"
        more = f", the first {_SHOWN_ROWS} shown" if count > _SHOWN_ROWS else ""
        rest = "; there are more: set limit" if self.truncated else ""
        return f"{count:,} {noun}{more}{rest}"


def _missing(package: str) -> ImportError:
    return ImportError(
        f"{package} is not installed: `pip install {package}`, or use rows()."
    )


def _is_numeric(column: ResultColumn) -> bool:
    return column.kind in ("integer", "number", "duration")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def _cut(text: str) -> str:
    text = "".join(" " if unicodedata.category(c)[0] == "C" else c for c in text)
    return text if len(text) <= _SHOWN_WIDTH else text[: _SHOWN_WIDTH - 1] + "…"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _padded(text: str, width: int, right: bool) -> str:
    blanks = " " * (width - _width(text))
    return blanks + text if right else text + blanks
