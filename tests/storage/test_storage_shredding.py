"""A sender's names of fields never decide what loading and reading costs."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from logstream.storage.partition import Key
from logstream.storage.shredding import MAX_NAMES, Names, sample_of

Store = Any
ROWS = 31_000
"""DuckDB shreds row groups of 30 000 rows or more."""


def lines_with(*fields: dict[str, Any], rows: int, day: str = "13") -> list[bytes]:
    """Entries that have these fields in turn."""
    head = f'{{"timestamp":"2025-05-{day}T10:00:00Z","message":"m","fields":'
    tails = [json.dumps(one) + "}" for one in fields]
    return [f"{head}{tails[n % len(tails)]}".encode() for n in range(rows)]


def many_names(count: int) -> list[dict[str, Any]]:
    return [{f"name_{n}": n, "common": "x"} for n in range(count)]


def a_file(folder: Path, lines: list[bytes]) -> Path:
    path = folder / "sample.ndjson"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def shredded_columns(store: Store, day: str = "d20250513") -> int:
    """Columns of the fields that are not the variant's own four."""
    text = (
        "SELECT count(DISTINCT column_path) FROM pragma_storage_info(?) "
        "WHERE column_name = 'fields' AND column_path LIKE '[5, 2%'"
    )
    found = store.hub.cursor().execute(text, (f"{day}.entries",)).fetchall()
    return int(found[0][0])


def size_setting(store: Store) -> int:
    text = "SELECT current_setting('variant_minimum_shredding_size')"
    return int(store.hub.cursor().execute(text).fetchall()[0][0])


def test_few_names_are_shredded(store: Store) -> None:
    store.load(*lines_with({"status": 200, "host": "a"}, rows=ROWS))
    assert store.partitions.checkpoint(lambda _: True) == 1
    assert shredded_columns(store) > 0


def test_many_names_are_not(store: Store) -> None:
    """By the checkpoint neither, which writes what the load left in memory."""
    store.load(*lines_with(*many_names(MAX_NAMES * 2), rows=ROWS))
    assert store.partitions.checkpoint(lambda _: True) == 1
    assert shredded_columns(store) == 0
    assert size_setting(store) > 0


def test_a_day_stays_unshredded_when_few_names_follow(store: Store) -> None:
    """Both share row groups."""
    store.load(*lines_with(*many_names(MAX_NAMES * 2), rows=1000))
    store.load(*lines_with({"status": 200}, rows=ROWS))
    store.partitions.checkpoint(lambda _: True)
    assert shredded_columns(store) == 0


def test_names_of_many_small_batches_add_up(store: Store) -> None:
    names = many_names(MAX_NAMES * 2)
    for at in range(0, len(names), 10):
        store.load(*lines_with(*names[at : at + 10], rows=10))
    (day,) = store.partitions.attached()
    assert day.names.wide


def test_other_days_of_the_process_are_shredded_still(store: Store) -> None:
    store.load(*lines_with(*many_names(MAX_NAMES * 2), rows=100))
    store.load(*lines_with({"status": 200}, rows=ROWS, day="14"))
    store.partitions.checkpoint(lambda _: True)
    assert shredded_columns(store, "d20250514") > 0


def test_a_batch_of_many_days_counts_for_each(store: Store) -> None:
    names = many_names(MAX_NAMES * 2)
    both = lines_with(*names, rows=200) + lines_with(*names, rows=200, day="14")
    assert store.load(*both) == 400
    assert [day.names.wide for day in store.partitions.attached()] == [True, True]
    assert size_setting(store) > 0


def test_values_are_the_same_either_way(store: Store) -> None:
    store.load(*lines_with(*many_names(MAX_NAMES * 2), rows=MAX_NAMES * 2))
    found = [
        json.loads(bytes(row.fields)) for row in store.page(500, sort_by="id").rows
    ]
    key = "common"
    assert all(one[key] == "x" and len(one) == 2 for one in found)
    assert {n for one in found for n in one.values() if n != "x"} == set(
        range(MAX_NAMES * 2)
    )


def test_what_a_crash_left_is_not_shredded(store: Store, folder: Path) -> None:
    """Nobody knows what names it has."""
    store.load(*lines_with({"status": 200}, rows=10))
    path = folder / "2025-05-12.duckdb"
    path.with_name(path.name + ".wal").touch()
    assert store.partitions.attach(store.partitions.within()[0]).names.wide is False
    assert store.partitions.attach(Key(date(2025, 5, 12))).names.wide is True


@pytest.mark.parametrize(
    "fields",
    [
        [{"labels": one} for one in many_names(MAX_NAMES * 2)],
        [{"all": [one, 1]} for one in many_names(MAX_NAMES * 2)],
        [{f"n{n}": None} for n in range(MAX_NAMES * 2)],
        [{f"f{k}": value for k in range(4)} for value in (1, "text", True)],
    ],
)
def test_names_within_names_and_mixed_values_count(
    tmp_path: Path, fields: list[dict[str, Any]]
) -> None:
    names = Names()
    assert names.see(sample_of(a_file(tmp_path, lines_with(*fields, rows=400))))


@pytest.mark.parametrize(
    "fields",
    [
        [{f"n{n}": n for n in range(MAX_NAMES * 2)}],
        [{"a": 1, "b": 2}, {"a": 1.5, "b": 2.5}, {"a": None}],
        [{}],
    ],
)
def test_entries_that_are_alike_are_shredded(
    tmp_path: Path, fields: list[dict[str, Any]]
) -> None:
    """However many names each of them has."""
    names = Names()
    assert not names.see(sample_of(a_file(tmp_path, lines_with(*fields, rows=400))))


def test_a_name_of_its_own_in_one_of_fifty_entries_is_found(tmp_path: Path) -> None:
    """In a file of which a part is looked at."""
    fields = [{"status": 200}] * 49
    lines: list[bytes] = []
    for block in range(400):
        lines += lines_with(*fields, {f"id_{block}": 1}, rows=50)
    assert Names().see(sample_of(a_file(tmp_path, lines)))


def test_lines_that_are_no_entries_do_no_harm(tmp_path: Path) -> None:
    """Frame headers, half a line, and what is no JSON."""
    lines = [b'{"_frame":{"crc":"0"}}', b"{", b"\xff\xfe", b'{"fields":5}', b"[" * 5000]
    assert not Names().see(sample_of(a_file(tmp_path, lines)))


def test_shredding_is_off_until_the_last_one_leaves(store: Store) -> None:
    shredding = store.hub.shredding
    usual = size_setting(store)
    with shredding.off():
        with shredding.off(), shredding.off(False):
            assert size_setting(store) == -1
        assert size_setting(store) == -1
    assert size_setting(store) == usual
