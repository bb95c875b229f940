"""First rows of days: as many as are asked for, whichever way they are found."""

import itertools
from typing import Any

import pytest

from logstream.query.query import compile_query
from logstream.storage.statements import Statements
from tests.storage.compacted_day import compact, entry

COUNT = 3000
TAILS = ("head {}", "tail {}", "sort by n | head {}", "sort by n desc, m | limit {}")
ROWS = (7, 1100, 1101, 9999)


def entries_of_day(day: int) -> list[dict[str, Any]]:
    made = [
        entry(at, f"s{at % 3}", n=at * 7919 % 1009, m=at, wide={"x": f"{at}"})
        for at in range(COUNT)
    ]
    for one in made:
        one["timestamp"] = one["timestamp"].replace("01-01T", f"01-{day:02}T")
    return made


def rows_of(store: Any, text: str, limit: int = 100_000) -> list[tuple[Any, ...]]:
    statements = Statements(store.hub, store.partitions, timeout_s=60)
    plan = compile_query(text).plan(limit=limit)
    return statements.run(plan, lambda result: list(itertools.chain(*result.batches())))


@pytest.mark.parametrize("days", [1, 2])
@pytest.mark.parametrize("compacted", [True, False])
def test_first_rows_are_those_of_all_rows(
    store: Any, days: int, *, compacted: bool
) -> None:
    for day in range(1, days + 1):
        store.load(*entries_of_day(day))
    if compacted:
        compact(store)
    for pipe, rows in itertools.product(TAILS, ROWS):
        words, fields = pipe.format(rows).split(" | "), "id, n, m, wide"
        every = rows_of(store, " | ".join(["*", *words[:-1], f"fields {fields}"]))
        assert len(every) == COUNT * days
        expected = every[-rows:] if "tail" in pipe else every[:rows]
        text = " | ".join(["*", *words])
        assert rows_of(store, f"{text} | fields {fields}") == expected
        assert [one[:1] for one in expected] == rows_of(store, f"{text} | fields id")
        some = rows_of(store, f"{text} | offset 5 | head 3 | fields {fields}")
        assert some == expected[5:8]


def test_first_rows_that_are_read_twice_are_the_same(store: Any) -> None:
    store.load(*entries_of_day(1))
    compact(store)
    text = "* | head {} | join by (m) (* | head {} | fields m, n) | stats count() as c"
    for rows in (10, 1500):
        assert rows_of(store, text.format(rows, rows)) == [(rows,)]


def test_first_rows_beyond_a_condition_are_found_in_a_day(store: Any) -> None:
    store.load(*entries_of_day(1))
    compact(store)
    every = rows_of(store, "source:s1 | fields id, m")
    assert len(every) == COUNT // 3
    for rows in (3, 990, 2000):
        found = rows_of(store, f"source:s1 | head {rows} | fields id, m")
        assert found == every[:rows]
        assert rows_of(store, "source:s1 | fields id, m", limit=rows) == every[:rows]
