"""What SQL of users may be: every way out that DuckDB's docs list is refused.

Each statement is tried against the console, on a confined store with an entry. The list
follows "Securing DuckDB", its configuration, statements, table functions and meta
functions, and what version 2.0 brought.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from logstream.config.settings import SqlConfig, StorageConfig
from logstream.core.errors import BadRequest, QuerySyntaxError
from logstream.storage.hub import Hub
from logstream.storage.sql.console import SqlConsole
from logstream.storage.sql.functions import ALLOWED, OF_TABLES
from logstream.storage.sql.guard import check
from logstream.storage.sql.tables import SqlTables

Ask = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def ask(store: Any, folder: Path) -> Ask:
    """Rows of a statement, from a store that DuckDB is confined to."""
    (folder / "secret.csv").write_text("a,b\n1,secret\n")
    store.load({"message": "hello", "timestamp": "2026-11-20T10:00:00Z"})
    store.hub.confine(folders=[folder, folder.parent])
    tables = SqlTables(())
    console = SqlConsole(
        store.hub, store.partitions, SqlConfig(), tables, timeout_s=150
    )

    def run(text: str, *params: Any) -> list[tuple[Any, ...]]:
        return console.run(
            text,
            lambda result: [row for rows in result.batches() for row in rows],
            params=params,
            limit=10,
        )

    return run


STATEMENTS = """
INSERT INTO logs VALUES (1)
UPDATE logs SET message = ''
DELETE FROM logs
TRUNCATE logs
MERGE INTO logs USING logs AS o ON true WHEN MATCHED THEN DELETE
CREATE TABLE x (a INT)
CREATE TEMP TABLE x AS SELECT 1
CREATE VIEW x AS SELECT 1
CREATE OR REPLACE TEMP VIEW logs AS SELECT 1
CREATE MACRO lower(x) AS x
CREATE TEMP MACRO t() AS TABLE SELECT * FROM 'secret.csv'
CREATE FUNCTION f(x) AS x
CREATE SCHEMA x
CREATE SEQUENCE x
CREATE TYPE x AS ENUM ('a')
CREATE INDEX i ON logs (id)
CREATE SECRET s (TYPE s3)
CREATE PERSISTENT SECRET s (TYPE http)
CREATE TRIGGER t AFTER INSERT ON logs FOR EACH STATEMENT SELECT 1
DROP TABLE logs
DROP SECRET s
DROP VIEW logs
ALTER TABLE logs ADD COLUMN x INT
COMMENT ON TABLE logs IS 'x'
COPY logs TO 'x.csv'
COPY (SELECT 1) TO '/tmp/x.parquet' (FORMAT parquet)
COPY logs FROM '/etc/passwd'
COPY FROM DATABASE memory TO other
EXPORT DATABASE '/tmp/x'
IMPORT DATABASE '/tmp/x'
ATTACH 'x.duckdb'
ATTACH ':memory:' AS x
ATTACH 'https://example.com/x.duckdb' AS x
DETACH d20261120
USE d20261120
CONNECT d20261120
INSTALL httpfs
FORCE INSTALL httpfs FROM 'https://example.com'
LOAD httpfs
LOAD '/tmp/x.duckdb_extension'
UPDATE EXTENSIONS
SET enable_external_access = true
SET GLOBAL allowed_directories = ['/']
SET VARIABLE x = 1
SET SESSION threads = 64
SET search_path = 'd20261120'
RESET lock_configuration
RESET VARIABLE x
PRAGMA version
PRAGMA database_list
PRAGMA show_tables
PRAGMA table_info('logs')
PRAGMA threads=4
PRAGMA enable_profiling
PRAGMA import_database('/tmp/x')
PRAGMA json_execute_serialized_sql('{}')
CALL pragma_version()
CALL duckdb_tables()
CALL enable_logging()
CALL read_csv('/etc/passwd')
CHECKPOINT
FORCE CHECKPOINT
CHECKPOINT d20261120
VACUUM
VACUUM ANALYZE
ANALYZE
BEGIN
BEGIN TRANSACTION
COMMIT
ROLLBACK
ABORT
PREPARE p AS SELECT 1
EXECUTE p
DEALLOCATE p
EXPLAIN SELECT 1
EXPLAIN ANALYZE SELECT * FROM logs
PIVOT logs ON level USING count(*)
SHOW TABLES
SHOW ALL TABLES
SHOW DATABASES
SHOW VARIABLES
FROM (SHOW ALL TABLES)
SELECT * FROM (SHOW DATABASES)
DESCRIBE
SELECT 1; SELECT 2
SELECT 1; DROP TABLE logs
SELECT 1; SET threads = 1
SELECT 1 /* ; */; COPY logs TO 'x' --
WITH x AS (DELETE FROM logs RETURNING *) SELECT * FROM x
WITH x AS (INSERT INTO logs VALUES (1) RETURNING *) SELECT * FROM x
WITH x AS (UPDATE logs SET id = 1 RETURNING *) FROM x
WITH x AS (COPY logs TO 'x.csv') FROM x
WITH x AS (SELECT 1) DELETE FROM logs
WITH x AS (SELECT 1) INSERT INTO logs SELECT * FROM x
""".strip().splitlines()

RELATIONS = """
'/etc/passwd'
'secret.csv'
"secret.csv"
'*.csv'
'https://example.com/x.parquet'
's3://bucket/x.parquet'
'gs://bucket/x.csv'
'hf://datasets/x/y.csv'
'file:///etc/passwd'
"/etc/passwd"
'x.duckdb'
'x.json'
read_csv('/etc/passwd')
read_csv_auto('secret.csv')
read_csv(['secret.csv'])
main.read_csv('secret.csv')
system.main.read_csv('secret.csv')
read_parquet('x.parquet')
parquet_scan('x.parquet')
read_json('x.json')
read_json_auto('x.json')
read_json_objects('x.json')
read_ndjson('x.json')
read_ndjson_objects('x.json')
read_text('/etc/passwd')
read_blob('/etc/passwd')
read_duckdb('x.duckdb')
read_single_csv_file('secret.csv')
glob('/etc/*')
sniff_csv('secret.csv')
parquet_metadata('x.parquet')
parquet_schema('x.parquet')
parquet_file_metadata('x.parquet')
parquet_kv_metadata('x.parquet')
parquet_full_metadata('x.parquet')
parquet_bloom_probe('x.parquet', 'a', 1)
sqlite_scan('x.db', 't')
postgres_scan('host=x', 'a', 'b')
mysql_query('x', 'SELECT 1')
st_read('x.shp')
read_xlsx('x.xlsx')
iceberg_scan('x')
delta_scan('x')
arrow_scan(1, 2, 3)
pandas_scan(1)
python_map_function(1)
query('SELECT 1')
query('SELECT * FROM read_csv(''/etc/passwd'')')
query_table('logs')
query_table(['d20261120.entries'])
json_execute_serialized_sql('{}')
histogram(logs, level)
histogram_values(logs, level)
summary((SELECT 1))
seq_scan('logs')
test_all_types()
repeat(1, 1000000000)
repeat_row(1, num_rows = 1000000000)
duckdb_settings()
duckdb_databases()
duckdb_tables()
duckdb_columns()
duckdb_views()
duckdb_schemas()
duckdb_functions()
duckdb_types()
duckdb_secrets()
duckdb_extensions()
duckdb_extension_repositories()
duckdb_logs
duckdb_logs()
duckdb_logs_parsed('QueryLog')
duckdb_log_contexts()
duckdb_temporary_files()
duckdb_memory()
duckdb_variables()
duckdb_prepared_statements()
duckdb_external_file_cache()
duckdb_external_resources()
duckdb_triggers()
duckdb_dependencies()
duckdb_constraints()
duckdb_indexes()
duckdb_sequences()
duckdb_optimizers()
duckdb_connection_count()
which_secret('s3://x', 's3')
pragma_table_info('logs')
pragma_storage_info('d20261120.entries')
pragma_database_size()
pragma_show('logs')
pragma_version()
pragma_user_agent()
pragma_platform()
pragma_metadata_info()
checkpoint()
force_checkpoint()
enable_logging()
disable_logging()
truncate_duckdb_logs()
enable_profiling()
register_external_resource('x')
information_schema.tables
information_schema.columns
information_schema.schemata
pg_catalog.pg_class
pg_catalog.pg_tables
pg_class
sqlite_master
sqlite_schema
duckdb_tables
duckdb_databases
duckdb_settings
pragma_database_list
d20261120.entries
d20261120.main.entries
d20261120.applied
"d20261120".main."entries"
dead.letters
memory.main.logs
temp.logs
temp.main.logs
main.logs
entries
applied
store
folder
console
logs AT (VERSION => 1)
logs AT (TIMESTAMP => now())
(WITH sqlite_master AS (SELECT 1) SELECT 1) AS x, sqlite_master
(WITH "secret.csv" AS (SELECT 1) SELECT 1) AS x JOIN "secret.csv" ON true
""".strip().splitlines()

FUNCTIONS = """
getenv('HOME')
current_setting('threads')
current_setting('temp_directory')
getvariable('x')
current_query()
current_database()
current_schemas(true)
nextval('x')
currval('x')
setval('x', 1)
setseed(0.5)
write_log('x')
write_log('x', level := 'error')
parse_duckdb_log_message('QueryLog', 'x')
json_serialize_sql('SELECT 1')
json_deserialize_sql('{}')
json_serialize_plan('SELECT * FROM read_csv(''/etc/passwd'')')
json_execute_serialized_sql('{}')
pg_sleep(60)
sleep_ms(60000)
get_block_size('d20261120')
pg_get_viewdef(1)
pg_get_expr('x', 1)
obj_description(1)
has_table_privilege('x', 'y')
in_search_path('x', 'y')
txid_current()
version()
user()
index_key('x')
create_sort_key(1, 'ASC')
finalize('x'::blob)
combine('x'::blob, 'y'::blob)
to_aggregate_state('x')
variant_bytes_to_variant('x'::blob)
st_geomfromwkb('x'::blob)
vector_type(1)
stats(1)
read_text('/etc/passwd')
query('SELECT 1')
system.main.getenv('HOME')
'HOME'.getenv()
"getenv"('HOME')
GETENV('HOME')
[getenv(x) FOR x IN ['HOME']]
list_transform(['HOME'], lambda x: getenv(x))
(SELECT getenv('HOME'))
CASE WHEN true THEN getenv('HOME') END
coalesce(getenv('HOME'), '')
count(*) FILTER (WHERE getenv('HOME') = '')
max(1) OVER (ORDER BY getenv('HOME'))
COLUMNS(c -> getenv(c) = '')
generate_series(1, 1000000000)
range(1000000000)
range(0, 1000000000).len()
list_resize([1], 1000000000)
array_resize([1], 1000000000)
repeat('x', 10000000000)
repeat('x', 2000000 + 2000000)
repeat(string := 'x', count := 1000000000)
'x'.repeat(1000000000)
message.repeat(1000000000)
lpad('x', 2000000000, 'y')
rpad('x', id, 'y')
bitstring('1', 1000000000)
format('{:2000000000}', 1)
format('{:{}}', 1, 2000000000)
format(message, 1)
printf('%2000000000d', 1)
printf('%*d', 2000000000, 1)
equi_width_bins(0, 1000000000, 1000000000, false)
reservoir_quantile(id, 0.5, 2000000000)
1::d20261120.main.x
'x'::geometry
'x'::my_type
CAST('x' AS aggregate_state)
""".strip().splitlines()


@pytest.mark.parametrize("text", STATEMENTS)
def test_nothing_but_one_select_is_run(ask: Ask, text: str) -> None:
    with pytest.raises(QuerySyntaxError):
        ask(text)


@pytest.mark.parametrize("relation", RELATIONS)
def test_nothing_but_the_entries_can_be_read(ask: Ask, relation: str) -> None:
    """By the guard: DuckDB never binds it, so no file is touched."""
    with pytest.raises(QuerySyntaxError, match=r"table|used|syntax") as refused:
        ask(f"SELECT * FROM {relation}")
    assert "does not exist" not in str(refused.value)


@pytest.mark.parametrize(
    "around",
    [
        "SELECT (SELECT count(*) FROM {})",
        "SELECT 1 FROM logs WHERE EXISTS (FROM {})",
        "WITH x AS (FROM {}) SELECT 1",
        "WITH RECURSIVE x AS (SELECT 1 UNION ALL (SELECT 1 FROM {})) FROM x",
        "SELECT 1 UNION ALL SELECT 1 FROM {}",
        "FROM logs, LATERAL (FROM {})",
        "FROM logs POSITIONAL JOIN {}",
        "FROM (PIVOT {} ON a IN (1) USING count(*))",
        "UNPIVOT {} ON a",
        "DESCRIBE (FROM {})",
        "SUMMARIZE (FROM {})",
        "SELECT 1 ORDER BY (SELECT 1 FROM {})",
        "SELECT 1 LIMIT (SELECT 1 FROM {})",
        "SELECT [x FOR x IN (SELECT list(1) FROM {})]",
        "FROM range((SELECT 1 FROM {}))",
        "VALUES ((SELECT 1 FROM {}))",
        "SELECT sum(1) OVER (PARTITION BY (SELECT 1 FROM {}))",
        "SELECT 1 FROM logs GROUP BY (SELECT 1 FROM {})",
        "SELECT 1 IN (FROM {})",
    ],
)
@pytest.mark.parametrize("relation", ["'/etc/passwd'", "read_text('/etc/passwd')"])
def test_nor_from_inside_another_part(ask: Ask, around: str, relation: str) -> None:
    with pytest.raises(QuerySyntaxError, match=r"There is no table|may not be used"):
        ask(around.format(relation))


@pytest.mark.parametrize("expression", FUNCTIONS)
def test_no_function_reaches_out_or_makes_values_of_any_size(
    ask: Ask, expression: str
) -> None:
    with pytest.raises(QuerySyntaxError):
        ask(f"SELECT {expression} FROM logs")


ALLOWED_STATEMENTS = """
SELECT * FROM logs
FROM logs
SELECT count(*) FROM logs;
SELECT 1 ; -- a comment; with a semicolon
/* before */ SELECT 1 /* after; */
SELECT ';' || message FROM logs
WITH logs AS (SELECT 1 AS a) SELECT a FROM logs
WITH "/etc/passwd" AS (SELECT 1 AS a) FROM "/etc/passwd"
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) FROM n
VALUES (1), (2)
DESCRIBE logs
SUMMARIZE SELECT level FROM logs
SELECT unnest([1, 2])
FROM range(3)
FROM generate_series(TIMESTAMP '2026-01-01', TIMESTAMP '2026-01-02', INTERVAL 6 HOUR)
SELECT level, count(*) FILTER (WHERE id > 0) FROM logs GROUP BY ALL ORDER BY ALL
SELECT row_number() OVER w FROM logs WINDOW w AS (PARTITION BY source ORDER BY id)
SELECT quantile_cont(id, 0.5), string_agg(message, ',') FROM logs
SELECT time_bucket(INTERVAL 5 MINUTE, timestamp), date_trunc('day', timestamp) FROM logs
SELECT regexp_extract(message, '(h)(e)', ['a', 'b']), message.upper() FROM logs
SELECT fields.a::int, fields.b.c::varchar, variant_typeof(fields.a) FROM logs
SELECT * EXCLUDE (fields) REPLACE (upper(level) AS level) FROM logs
SELECT a.id FROM logs AS a JOIN logs AS b USING (id) LEFT JOIN logs AS c ON c.id = a.id
FROM (PIVOT logs ON level IN ('info', 'error') USING count(*) GROUP BY source)
SELECT [x * 2 FOR x IN [1, 2] IF x > 1], {'a': 1}.a, MAP {'a': 1}['a']
SELECT repeat('-', 20), lpad('a', 10, ' '), format('{:>10}', 1), printf('%5.2f', 1.5)
SELECT CASE WHEN level LIKE 'i%' THEN 1 ELSE 0 END, level SIMILAR TO 'a' FROM logs
SELECT now() - INTERVAL 1 DAY, ago(INTERVAL 1 HOUR), epoch_ms(timestamp) FROM logs
SELECT * FROM logs ORDER BY timestamp DESC LIMIT 1 OFFSET 0
SELECT COLUMNS('m.*') FROM logs
SELECT level FROM logs UNION ALL BY NAME SELECT source FROM logs
SELECT level FROM logs EXCEPT SELECT 'x'
SELECT TRY(CAST('x' AS int)), TRY_CAST('x' AS int), 'a' COLLATE NOCASE = 'A'
""".strip().splitlines()


@pytest.mark.parametrize("text", ALLOWED_STATEMENTS)
def test_what_people_ask_is_run(ask: Ask, text: str) -> None:
    assert ask(text)


def test_what_is_allowed_is_a_function_of_duckdb() -> None:
    """What is allowed is there, by the names that we looked at."""
    with duckdb.connect() as db:
        found = db.execute(
            "SELECT DISTINCT lower(function_name) FROM duckdb_functions() "
            "WHERE function_type NOT IN ('pragma')"
        ).fetchall()
    names = {row[0] for row in found}
    assert ALLOWED - names <= {"unnest"}
    assert names >= OF_TABLES


def test_errors_point_at_the_place(ask: Ask) -> None:
    for text, begin in [
        ("SELECT * FROM 'é', 'x'", "'é'"),
        ("SELECT 'é', getenv('x')", "getenv"),
        ("SELECT\n  'é',\n  nope\nFROM logs", "nope"),
        ("SELECT 'é',\n'a'::int FROM logs", "'a'"),
    ]:
        with pytest.raises(QuerySyntaxError) as refused:
            ask(text)
        found = text[refused.value.offset :]
        assert found.startswith((begin, "::int")), (text, found)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ; ",
        "-- nothing",
        "SELECT '\ud800'",
        "SELECT " + "(" * 10_000 + "1" + ")" * 10_000,
        "SELECT " + "[" * 5_000,
        "SELECT 1 " + "+ 1 " * 15_000,
        "SELECT " + ",".join("1" * 40_000),
        "SELECT '" + "x" * 70_000 + "'",
        "WITH " + ",".join(f"a{n} AS (SELECT 1)" for n in range(3_000)) + " SELECT 1",
        "SELECT 1) UNION (SELECT 2",
        "SELECT 1) AS r(c0), (SELECT 2",
        "SELECT 1 /*",
        "SELECT 1 --\n) UNION (SELECT 2 --",
    ],
)
def test_hostile_text_is_a_clear_error(ask: Ask, text: str) -> None:
    with pytest.raises(BadRequest):
        ask(text)


def test_the_guard_is_not_the_only_wall(tmp_path: Path) -> None:
    """DuckDB itself refuses files, settings and extensions, whatever the guard does."""
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "a.csv").write_text("a\n1\n")
    outside = tmp_path / "outside.csv"
    outside.write_text("a\n1\n")
    (inside / "link.csv").symlink_to(outside)
    hub = Hub(StorageConfig(), tmp=None, query_memory_bytes=1_048_576)
    hub.confine(folders=[inside])
    cursor = hub.cursor()
    try:
        for text in (
            f"FROM read_csv('{outside}')",
            f"FROM '{outside}'",
            f"FROM read_text('{inside}/../outside.csv')",
            f"FROM read_text('{inside}/link.csv')",
            "FROM glob('/etc/*')",
            f"COPY (SELECT 1) TO '{tmp_path}/new.csv'",
            f"ATTACH '{tmp_path}/new.duckdb'",
            "INSTALL httpfs",
            "LOAD httpfs",
            "FROM read_text('https://example.com/')",
            "SET enable_external_access = true",
            "SET GLOBAL allowed_directories = ['/']",
            "SET lock_configuration = false",
            "SET GLOBAL allowed_configs = ['threads']",
            "SET threads = 64",
            "FROM inside",
        ):
            with pytest.raises(duckdb.Error):
                cursor.execute(text).fetchall()
        assert cursor.execute(f"FROM '{inside}/a.csv'").fetchall() == [(1,)]
    finally:
        cursor.close()
    with hub.reading(10) as db:  # sets its own bound of memory
        assert db.execute("SELECT 1").fetchall() == [(1,)]
    hub.close()


def test_checking_binds_nothing() -> None:
    with duckdb.connect() as db:
        checked = check(
            db, "SELECT nope FROM logs, b.c", tables={("logs",), ("b", "c")}
        )
    assert checked.tables == {("logs",), ("b", "c")}
