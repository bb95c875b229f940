"""The console: what SQL answers, the operator's tables, and its bounds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from logstream.config.settings import SqlConfig, SqlTable
from logstream.core.errors import (
    BadRequest,
    ConfigError,
    QuerySyntaxError,
    QueryTimeout,
    StorageError,
    TooLarge,
)
from logstream.core.timestamps import parse_ns
from logstream.storage.control import QueryControl, bounded_by
from logstream.storage.sql import answer
from logstream.storage.sql.answer import SqlResult, body_of
from logstream.storage.sql.console import SqlConsole
from logstream.storage.sql.tables import SqlTables

ENTRIES = [
    {
        "timestamp": f"2026-11-{day}T10:00:0{second}.000000001Z",
        "source": source,
        "message": f"{source} {day}",
        "fields": {"status": status, "http": {"method": "GET"}, "tags": ["a", "b"]},
    }
    for day, second, source, status in [
        (18, 1, "web", 200),
        (19, 2, "web", 500),
        (20, 3, "db", 503),
    ]
]

Make = Callable[..., SqlConsole]


@pytest.fixture
def make(store: Any, tmp_path: Path) -> Make:
    """A console over three days, in a confined store."""
    for entry in ENTRIES:
        store.load(entry)

    def build(*allowed: SqlTable, **config: Any) -> SqlConsole:
        tables = SqlTables(allowed)
        store.hub.confine(
            folders=[store.folder, tmp_path / "tmp", *tables.folders],
            files=tables.files,
        )
        (tmp_path / "tmp").mkdir()
        return SqlConsole(
            store.hub,
            store.partitions,
            SqlConfig(allow=allowed, **config),
            tables,
            timeout_s=150,
            tmp=tmp_path / "tmp",
        )

    return build


def rows(console: SqlConsole, text: str, *params: Any, **more: Any) -> list[Any]:
    def read(result: SqlResult) -> list[Any]:
        return [row for found in result.batches() for row in found]

    return console.run(text, read, params=params, limit=100, **more)


def test_entries_of_all_days_with_their_columns(make: Make) -> None:
    console = make()
    text = "SELECT * FROM logs ORDER BY timestamp DESC"
    body = console.run(text, lambda result: body_of(result, "json"), limit=1)
    assert msgspec.json.decode(body) == [
        {
            "timestamp": "2026-11-20T10:00:03.000000001Z",
            "source": "db",
            "level": "info",
            "message": "db 20",
            "fields": ENTRIES[2]["fields"],
            "id": 3 << 20,
        }
    ]


def test_fields_nested_ones_and_lists(make: Make) -> None:
    console = make()
    assert rows(
        console,
        "SELECT source, max(fields.status::int) AS s FROM logs "
        "WHERE fields.http.method::varchar = 'GET' GROUP BY ALL ORDER BY ALL",
    ) == [("db", 503), ("web", 500)]
    assert rows(
        console,
        "SELECT tag, count(*) FROM (SELECT unnest(fields.tags::varchar[]) AS tag "
        "FROM logs) GROUP BY tag ORDER BY tag",
    ) == [("a", 3), ("b", 3)]


def test_values_are_those_of_json(make: Make) -> None:
    text = (
        "SELECT 1 AS a, 1.5 AS b, true AS c, NULL AS d, {'x': [1]} AS e, 'nan'::double "
        "AS f, DATE '2026-01-02' AS g, TIMESTAMP '2026-01-02 03:04:05.06' AS h, "
        "INTERVAL 90 SECOND AS i, sum(2) AS j, 'x'::blob AS k, "
        "TIMESTAMPTZ '2026-01-01 01:00:00+02' AS l, 1 AS a"
    )
    body = make().run(text, lambda result: body_of(result, "table"), limit=1)
    found = msgspec.json.decode(body)
    assert found["rows"] == [
        [
            *(1, 1.5, True, None, {"x": [1]}, None, "2026-01-02"),
            *("2026-01-02T03:04:05.06Z", 90.0, 2, "x", "2025-12-31T23:00:00Z", 1),
        ]
    ]
    kinds = [column["kind"] for column in found["columns"]]
    assert kinds == [
        *("integer", "number", "boolean", "text", "json", "number", "text", "time"),
        *("duration", "integer", "text", "time", "integer"),
    ]


def test_times_without_an_end_are_said_in_words(make: Make) -> None:
    text = "SELECT 'infinity'::timestamp AS a, '-infinity'::timestamptz AS b"
    assert rows(make(), text) == [("infinity", "-infinity")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "SELECT status FROM logs",
            "A field is written fields.status, a text 'status'.",
        ),
        ('SELECT 1 FROM logs WHERE level = "an error"', "A text stands in single"),
    ],
)
def test_a_name_that_is_no_column_may_be_a_field(
    make: Make, text: str, said: str
) -> None:
    with pytest.raises(QuerySyntaxError) as error:
        rows(make(), text)
    assert said in str(error.value)


def test_values_are_parameters(make: Make) -> None:
    console = make()
    text = "SELECT count(*) FROM logs WHERE source = ? AND fields.status::int >= ?"
    assert rows(console, text, "web", 300) == [(1,)]
    assert rows(console, "SELECT $2, $1", "a", "b") == [("b", "a")]
    assert rows(console, "SELECT ?", "' OR 1; --") == [("' OR 1; --",)]
    with pytest.raises(QuerySyntaxError, match="parameters"):
        rows(console, "SELECT ?")


def test_a_time_range_leaves_days_out(make: Make, store: Any) -> None:
    console = make()
    first, last = parse_ns("2026-11-19T00:00:00Z"), parse_ns("2026-11-20T00:00:00Z")
    found = rows(console, "SELECT message FROM logs", from_ns=first, to_ns=last)
    assert found == [("web 19",)]
    assert rows(console, "SELECT count(*) FROM logs", from_ns=last + 10**18) == [(0,)]


def test_a_limit_says_whether_there_is_more(make: Make) -> None:
    console = make()

    def read(result: SqlResult) -> tuple[int, bool]:
        return sum(len(found) for found in result.batches(2)), result.truncated

    assert console.run("FROM range(10)", read, limit=4) == (4, True)
    assert console.run("FROM range(4)", read, limit=4) == (4, False)
    assert console.run("FROM range(5)", read, limit=4) == (4, True)
    assert console.run("FROM range(1000000000000)", read, limit=3) == (3, True)


@pytest.mark.parametrize("name", ["csv", "ndjson", "arrow", "parquet"])
def test_every_format(make: Make, name: Any, tmp_path: Path) -> None:
    text = "SELECT source, fields, timestamp FROM logs -- all"
    body = make().run(text, lambda result: body_of(result, name), limit=2)
    if name == "parquet":
        (tmp_path / "x.parquet").write_bytes(body)
        with duckdb.connect() as db:
            text = f"SELECT count(*) FROM '{tmp_path}/x.parquet'"
            assert db.execute(text).fetchall() == [(2,)]
    assert body


def test_errors_are_told_without_what_is_inside(make: Make) -> None:
    console = make()
    for text, words in [
        ("SELECT nope FROM logs", "nope"),
        ("SELECT fields.status::int + message FROM logs", "message|VARCHAR|match"),
        ("SELECT 'x'::int", "INT32"),
        ("SELECT error('mine')", "mine"),
        ("SELECT (SELECT id FROM logs)", "one row"),
        ("SELECT sum(level) FROM logs", "sum"),
    ]:
        with pytest.raises(QuerySyntaxError, match=words) as refused:
            rows(console, text)
        assert "d2026" not in str(refused.value)
        assert "entries" not in str(refused.value)


def test_files_of_the_operator_are_tables(make: Make, tmp_path: Path) -> None:
    (tmp_path / "hosts.csv").write_text("source,owner\nweb,ann\ndb,bob\n")
    folder = tmp_path / "teams"
    folder.mkdir()
    for name in ("ann", "bob"):
        (folder / f"{name}.json").write_text(f'{{"owner":"{name}","team":"t-{name}"}}')
    costs = tmp_path / "costs.parquet"
    with duckdb.connect() as db:
        db.execute(f"COPY (SELECT 'web' AS source, 3 AS cost) TO '{costs}'")
    console = make(
        SqlTable(name="hosts", path=str(tmp_path / "hosts.csv")),
        SqlTable(name="teams", path=str(folder / "*.json")),
        SqlTable(name="costs", path=str(costs)),
    )
    assert console.tables() == ["logs", "costs", "hosts", "teams"]
    text = (
        "SELECT DISTINCT source, owner, team, cost FROM logs JOIN hosts USING (source) "
        "JOIN Teams USING (owner) LEFT JOIN costs USING (source) ORDER BY source"
    )
    assert rows(console, text) == [
        ("db", "bob", "t-bob", None),
        ("web", "ann", "t-ann", 3),
    ]
    for refused in (f"FROM '{costs}'", f"FROM read_csv('{tmp_path}/hosts.csv')"):
        with pytest.raises(QuerySyntaxError):
            rows(console, refused)
    (tmp_path / "hosts.csv").write_text("source,owner\nweb,eve\n")
    assert rows(console, "SELECT owner FROM hosts") == [("eve",)]
    (tmp_path / "hosts.csv").unlink()
    with pytest.raises(StorageError):
        rows(console, "SELECT owner FROM hosts")
    assert rows(console, "SELECT count(*) FROM logs") == [(3,)]


def test_databases_of_the_operator(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "assets.duckdb"
    with duckdb.connect(str(path)) as db:
        db.execute("CREATE TABLE owners AS SELECT 'web' AS source, 'ann' AS owner")
        db.execute("CREATE SCHEMA more; CREATE TABLE more.a AS SELECT 1 AS a")
    console = make(
        SqlTable(name="assets", path=str(path)),
    )
    assert console.tables() == ["logs", "assets.owners"]
    text = "SELECT owner FROM logs JOIN assets.owners USING (source) LIMIT 1"
    assert rows(console, text) == [("ann",)]
    assert rows(console, "FROM assets.more.a") == [(1,)]
    for refused in ("FROM assets.nope", "FROM assets.duckdb_tables", "FROM owners"):
        with pytest.raises(QuerySyntaxError):
            rows(console, refused)
    for write in ("DELETE FROM assets.owners", "CREATE TABLE assets.x (a INT)"):
        with pytest.raises(QuerySyntaxError):
            rows(console, write)


def test_one_table_of_a_database(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "assets.duckdb"
    with duckdb.connect(str(path)) as db:
        db.execute("CREATE TABLE owners AS SELECT 'ann' AS owner")
        db.execute("CREATE TABLE hidden AS SELECT 1 AS a")
    console = make(SqlTable(name="owners", path=str(path), table="owners"))
    assert rows(console, "SELECT owner FROM owners") == [("ann",)]
    for refused in ("FROM owners.hidden", "FROM hidden"):
        with pytest.raises(QuerySyntaxError):
            rows(console, refused)


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ([("logs", "a.csv")], "taken"),
        ([("d20261120", "a.csv")], "taken"),
        ([("memory", "a.csv")], "taken"),
        ([("a", "a.csv"), ("a", "b.csv")], "two tables"),
        ([("a", "https://example.com/a.csv")], "no file"),
        ([("a", "a.bin")], "kind"),
    ],
)
def test_tables_that_cannot_be(tables: list[tuple[str, str]], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        SqlTables([SqlTable(name=name, path=path) for name, path in tables])


def test_sqlite_takes_an_extension() -> None:
    """The operator is told how to get it."""

    class Without:
        def execute(self, text: str) -> None:
            raise duckdb.IOException(text)

        def close(self) -> None:
            pass

    hub: Any = type("Hub", (), {"cursor": lambda _: Without()})()
    SqlTables([SqlTable(name="own", path="a.duckdb")]).load_extensions(hub)
    with pytest.raises(ConfigError, match="INSTALL sqlite"):
        SqlTables([SqlTable(name="own", path="a.sqlite")]).load_extensions(hub)


def test_sql_can_be_off(make: Make) -> None:
    with pytest.raises(BadRequest, match=r"sql\.enabled"):
        rows(make(enabled=False), "SELECT 1")


@pytest.mark.parametrize(
    "text",
    [
        "WITH RECURSIVE r AS (SELECT 1 n UNION ALL FROM r) SELECT max(n) FROM r",
        "SELECT count(*) FROM range(1000000000000) AS a, range(1000000000000) AS b",
        "SELECT sum(i) FROM generate_series(1, 1000000000000000000) AS t(i)",
    ],
)
def test_what_never_ends_is_stopped(make: Make, text: str) -> None:
    console = make()
    with bounded_by(QueryControl(0.3)), pytest.raises(QueryTimeout):
        rows(console, text)
    assert rows(console, "SELECT count(*) FROM logs") == [(3,)]


def test_a_result_is_bounded_in_bytes(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer, "MAX_BYTES", 10_000)
    with pytest.raises(TooLarge):
        make().run(
            "SELECT repeat('x', 1000) FROM range(50)",
            lambda result: body_of(result, "json"),
            limit=50,
        )


def test_a_day_that_is_replaced_meanwhile_is_looked_up_again(
    make: Make, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name is another then, and the view of the first try finds no table."""
    console = make()
    readable = store.partitions.readable
    gone: list[int] = []

    def once_gone(days: Any) -> Any:
        found = readable(days)
        if not gone:
            gone.append(1)
            found[0].name += "x"
            try:
                return [type("Old", (), {"name": found[0].name})(), *found[1:]]
            finally:
                found[0].name = found[0].name[:-1]
        return found

    monkeypatch.setattr(store.partitions, "readable", once_gone)
    assert rows(console, "SELECT count(*) FROM logs") == [(3,)]
