"""Parquet: its table of contents comes last and points back, so that DuckDB needs a
file to write to; that is sent on when it is whole, and is gone afterwards.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

from logstream.core.errors import BadRequest
from logstream.storage.results import Result

_PART_BYTES = 1_048_576


def write_parquet(result: Result, sink: Callable[[bytes], None]) -> None:
    """Raises BadRequest: the store is in memory, and DuckDB may write no file."""
    if result.tmp is None:
        raise BadRequest("A store in memory writes no Parquet: ask for arrow.")
    with tempfile.TemporaryDirectory(prefix="result-", dir=result.tmp) as folder:
        path = Path(folder) / "result.parquet"
        result.write_parquet(path)
        result.begun = True
        with path.open("rb") as file:
            while part := file.read(_PART_BYTES):
                sink(part)
