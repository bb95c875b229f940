"""A real store to ask: entries loaded the way the loader does, a filter's SQL run."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import msgspec
import pytest

from logstream.core.entry import Entry
from logstream.core.sql import Sql

_LOAD = (
    "SELECT id, CAST(timestamp AS TIMESTAMP_NS) AS timestamp, source, level, message, "
    "CAST(fields AS VARIANT) AS fields FROM read_json(?, format='newline_delimited', "
    "columns={id: 'BIGINT', timestamp: 'VARCHAR', source: 'VARCHAR', "
    "level: 'VARCHAR', message: 'VARCHAR', fields: 'JSON'})"
)


class Store:
    """One table, `entries`, in the order that the entries were given."""

    def __init__(self, db: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self.db = db
        self._lines = folder / "entries.ndjson"

    def hold(self, entries: Sequence[Entry]) -> None:
        """Hold these and no others."""
        lines = [msgspec.json.encode(entry) for entry in entries]
        self._lines.write_bytes(b"".join(line + b"\n" for line in lines))
        self.db.execute(
            f"CREATE OR REPLACE TABLE entries AS {_LOAD}", [str(self._lines)]
        )

    def finds(self, sql: Sql) -> list[bool]:
        """The truth of an expression for each entry; fails if one is NULL."""
        text = f"SELECT {sql.text} FROM entries ORDER BY rowid"
        answers = [row[0] for row in self.db.execute(text, sql.params).fetchall()]
        # And as what it will be: the pushdown of a WHERE is other code.
        text = f"SELECT count(*) FROM entries WHERE {sql.text}"
        assert self.db.execute(text, sql.params).fetchall() == [(answers.count(True),)]
        assert None not in answers
        return answers


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """In memory."""
    with duckdb.connect() as db:
        db.execute("SET threads = 1")
        yield Store(db, tmp_path_factory.mktemp("query"))


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """In a file: its tables are shredded by a checkpoint, as finished days are."""
    folder = tmp_path_factory.mktemp("sealed")
    with duckdb.connect() as db:
        db.execute(f"ATTACH '{folder}/day.duckdb' AS day (STORAGE_VERSION 'latest')")
        db.execute("USE day")
        db.execute("SET threads = 1")
        yield Store(db, folder)
