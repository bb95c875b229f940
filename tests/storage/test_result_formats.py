"""Results in every format: the same rows, whatever they are written as."""

import csv
import io
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from logstream.core.errors import BadRequest
from logstream.core.results import ResultColumn
from logstream.core.sql import Sql
from logstream.storage.formats import WRITERS, write
from logstream.storage.results import Result, unique_names

Db = duckdb.DuckDBPyConnection
COLUMNS = (
    ResultColumn("source", "text"),
    ResultColumn("count", "integer"),
    ResultColumn("share", "number"),
    ResultColumn("late", "boolean"),
    ResultColumn("at", "time"),
    ResultColumn("fields", "json"),
)
STATEMENT = Sql(
    """SELECT ?, 3::HUGEINT, 0.5::DECIMAL(4, 2), true,
    make_timestamp_ns(1763600000000000001),
    '{"a":[1,"Infinity"],"b":1e999}'::JSON::VARIANT
    UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL""",
    ('web, "x"\n\'',),
)


@pytest.fixture
def db() -> Iterator[Db]:
    with duckdb.connect() as found:
        yield found


def written(result: Result, name: str) -> bytes:
    parts: list[bytes] = []
    result.tmp = result.tmp or Path(tempfile.gettempdir())
    write(result, name, parts.append)  # type: ignore[arg-type]
    return b"".join(parts)


def numbers(db: Db, rows: int, **more: Any) -> Result:
    columns = (ResultColumn("n", "integer"),)
    statement = Sql("SELECT range FROM range(?)", (rows,))
    return Result(db, statement, columns, **more)


def test_json_has_native_values(db: Db) -> None:
    """Times are RFC 3339, `json` is a value, and infinite numbers are null."""
    first, second = json.loads(written(Result(db, STATEMENT, COLUMNS), "json"))
    assert first == {
        "source": 'web, "x"\n\'',
        "count": 3,
        "share": 0.5,
        "late": True,
        "at": "2025-11-20T00:53:20.000000001Z",
        "fields": {"a": [1, "Infinity"], "b": None},
    }
    assert set(second.values()) == {None}


def test_ndjson_and_table_hold_what_json_does(db: Db) -> None:
    rows = json.loads(written(Result(db, STATEMENT, COLUMNS), "json"))
    lines = written(Result(db, STATEMENT, COLUMNS), "ndjson").splitlines()
    table = json.loads(written(Result(db, STATEMENT, COLUMNS), "table"))
    assert [json.loads(line) for line in lines] == rows
    assert [one["kind"] for one in table["columns"]] == [c.kind for c in COLUMNS]
    assert table["rows"] == [list(row.values()) for row in rows]


def test_csv_quotes_what_has_to_be(db: Db) -> None:
    text = written(Result(db, STATEMENT, COLUMNS), "csv").decode()
    header, first, second = csv.reader(io.StringIO(text, newline=""))
    assert header == [column.name for column in COLUMNS]
    assert first[:5] == [
        'web, "x"\n\'',
        "3",
        "0.5",
        "true",
        "2025-11-20T00:53:20.000000001Z",
    ]
    assert second == [""] * 6


def test_arrow_has_real_instants(db: Db) -> None:
    """Nanoseconds, in UTC; what JSON is inside stays text."""
    import nanoarrow

    raw = written(Result(db, STATEMENT, COLUMNS), "arrow")
    with nanoarrow.ArrayStream.from_readable(raw) as stream:
        read = stream.read_all()
    schema = {one.name: one for one in read.schema.fields}
    assert list(schema) == [column.name for column in COLUMNS]
    assert schema["at"].unit.name == "NANO"
    assert schema["at"].timezone == "UTC"
    assert read.child(1).to_pylist() == [3, None]


def test_parquet_is_what_duckdb_reads_back(db: Db, tmp_path: Path) -> None:
    """The file that it goes through is gone in the end."""
    raw = written(Result(db, STATEMENT, COLUMNS, tmp=tmp_path), "parquet")
    assert not list(tmp_path.iterdir())
    file = tmp_path / "read.parquet"
    file.write_bytes(raw)
    kinds = db.execute("SELECT name, type FROM parquet_schema(?)", (str(file),))
    assert [name for name, _ in kinds.fetchall()[1:]] == [c.name for c in COLUMNS]
    text = 'SELECT epoch_ns("at"), count FROM read_parquet(?)'
    assert db.execute(text, (str(file),)).fetchall()[0] == (1763600000000000001, 3)


@pytest.mark.parametrize("name", WRITERS)
def test_nothing_is_an_answer_too(db: Db, name: str) -> None:
    """No rows: still a whole document."""
    found = written(numbers(db, 0), name)
    expected = {
        "json": b"[]",
        "ndjson": b"",
        "csv": b"n\r\n",
        "table": b'{"columns":[{"name":"n","kind":"integer"}],"rows":[]}',
    }
    assert found == expected.get(name, found)


@pytest.mark.parametrize("name", sorted(set(WRITERS) - {"parquet"}))
def test_parts_appear_before_the_end(db: Db, name: str) -> None:
    """200 000 rows are never in one piece, and a sink that gives up ends it."""

    class Enough(Exception):
        pass

    taken: list[int] = []

    def take(part: bytes) -> None:
        taken.append(len(part))
        if sum(taken) > 1000:
            raise Enough

    whole = len(written(numbers(db, 200_000), name))
    with pytest.raises(Enough):
        write(numbers(db.cursor(), 200_000), name, take)  # type: ignore[arg-type]
    assert 1000 < sum(taken) <= whole * 0.7


def test_a_limit_bounds_the_rows(db: Db) -> None:
    assert written(numbers(db, 5, limit=2), "json") == b'[{"n":0},{"n":1}]'


HOSTILE = ['"', '""; DROP TABLE x; --', "a\0b", "\ud800", "", "A", "a", "ä{}", "?"]


@pytest.mark.parametrize("name", WRITERS)
def test_names_are_only_names(db: Db, name: str) -> None:
    """Whatever a user calls a column, it is quoted, and there once."""
    columns = [ResultColumn(one, "integer") for one in HOSTILE]
    statement = Sql(f"SELECT {', '.join('?' * len(columns))}", (1,) * len(columns))
    assert written(Result(db, statement, columns), name)


def test_unique_names_differ_by_more_than_case() -> None:
    assert unique_names(["a", "A", "a_2", ""]) == ["a", "A_2", "a_2_2", "_"]


def test_what_stops_the_statement_is_told_as_such(db: Db) -> None:
    """Arrow streams know text only; it comes out as DuckDB's own error."""
    columns = (ResultColumn("n", "integer"),)
    statement = Sql(
        "SELECT (range || CASE WHEN range > 9 THEN 'x' END)::INT FROM range(99)"
    )
    for name in WRITERS:
        with pytest.raises(duckdb.Error, match=r"[Cc]onver"):
            written(Result(db.cursor(), statement, columns), name)


def test_a_store_in_memory_writes_no_parquet(db: Db) -> None:
    with pytest.raises(BadRequest, match="arrow"):
        write(numbers(db, 1), "parquet", lambda _: None)
