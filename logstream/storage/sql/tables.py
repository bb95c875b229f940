"""The operator's tables: files and databases that the config names for SQL.

A user names a table, never a path. Files are read anew by each statement; a database is
attached once, to be read only, and stays so.
"""

import re
import threading
from collections.abc import Sequence
from pathlib import Path

import duckdb

from logstream.config.settings import SqlTable
from logstream.core.errors import ConfigError, StorageError
from logstream.storage.hub import Hub, first_line

_READERS = {"parquet": "read_parquet", "csv": "read_csv", "json": "read_json"}
_SUFFIXES = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".ndjson": "json",
    ".jsonl": "json",
    ".duckdb": "duckdb",
    ".db": "duckdb",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
}
_RESERVED = re.compile(
    r"logs|system|temp|memory|main|dead|pg_catalog|information_schema|d\d{8}.*"
)
_GLOB = re.compile(r"[*?\[]")

Name = tuple[str, ...]


class SqlTables:
    """Thread-safe, once it was made.

    Raises:
        ConfigError: a name is taken, or a path is none of this machine.
    """

    def __init__(self, allowed: Sequence[SqlTable]) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, str] = {}
        self._databases: dict[str, SqlTable] = {}
        self._attached: dict[str, list[Name]] = {}
        self.folders: list[Path] = []
        """Where files lie that a pattern finds."""
        self.files: list[Path] = []
        """All other files, with those that DuckDB keeps beside a database."""
        for table in allowed:
            self._add(table)

    def load_extensions(self, hub: Hub) -> None:
        """What the tables need, before `confine` forbids it.

        Raises:
            ConfigError: it is not installed.
        """
        kinds = {_kind_of(table) for table in self._databases.values()}
        if "sqlite" not in kinds:
            return
        cursor = hub.cursor()
        try:
            cursor.execute("LOAD sqlite")
        except duckdb.Error:
            raise ConfigError(
                "sql.allow names a SQLite database, which takes an extension of "
                "DuckDB: install it with `duckdb -c 'INSTALL sqlite'`."
            ) from None
        finally:
            cursor.close()

    def names(self, hub: Hub) -> set[Name]:
        """What a statement may call them, in lower case. Attaches the databases; one
        that does not open is left out.
        """
        found: set[Name] = {(name,) for name in self._files}
        for name, table in self._databases.items():
            if table.table:
                found.add((name,))
            else:
                found.update(self._tables_of(hub, name))
        return found

    def make_views(
        self, hub: Hub, db: duckdb.DuckDBPyConnection, used: frozenset[Name]
    ) -> None:
        """Make those that a statement names known on its connection.

        Raises:
            StorageError: a database does not open.
            duckdb.Error: a file cannot be read.
        """
        for name in {path[0] for path in used}:
            if name in self._files:
                source = self._files[name]
            elif name in self._databases and self._databases[name].table:
                self._attach(hub, name)
                parts = self._databases[name].table.split(".")
                source = ".".join(_identifier(part) for part in (name, *parts))
            else:
                continue
            view = f"CREATE OR REPLACE TEMP VIEW {_identifier(name)}"
            db.execute(f"{view} AS SELECT * FROM {source}")

    def without_paths(self, text: str) -> str:
        """A message of DuckDB, with names in the places of paths."""
        for path in sorted(self.files + self.folders, key=lambda p: -len(str(p))):
            text = text.replace(str(path), "…")
        return text

    def _add(self, table: SqlTable) -> None:
        name = table.name
        if name in self._files or name in self._databases:
            raise ConfigError(f"sql.allow: two tables have the name '{name}'.")
        if _RESERVED.fullmatch(name):
            raise ConfigError(f"sql.allow: the name '{name}' is taken.")
        if "://" in table.path:
            raise ConfigError(f"sql.allow: '{table.path}' is no file of this machine.")
        kind = _kind_of(table)
        path = Path(table.path).resolve()
        if kind in _READERS:
            quoted = str(path).replace("'", "''")
            self._files[name] = f"{_READERS[kind]}('{quoted}')"
        else:
            self._databases[name] = table
        if _GLOB.search(str(path)):
            self.folders.append(_folder_of(path))
        else:
            beside = ("", ".wal", ".wal.checkpoint", ".wal.recovery", "-journal")
            suffixes = beside if name in self._databases else ("",)
            self.files += [path.with_name(path.name + more) for more in suffixes]

    def _tables_of(self, hub: Hub, name: str) -> list[Name]:
        try:
            self._attach(hub, name)
        except StorageError:
            return []
        return self._attached[name]

    def _attach(self, hub: Hub, name: str) -> None:
        with self._lock:
            if name in self._attached:
                return
            table = self._databases[name]
            path = str(Path(table.path).resolve()).replace("'", "''")
            options = "READ_ONLY, TYPE sqlite" if _kind_of(table) == "sqlite" else ""
            cursor = hub.cursor()
            try:
                text = f"ATTACH '{path}' AS {name} ({options or 'READ_ONLY'})"
                cursor.execute(text)
                found = cursor.execute(
                    "SELECT schema_name, table_name FROM duckdb_tables() "
                    "WHERE database_name = ? UNION ALL SELECT schema_name, view_name "
                    "FROM duckdb_views() WHERE database_name = ? AND NOT internal",
                    (name, name),
                ).fetchall()
            except duckdb.Error as error:
                raise StorageError(
                    f"The database '{name}' of sql.allow does not open: "
                    f"{first_line(error)}"
                ) from None
            finally:
                cursor.close()
            whole = [(name, schema.lower(), one.lower()) for schema, one in found]
            short: list[Name] = [
                (name, one) for _, schema, one in whole if schema == "main"
            ]
            self._attached[name] = [*whole, *short]


def _kind_of(table: SqlTable) -> str:
    if table.kind is not None:
        return table.kind
    for suffix in reversed(Path(table.path).suffixes):
        if (kind := _SUFFIXES.get(suffix.lower())) is not None:
            return kind
    raise ConfigError(
        f"sql.allow: name the kind of '{table.path}', whose name does not tell."
    )


def _folder_of(pattern: Path) -> Path:
    """The innermost folder that no part of the pattern is in the name of."""
    plain = [part for part in pattern.parts if not _GLOB.search(part)]
    at = next(at for at, part in enumerate(pattern.parts) if _GLOB.search(part))
    return Path(*plain[:at])


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
