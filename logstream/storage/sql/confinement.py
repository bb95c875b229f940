"""Confinement: what DuckDB itself may reach, whatever statement it is given.

The second wall behind `storage.sql.guard`: with these settings DuckDB opens no file
outside the data folder and those that the operator named, speaks to no network, loads
no extension, and takes no other setting. It can spill, load segments and attach days,
since those lie in the data folder.
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb

_SETTINGS_IN_USE = (
    *("operator_memory_limit", "variant_minimum_shredding_size"),
    "TimeZone",
)
"""What the store sets as it goes: a bound of each read, and how a day is shredded."""


def confine(
    db: duckdb.DuckDBPyConnection,
    *,
    folders: Sequence[Path] = (),
    files: Sequence[Path] = (),
) -> None:
    """For good: it cannot be undone in the life of the instance.

    Args:
        folders: What is in them may be read and written.
        files: So may these.
    """
    for text in (
        "SET GLOBAL TimeZone = 'UTC'",
        "SET GLOBAL python_enable_replacements = false",
        "SET GLOBAL allow_community_extensions = false",
        "SET GLOBAL allow_persistent_secrets = false",
        f"SET GLOBAL allowed_directories = {_list(folders)}",
        f"SET GLOBAL allowed_paths = {_list(files)}",
        "SET GLOBAL enable_external_access = false",
        f"SET GLOBAL allowed_configs = {_list(_SETTINGS_IN_USE)}",
        "SET GLOBAL lock_configuration = true",
    ):
        db.execute(text)


def _list(values: Sequence[object]) -> str:
    quoted = ("'" + str(one).replace("'", "''") + "'" for one in values)
    return f"[{', '.join(quoted)}]::VARCHAR[]"
