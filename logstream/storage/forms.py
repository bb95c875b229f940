"""The two forms of a read, and how often it is tried.

The fast form relies on values being what most of them are; when one is not, DuckDB
fails, and the safe form answers (see `Selection.fast`). A day that was compacted,
removed or attached anew since it was looked up is looked up again.
"""

from collections.abc import Callable
from typing import TypeVar

import duckdb

from logstream.storage.partitions import Partitions

T = TypeVar("T")

_TRIES = 3
_FINAL = (
    duckdb.InterruptException,
    duckdb.OutOfMemoryException,
    duckdb.FatalException,
)
"""What stops a read in either of its forms."""


class Begun(Exception):
    """An error behind the first row: the other form cannot take over any more."""

    def __init__(self, error: duckdb.Error) -> None:
        super().__init__(str(error))
        self.error = error


def either_way(
    db: duckdb.DuckDBPyConnection, read: Callable[[duckdb.DuckDBPyConnection, bool], T]
) -> T:
    """What `read` gives in its fast form, or in its safe one when that fails.

    Raises:
        duckdb.Error: both failed, or what stops either.
        Begun: as `read` raised it.
    """
    try:
        return read(db, True)
    except _FINAL:
        raise
    except duckdb.Error:
        return read(db, False)


def read_again(
    db: duckdb.DuckDBPyConnection,
    partitions: Partitions,
    read: Callable[[duckdb.DuckDBPyConnection, bool], T],
) -> T:
    """`either_way`, tried again while the days that it needs change under it.

    Raises:
        duckdb.Error: it cannot be read.
    """
    for left in reversed(range(_TRIES)):
        try:
            return either_way(db, read)
        except Begun as begun:
            raise begun.error from begun
        except (duckdb.CatalogException, duckdb.BinderException):
            if not left:
                raise
        except duckdb.Error as error:
            if not left or not partitions.mends(error):
                raise
    raise AssertionError
