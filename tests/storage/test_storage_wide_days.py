"""A day whose fields are together is read in the form that is the quicker one there."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from logstream.query import compile_filter
from logstream.storage.partition import Key
from logstream.storage.planning import Look, look_into
from logstream.storage.selection import Selection
from logstream.storage.shredding import MAX_NAMES
from tests.storage.compacted_day import DAY, compact, entry

Store = Any
FAST = "name_3:x", "name_3:*", "-name_3:x", "name_2:>1", "name_1:(x OR y)", "common:x"


def wide(rows: int) -> list[dict[str, Any]]:
    """Values of any kind, under many names."""
    values: list[Any] = ["x", 3, [1, "x"], None, True, {"a": "x"}, 1e17]
    return [
        entry(n, "web", **{f"name_{n % 90}": values[n % 7], "common": "x"})
        for n in range(rows)
    ]


def narrow(rows: int) -> list[dict[str, Any]]:
    return [entry(n, "web", common="x") for n in range(rows)]


def looked(store: Store) -> Look:
    (day,) = store.partitions.readable([Key(DAY)])
    with store.hub.reading(10) as cursor:
        return look_into(cursor, day, None, asks=True)


def chosen(text: str) -> Selection:
    query = compile_filter(text)
    return Selection(where=query.sql, fast=query.where_sql, needs=query.needs)


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize(("rows", "together"), [(wide, True), (narrow, False)])
def test_a_day_of_many_names_is_read_in_the_safe_form(
    store: Store,
    rows: Callable[[int], list[dict[str, Any]]],
    together: bool,
    compacted: bool,
) -> None:
    store.load(*rows(MAX_NAMES * 4))
    if compacted:
        compact(store)
    assert looked(store).together == together


def test_what_most_of_the_rows_are_decides(store: Store) -> None:
    store.load(*narrow(MAX_NAMES * 4))
    store.load(*wide(MAX_NAMES * 3))
    assert not looked(store).together
    store.load(*wide(MAX_NAMES * 3))
    assert looked(store).together


def test_what_a_crash_left_is_read_in_the_fast_form(store: Store) -> None:
    """Nobody knows what it is."""
    store.load(*narrow(MAX_NAMES))
    (day,) = store.partitions.attached()
    day.names.wide = True
    assert not looked(store).together


@pytest.mark.parametrize("text", FAST)
def test_what_is_found_is_the_same(store: Store, text: str) -> None:
    store.load(*wide(MAX_NAMES * 4))
    (day,) = store.partitions.attached()
    found = store.page(500, selection=chosen(text)).rows
    count = store.reader.count(chosen(text))
    day.names.rows_together = 0
    assert store.page(500, selection=chosen(text)).rows == found
    assert count == len(found) > 0
    assert all(json.loads(bytes(row.fields)) for row in found)
