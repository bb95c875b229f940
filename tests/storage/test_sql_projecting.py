"""Rewritten statements give what the ones that were sent give."""

import json
from typing import Any

import duckdb
import pytest

from logstream.config.settings import SqlConfig
from logstream.core.errors import QuerySyntaxError
from logstream.storage.sql import console as consoles
from logstream.storage.sql.answer import SqlResult
from logstream.storage.sql.console import SqlConsole
from logstream.storage.sql.guard import check
from logstream.storage.sql.projecting import project
from logstream.storage.sql.tables import SqlTables

FIELDS: list[dict[str, Any]] = [
    {"status": 200, "http": {"path": "/a", "took": 1.5}, "tags": ["x"], "a b": 1},
    {"status": 503, "http": {"path": "/b", "took": 2.5}, "tags": ["x", "y"]},
    {"status": 503, "http": {"path": "/a"}, "tags": []},
    {"status": "none", "kind": "text"},
    {"kind": "empty"},
]

REWRITTEN = """
SELECT fields.status::varchar AS s, count(*) FROM logs GROUP BY s ORDER BY s
SELECT max(fields.http.took::double), min(logs.fields.http.path::varchar) FROM logs
SELECT l.fields.http.path::varchar p FROM logs AS l WHERE l.fields.http.took::double > 1
SELECT fields."a b"::int FROM logs WHERE fields."a b"::int IS NOT NULL
SELECT source, sum(fields.http.took::double) FROM logs GROUP BY ALL ORDER BY 1
SELECT s, count(*) FROM (SELECT fields.status::varchar s FROM logs) GROUP BY s ORDER BY s
WITH x AS (SELECT fields.status::varchar s FROM logs) FROM x a JOIN x b USING (s) ORDER BY 1
SELECT fields.status::text a FROM logs UNION ALL SELECT fields.kind::text FROM logs ORDER BY a
SELECT fields.a::text FROM logs UNION ALL BY NAME SELECT fields.kind::text FROM logs ORDER BY 2
SELECT n FROM logs JOIN (SELECT '/a' k, 1 n) t ON k = fields.http.path::text
SELECT n FROM (SELECT '/a' k, 1 n) t LEFT JOIN logs l ON k = l.fields.http.path::text
SELECT row_number() OVER (PARTITION BY fields.status::text) FROM logs ORDER BY 1
SELECT DISTINCT ON (fields.http.path::text) fields.http.path::text FROM logs ORDER BY 1
SELECT fields.status::text FROM logs ORDER BY fields.status::text DESC, id LIMIT 2
SELECT message FROM logs WHERE fields.status::varchar = $2 AND source = $1
SELECT (SELECT max(fields.status::varchar) FROM logs), id FROM logs ORDER BY id
SELECT fields.status::varchar, fields FROM logs ORDER BY id
SELECT CASE WHEN fields.kind IS NULL THEN fields.status::int END FROM logs ORDER BY id
SELECT fields.status::int FROM logs WHERE fields.kind IS NULL ORDER BY id
""".strip().splitlines()  # noqa: E501

LEFT_ALONE = """
SELECT count(*) FROM logs
SELECT * FROM logs WHERE fields.status::varchar = '503' ORDER BY id
SELECT * EXCLUDE (id), fields.status::varchar FROM logs ORDER BY id
SELECT COLUMNS('s.*'), fields.status::varchar FROM logs ORDER BY id
SELECT logs, fields.status::varchar FROM logs ORDER BY id
SELECT fields.status FROM logs ORDER BY id
SELECT TRY_CAST(fields.status AS int) FROM logs ORDER BY id
SELECT fields.tags::varchar[] FROM logs ORDER BY id
WITH logs AS (SELECT {'status': 1} AS fields) SELECT fields.status::varchar FROM logs
SELECT {'status': '9'} AS fields, id FROM logs ORDER BY fields.status::varchar, id
SELECT list_transform([{'a': 1}], lambda fields: fields.a::varchar) FROM logs
SELECT a.fields.status::varchar FROM logs a JOIN logs b USING (id) ORDER BY a.id
SELECT fields.status::varchar FROM (SELECT {'status': 1} AS fields)
SELECT id, (SELECT fields.status::varchar) FROM logs ORDER BY id
SELECT fields.status::varchar FROM logs TABLESAMPLE 100%
""".strip().splitlines()


@pytest.fixture
def console(store: Any) -> SqlConsole:
    for at, fields in enumerate(FIELDS):
        day = 18 + at % 2
        store.load(
            {
                "timestamp": f"2026-11-{day}T10:00:00Z",
                "source": "web" if at % 3 else "db",
                "message": f"m{at}",
                "fields": fields,
            }
        )
    store.partitions.checkpoint(lambda _: True)
    return SqlConsole(
        store.hub, store.partitions, SqlConfig(), SqlTables(()), timeout_s=150
    )


def answer(console: SqlConsole, text: str) -> str:
    def read(result: SqlResult) -> Any:
        rows = [row for found in result.batches() for row in found]
        return [[(one.name, one.kind) for one in result.columns], rows]

    params = ("web", "503") if "$2" in text else ()
    return json.dumps(console.run(text, read, params=params, limit=100))


@pytest.mark.parametrize("text", [*REWRITTEN, *LEFT_ALONE])
def test_the_answer_is_the_same(
    console: SqlConsole, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names of columns, kinds and rows."""
    fast = answer(console, text)
    monkeypatch.setattr(consoles, "project", lambda *_: None)
    assert answer(console, text) == fast


@pytest.mark.parametrize(
    ("text", "is_rewritten"),
    [*((text, True) for text in REWRITTEN), *((text, False) for text in LEFT_ALONE)],
)
def test_which_statements_are_rewritten(text: str, is_rewritten: bool) -> None:
    """Those where more columns change nothing, and `fields` means one thing."""
    with duckdb.connect() as db:
        found = project(db, check(db, text, tables={("logs",)}).node)
    assert (found is not None) is is_rewritten


def test_a_mistake_is_told_as_of_what_was_sent(console: SqlConsole) -> None:
    text = "SELECT sum(fields.status::int) FROM logs"
    with pytest.raises(QuerySyntaxError, match="none") as refused:
        answer(console, text)
    assert "logs_" not in str(refused.value)
