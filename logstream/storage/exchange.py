"""Files of other programs: DuckDB databases written, and tables read back as entries.

Runs in a DuckDB of its own, which knows nothing of the store.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import duckdb

from logstream.core.errors import BadRequest
from logstream.storage.hub import first_line

TableKind = Literal["parquet", "csv", "duckdb", "arrow"]

_BATCH_ROWS = 2048
_READ = {
    "parquet": "SELECT * FROM read_parquet(?)",
    "csv": "SELECT * FROM read_csv(?, all_varchar = true, header = true)",
}
_ARROW_FILE = b"ARROW1"
_ARROW_FILE_HEAD = 8
"""Bytes before the stream that a file of Arrow is; an index of it comes behind."""
TABLE = "logs"
"""What the table in a DuckDB database is called."""


def write_duckdb(parquet: Path, target: Path) -> None:
    """A new database with the rows of a Parquet file; `fields` becomes a VARIANT.

    Raises:
        OSError, duckdb.Error: it cannot be written.
    """
    db = duckdb.connect(":memory:")
    try:
        quoted = str(target).replace("'", "''")
        db.execute(f"ATTACH '{quoted}' AS target (STORAGE_VERSION 'latest')")
        names = _columns(db, "SELECT * FROM read_parquet(?)", str(parquet))
        replaced = "* REPLACE (fields::JSON::VARIANT AS fields)"
        select = replaced if "fields" in names else "*"
        db.execute(
            f"CREATE TABLE target.{TABLE} AS SELECT {select} FROM read_parquet(?)",
            (str(parquet),),
        )
        db.execute("DETACH target")
    finally:
        db.close()


def read_lines(path: Path, kind: TableKind) -> Iterator[bytes]:
    """The rows of a file as NDJSON, some thousand lines at a time.

    Columns that an entry has are taken as such, all others as fields. `fields` may be
    JSON text.

    Raises:
        BadRequest: the file is none of that kind, or damaged.
    """
    db = duckdb.connect(":memory:", config={"autoinstall_known_extensions": False})
    with ExitStack() as opened:
        opened.callback(db.close)
        try:
            db.execute("SET TimeZone = 'UTC'")
            yield from _lines(db, path, kind, opened)
        except duckdb.Error as error:
            message = f"{path} cannot be read as {kind}: {first_line(error)}"
            raise BadRequest(message) from None


def _lines(
    db: duckdb.DuckDBPyConnection, path: Path, kind: TableKind, opened: ExitStack
) -> Iterator[bytes]:
    params: tuple[str, ...] = (str(path),)
    if kind == "duckdb":
        quoted = str(path).replace("'", "''")
        db.execute(f"ATTACH '{quoted}' AS given (READ_ONLY)")
        read, params = f"SELECT * FROM given.{TABLE}", ()
    elif kind == "arrow":
        db.register("given", _ArrowFile(path, opened))
        read, params = "SELECT * FROM given", ()
    else:
        read = _READ[kind]
    columns = _columns(db, read, *params)
    inner = [f"c{at}" for at in range(len(columns))]
    pairs = ", ".join(
        f"? || nullif(to_json({_value(alias, name, of)})::VARCHAR, 'null')"
        for alias, (name, of) in zip(inner, columns.items(), strict=True)
    )
    # A column that is null is a value that is not there, which an entry does not say;
    # a null inside of `fields` is one that it says.
    text = (
        f"SELECT '{{' || concat_ws(',', {pairs}) || '}}' "
        f"FROM ({read}) AS t({', '.join(inner)})"
    )
    names = [json.dumps(name) + ":" for name in columns]
    db.execute(text, (*names, *params))
    while rows := db.fetchmany(_BATCH_ROWS):
        yield b"".join(row[0].encode() + b"\n" for row in rows)


class _ArrowFile:
    """Arrow IPC, a stream or a file, as DuckDB takes it: it asks more than once."""

    def __init__(self, path: Path, opened: ExitStack) -> None:
        self._path = path
        self._opened = opened

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        from nanoarrow.ipc import InputStream

        file = self._opened.enter_context(self._path.open("rb"))
        is_file = file.read(len(_ARROW_FILE)) == _ARROW_FILE
        file.seek(_ARROW_FILE_HEAD if is_file else 0)
        stream = InputStream.from_readable(file)
        return stream.__arrow_c_stream__(requested_schema)


def _columns(db: duckdb.DuckDBPyConnection, read: str, *params: str) -> dict[str, str]:
    """Type by name."""
    found = db.execute(f"DESCRIBE {read}", params).fetchall()
    return {str(row[0]): str(row[1]) for row in found}


def _value(alias: str, name: str, kind: str) -> str:
    if kind.startswith("TIMESTAMP"):
        text = f"strftime({alias}::TIMESTAMP_NS, '%Y-%m-%dT%H:%M:%S.%n') || 'Z'"
        return (
            text
            if "ZONE" not in kind
            else text.replace(
                f"{alias}::TIMESTAMP_NS", f"({alias} AT TIME ZONE 'UTC')::TIMESTAMP_NS"
            )
        )
    if name == "fields" and kind == "VARCHAR":
        return f"coalesce(TRY_CAST({alias} AS JSON), '{{}}'::JSON)"
    if name == "fields":
        return f"{alias}::JSON"
    if name == "message":
        return f"coalesce({alias}, '')"  # CSV cannot tell an empty text from none
    return alias
