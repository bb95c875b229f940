"""Spreading: a compacted day has each field of its entries all over the file."""

from typing import Any

import pytest

from logstream.storage import spreading
from logstream.storage.partition import Key
from logstream.storage.spreading import cover
from tests.storage.compacted_day import DAY, compact, entry

GROUP = 2048


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreading, "ROW_GROUP_ROWS", GROUP)
    monkeypatch.setattr(spreading, "EVERY_ROWS", GROUP // 2)


def load_three_kinds(store: Any, count: int) -> None:
    store.load(*(entry(at, "app", n=at) for at in range(count)))
    store.load(*(entry(at, "db", table=f"t{at % 5}") for at in range(count)))
    store.load(*(entry(at, "job", job={"id": at, "try": 1}) for at in range(count)))


def groups_with(store: Any, test: str) -> list[int]:
    """Which stretches of so many places hold an entry for which the test is true."""
    (partition,) = store.partitions.readable([Key(DAY)])
    cursor = store.hub.cursor()
    text = (
        f"SELECT DISTINCT place // {GROUP} AS g FROM {partition.name}.entries "
        f"WHERE {test} ORDER BY g"
    )
    return [row[0] for row in cursor.execute(text).fetchall()]


@pytest.mark.usefixtures("small_groups")
def test_every_row_group_has_an_entry_with_each_field(store: Any) -> None:
    load_three_kinds(store, 2 * GROUP)
    before = sorted(row.id for row in store.page(limit=20_000).rows)
    compact(store)
    groups = groups_with(store, "TRUE")
    assert len(groups) == 6
    for path in ("fields.n", "fields.table", "fields.job.try"):
        assert groups_with(store, f"{path} IS NOT NULL") == groups
    assert sorted(row.id for row in store.page(limit=20_000).rows) == before


@pytest.mark.usefixtures("small_groups")
def test_entries_of_one_kind_stay_in_order(store: Any) -> None:
    for source in ("app", "db", "job"):
        store.load(*(entry(at, source, n=at) for at in range(2 * GROUP)))
    compact(store)
    for at, source in enumerate(("app", "db", "job")):
        assert groups_with(store, f"source = '{source}'") == [2 * at, 2 * at + 1]


def test_a_day_of_one_row_group_stays_in_order(store: Any) -> None:
    load_three_kinds(store, 2 * GROUP)
    compact(store)
    assert groups_with(store, "source = 'app'") == [0, 1]


@pytest.mark.parametrize(
    ("shapes", "chosen"),
    [
        ([], []),
        (["ab"], []),
        (["ab", "ab"], []),
        (["ab", "a"], [0]),
        (["a", "abc", "bd"], [1, 2]),
        (["ab", "cd", "e"], [0, 1, 2]),
    ],
)
def test_kinds_are_chosen_that_have_what_not_all_have(
    shapes: list[str], chosen: list[int]
) -> None:
    assert cover([frozenset(names) for names in shapes]) == chosen
