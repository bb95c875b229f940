"""Spreading: each row group of a compacted day has every field that the day has.

DuckDB makes a column of each field that a row group holds. A field that none of its
245 760 rows has is looked for in each of them, for 0.8 us a row, where a column costs
0.01 us. In the order of compaction, entries of a source stand together, so most row
groups would lack the fields of the others: `status:>=500` over a million entries of
four sources took 187 ms, and with this 6 ms.

So a few entries of each kind stand elsewhere, every 160 000 rows. Their fields make the
columns, by which the file becomes 4 % larger.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import duckdb
import msgspec

from logstream.core.doubts import INFINITE
from logstream.storage.doubting import unfounded

ROW_GROUP_ROWS: Final = 245_760
"""Twice as many as usual, for half as many columns of fields that are rare in a source:
the file is 2 % smaller."""
EVERY_ROWS: Final = 160_000
"""Between two places with entries of other kinds, more or less, for it is a sample that
tells where they are: one in each row group, or more."""
_SAMPLED = 4096
"""Rows at least, from which it is told where those places are."""
_SAMPLE_SHARE = 1000
_MOST_SHAPES = 10_000
"""To choose from. With more, any row group has about everything."""
_MOST_BYTES = 16_384
"""Of the structure of one entry."""
_LEAST_ROWS = 30_000
"""Of a row group that has columns, if not told otherwise."""
_LAST_ROWS = 2048
"""The same, of the last row group of many."""

_SHAPES = """
CREATE TEMP TABLE shapes AS
    SELECT id, hash(json_structure(told)) AS shape,
        contains(told::VARCHAR, 'Infinity') OR contains(told::VARCHAR, 'NaN') AS odd
    FROM (SELECT id, CAST(fields AS JSON) AS told FROM old.entries)
"""
_FOUND = f"""
SELECT shape, json_structure(CAST(fields AS JSON))::VARCHAR AS structure
FROM old.entries JOIN (SELECT shape, min(id) AS id FROM shapes GROUP BY shape
    ORDER BY id LIMIT {_MOST_SHAPES}) USING (id)
WHERE length(structure) <= {_MOST_BYTES}
"""
_SPREAD = """
CREATE OR REPLACE TEMP TABLE spread AS
WITH sampled AS (SELECT {columns} FROM old.entries
        USING SAMPLE {sampled} ROWS (reservoir, 1)),
    sorted AS (SELECT *, row_number() OVER (ORDER BY {names}) - 1 AS nth FROM sampled),
    sites AS (SELECT {names}, row_number() OVER () - 1 AS site FROM sorted
        WHERE nth % {step} = 0 OR nth = (SELECT max(nth) FROM sorted)),
    chosen AS (SELECT id AS moved, row_number() OVER (PARTITION BY shape ORDER BY id)
        - 1 AS site FROM shapes WHERE shape IN (SELECT unnest(?::UBIGINT[])))
SELECT moved, {names} FROM chosen JOIN sites USING (site)
"""
_NOTHING = """
CREATE OR REPLACE TEMP TABLE spread AS
SELECT id AS moved, {columns} FROM old.entries LIMIT 0
"""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a look at all entries told."""

    columns: bool
    """Each field is a column in all row groups."""
    together: bool = False
    """No field is one."""
    unfounded: tuple[str, ...] = ()
    """Names of `core.doubts` that no entry gives reason for."""


def choose(db: duckdb.DuckDBPyConnection, order: Sequence[tuple[str, str]]) -> Known:
    """Fill the table `spread`: which entries of `old.entries` are sorted like others.

    Args:
        order: What entries are sorted by, each with the name that it gets.

    Raises:
        duckdb.Error: the entries cannot be read.
    """
    rows = no_others(db, order)
    db.execute(_SHAPES)
    found = db.execute(_FOUND).fetchall()
    text = "SELECT count(DISTINCT shape), coalesce(bool_or(odd), FALSE) FROM shapes"
    kinds, odd = db.execute(text).fetchall()[0]
    told = [msgspec.json.decode(text) for _, text in found]
    chosen = cover([frozenset(_paths(one)) for one in told])
    if chosen and rows > ROW_GROUP_ROWS:
        sampled = max(_SAMPLED, rows // _SAMPLE_SHARE)
        text = _SPREAD.format(
            columns=_columns(order),
            names=", ".join(name for _, name in order),
            sampled=sampled,
            step=max(1, min(rows, sampled) * EVERY_ROWS // rows),
        )
        db.execute(text, ([found[at][0] for at in chosen],))
    db.execute("DROP TABLE shapes")
    if rows > ROW_GROUP_ROWS:
        db.execute(f"SET variant_minimum_shredding_size = {_LAST_ROWS}")
    return Known(
        columns=rows >= _LEAST_ROWS,
        unfounded=(
            *(() if odd else (INFINITE,)),
            *(unfounded(told) if kinds == len(found) else ()),
        ),
    )


def no_others(db: duckdb.DuckDBPyConnection, order: Sequence[tuple[str, str]]) -> int:
    """Make the table `spread` without any; returns how many entries there are."""
    db.execute(_NOTHING.format(columns=_columns(order)))
    return int(db.execute("SELECT count(*) FROM old.entries").fetchall()[0][0])


def _columns(order: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{sql} AS {name}" for sql, name in order)


def cover(shapes: Sequence[frozenset[Any]]) -> list[int]:
    """Few of them that have, together, all that not each of them has."""
    if not shapes:
        return []
    left = frozenset().union(*shapes) - frozenset.intersection(*shapes)
    chosen = []
    while left:
        best = max(range(len(shapes)), key=lambda at: len(left & shapes[at]))
        chosen.append(best)
        left -= shapes[best]
    return chosen


def _paths(structure: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """To the values of an object, by DuckDB's `json_structure`."""
    if not isinstance(structure, dict):
        return
    for name, inner in structure.items():
        if inner != "NULL":
            yield (*above, name)
            yield from _paths(inner, (*above, name))
