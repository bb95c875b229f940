"""Building a skip index: the distinct words and values of each block, by DuckDB, and
tables of them, by numpy.

Of an array only that there is one is kept, for which of its elements is looked for is
not known; so are texts that begin as one does.

Which fields: those that a sample finds, the most frequent first. Of a field that is in
the index, every value is: what a sample misses costs a scan, never an answer.
"""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from logstream.core.needs import WORD_CHARS
from logstream.storage.selection import COLUMNS, value_of
from logstream.storage.skip_index import (
    ARRAY,
    BLOCK_ROWS,
    INDEXED_COLUMNS,
    token_hash,
    token_of,
    write_index,
)
from logstream.storage.token_table import MAX_BLOCKS, Sizes, encode

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_NAMES = 64
_SAMPLE_ROWS = 4096
_CHUNK_ROWS = 64 * BLOCK_ROWS
_MOST_PAIRS = 1 << 21
"""Of a table, to which no more are added then: they are sorted in memory."""

_WORDS = f"unnest(string_split_regex(lower(message), '[^{WORD_CHARS}]+'))"
_FRACTION = "regexp_full_match({}, '-?[0-9]*\\.[0-9]*[1-9]')"


def build_index(
    cursor: duckdb.DuckDBPyConnection,
    table: str,
    path: Path,
    *,
    key: str,
    rows: int,
    columns: bool = False,
    together: bool = False,
    unfounded: Collection[str] = (),
    check: Callable[[], None] = lambda: None,
) -> None:
    """Over a table of entries whose `place` goes from 0 to below `rows`.

    Args:
        columns: Each field is a column in all of the table.
        together: No field is one.
        unfounded: Names of doubts that no entry gives reason for.
        check: Called now and then; what it raises ends the building.

    Raises:
        duckdb.Error, OSError: it is not built.
    """
    import numpy as np

    names = _names(cursor, table, rows)
    tables: list[tuple[Sizes, bytes]] = []
    held: list[tuple[NDArray[np.uint8], NDArray[np.uint64]]] = []
    first = 0
    marks = {name: token_hash(token_of(name, ARRAY)) for name in names}
    wanted = np.array([*marks.values()], dtype=np.uint64)
    arrays: set[str] = set()
    start, step = 0, _CHUNK_ROWS
    while start < rows:
        check()
        end = min(start + step, rows)
        try:
            blocks, hashes = _tokens_either_way(cursor, table, names, start, end)
        except duckdb.OutOfMemoryException:
            if step == BLOCK_ROWS:
                raise
            step //= 8  # entries are large
            continue
        there = set(hashes[np.isin(hashes, wanted)].tolist())
        arrays |= {name for name, mark in marks.items() if mark in there}
        held.append(((blocks - first).astype(np.uint8), hashes))
        start, after = end, -(-end // BLOCK_ROWS)
        pairs = sum(each.size for _, each in held)
        if end == rows or after - first == MAX_BLOCKS or pairs >= _MOST_PAIRS:
            numbers, tokens = (np.concatenate(each) for each in zip(*held, strict=True))
            tables.append(encode(numbers, tokens, after - first))
            held, first = [], after
    write_index(
        path,
        key=key,
        rows=rows,
        names=[*names, *INDEXED_COLUMNS],
        tables=tables,
        arrays=arrays,
        columns=columns,
        together=together,
        in_place=_is_in_place(cursor, table),
        unfounded=unfounded,
    )


def _is_in_place(cursor: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Whether the number of each row is its place."""
    text = f"SELECT count(*) FROM {table} WHERE rowid <> place"
    return not cursor.execute(text).fetchall()[0][0]


def _names(cursor: duckdb.DuckDBPyConnection, table: str, rows: int) -> list[str]:
    """Of fields at the top, as a sample has them. One called as a column is left out,
    and so are two that differ in case only, of which DuckDB makes one.
    """
    step = max(rows // _SAMPLE_ROWS, 1)
    text = (
        "SELECT name FROM (SELECT unnest(json_keys(CAST(fields AS JSON))) AS name "
        f"FROM {table} WHERE place % ? = 0) WHERE name NOT IN (?, ?, ?, ?, ?, '') "
        "AND NOT contains(name, '.') "
        "GROUP BY name ORDER BY count(*) DESC, name LIMIT ?"
    )
    found = cursor.execute(text, (step, *COLUMNS, MAX_NAMES)).fetchall()
    return [name for (name,) in found]


def _tokens_either_way(
    cursor: duckdb.DuckDBPyConnection,
    table: str,
    names: Sequence[str],
    start: int,
    end: int,
) -> "tuple[NDArray[np.int64], NDArray[np.uint64]]":
    try:
        return _tokens(cursor, table, names, start, end, fast=True)
    except (duckdb.InterruptException, duckdb.OutOfMemoryException):
        raise
    except duckdb.Error:  # a value that the fast form fails on
        return _tokens(cursor, table, names, start, end, fast=False)


def _tokens(
    cursor: duckdb.DuckDBPyConnection,
    table: str,
    names: Sequence[str],
    start: int,
    end: int,
    *,
    fast: bool,
) -> "tuple[NDArray[np.int64], NDArray[np.uint64]]":
    """Block and hash of the tokens of some rows."""
    pairs = ["'source=' || source", "'level=' || level"]
    params: list[object] = []
    for name in names:
        value = value_of(f"fields.{name}", fast=fast)
        test = _FRACTION.format(value.text)
        held = f"CASE WHEN {value.text}[1] = '[' THEN '[' ELSE {value.text} END"
        pairs.append(f"CASE WHEN NOT {test} THEN ? || {held} END")
        params += [*value.params, f"{name}=", *value.params, *value.params]
    where = f"FROM {table} WHERE place BETWEEN {start:d} AND {end - 1:d}"
    block = f"place // {BLOCK_ROWS} AS block"
    text = (
        f"SELECT block, md5_number_lower(token) AS hash FROM (SELECT DISTINCT block, "
        f"token FROM (SELECT {block}, {_WORDS} AS token {where} UNION ALL "
        f"SELECT {block}, unnest([{', '.join(pairs)}]) AS token {where}) "
        "WHERE token IS NOT NULL AND token <> '')"
    )
    found = cursor.execute(text, params).fetchnumpy()
    return found["block"].astype("i8"), found["hash"]
