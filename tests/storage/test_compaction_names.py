"""What compaction makes columns of is decided as it is when a day is loaded."""

import duckdb
import pytest

from logstream.storage.rewriting import _is_wide


@pytest.mark.parametrize(
    ("entries", "wide"),
    [
        ("json_object('a', i, 'b', i)", False),
        ("json_object('n' || i % 300, i)", True),
        # One entry with 500 names does not allow everybody 3 000.
        ("IF(i = 7, json_group_names, json_object('n' || i % 300, i))", True),
        ("json_group_names", False),  # hundreds, but the same in every entry
        ("NULL", False),
    ],
)
def test_many_names_are_told_from_large_entries(entries: str, wide: bool) -> None:
    names = "(SELECT json_group_object('m' || j, j) FROM range(500) u(j))"
    with duckdb.connect() as db:
        db.execute("ATTACH ':memory:' AS old")
        db.execute(
            "CREATE TABLE old.entries AS SELECT CAST(CAST("
            f"{entries.replace('json_group_names', names)} AS JSON) AS VARIANT) "
            "AS fields FROM range(1000) t(i)"
        )
        assert _is_wide(db) is wide
