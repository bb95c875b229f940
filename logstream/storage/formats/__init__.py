"""What results are written as: one file each, and the table of them."""

from collections.abc import Callable, Mapping
from typing import Literal, get_args

from logstream.storage.formats.arrow import write_arrow
from logstream.storage.formats.comma import write_csv
from logstream.storage.formats.json import write_json, write_ndjson, write_table
from logstream.storage.formats.parquet import write_parquet
from logstream.storage.results import Result

FormatName = Literal["json", "ndjson", "csv", "arrow", "parquet", "table"]

Sink = Callable[[bytes], None]
"""Takes the parts one after another; what it raises ends the writing."""

WRITERS: Mapping[FormatName, Callable[[Result, Sink], None]] = {
    "json": write_json,
    "ndjson": write_ndjson,
    "csv": write_csv,
    "arrow": write_arrow,
    "parquet": write_parquet,
    "table": write_table,
}
assert set(WRITERS) == set(get_args(FormatName))


def write(result: Result, name: FormatName, sink: Sink) -> None:
    """Write all rows, a part after another, in bounded memory.

    Raises:
        duckdb.Error: the statement cannot be run, or to its end.
    """
    WRITERS[name](result, sink)
