"""The view `logs`: the days as one table, on the connection of one statement.

A temporary view, so that the text that was checked runs as it stands. DuckDB reads of
each day the columns and, of shredded fields, the paths that the statement uses, below
the union as well; a condition on `timestamp` leaves the blocks out that are not of that
time.
"""

from collections.abc import Sequence

import duckdb

from logstream.storage.partition import Partition

NAME = "logs"
_COLUMNS = "timestamp, source, level, message, fields, id"
_NOTHING = (
    "SELECT NULL::TIMESTAMP_NS AS timestamp, '' AS source, '' AS level, '' AS message, "
    "NULL::VARIANT AS fields, 0::BIGINT AS id WHERE FALSE"
)


def make_view(
    db: duckdb.DuckDBPyConnection,
    days: Sequence[Partition],
    *,
    from_ns: int | None,
    to_ns: int | None,
    name: str = NAME,
    more: Sequence[str] = (),
) -> None:
    """Make it, or make it anew, over some days and the instants in [from_ns, to_ns).

    Args:
        more: Columns beside those of an entry, each as SQL with its name.
    """
    where = _where(from_ns, to_ns)
    columns = ", ".join([_COLUMNS, *more])
    selects = [f"SELECT {columns} FROM {day.name}.entries{where}" for day in days]
    if not selects:
        selects = [f"SELECT {columns} FROM ({_NOTHING})"]
    union = " UNION ALL ".join(selects)
    db.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {union}")


def _where(from_ns: int | None, to_ns: int | None) -> str:
    # A view takes no parameters; these are numbers.
    tests = []
    if from_ns is not None:
        tests.append(f"timestamp >= make_timestamp_ns({from_ns:d})")
    if to_ns is not None:
        tests.append(f"timestamp < make_timestamp_ns({to_ns:d})")
    return f" WHERE {' AND '.join(tests)}" if tests else ""
