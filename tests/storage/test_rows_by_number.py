"""Places of a finished day that are said by the numbers of its rows."""

from typing import Any

from logstream.query import compile_filter
from logstream.query.query import compile_query
from logstream.storage.folding import fold
from logstream.storage.partition import Key
from logstream.storage.planning import Look, look_into
from logstream.storage.selection import Selection
from logstream.storage.skip_index import BLOCK_ROWS
from logstream.storage.statements import Statements
from tests.storage.compacted_day import DAY, compact, entry

Store = Any
ROWS = 20 * BLOCK_ROWS
WANTED = "kind:odd"


def a_day(store: Store) -> None:
    """With odd ones in two blocks, some rows apart."""
    store.load(
        *(
            entry(
                at,
                "db",
                kind="odd" if at % (11 * BLOCK_ROWS) < 50 else f"k{at % 1000}",
                trace=f"{at:08x}",
            )
            for at in range(ROWS)
        )
    )
    compact(store)


def chosen(text: str) -> Selection:
    query = compile_filter(text)
    return Selection(where=query.sql, fast=query.where_sql, needs=query.needs)


def looked(store: Store, text: str) -> Look:
    (day,) = store.partitions.readable([Key(DAY)])
    with store.hub.reading(10) as cursor:
        return look_into(cursor, day, compile_filter(text).needs, by_row=True)


def answers(store: Store, text: str) -> tuple[Any, ...]:
    """What is found, in each way to ask for it."""
    plan = compile_query(f"{text} | stats count(), max(trace) by kind").plan()
    statements = Statements(store.hub, store.partitions, timeout_s=60)
    return (
        store.reader.count(chosen(text)),
        store.reader.frequency(chosen(text), group_by="kind"),
        [row.id for row in store.page(30, selection=chosen(text)).rows],
        [row.id for row in store.page(5000, selection=chosen(text)).rows],
        statements.run(
            plan, lambda found: [r for rows in found.batches() for r in rows]
        ),
    )


def test_they_are_where_nothing_was_taken_away(store: Store) -> None:
    a_day(store)
    look = looked(store, WANTED)
    assert look.by_row
    assert "rowid BETWEEN" in look.place
    assert "place BETWEEN" in look.told


def test_what_is_found_is_the_same(store: Store) -> None:
    a_day(store)
    found = answers(store, WANTED)
    (day,) = store.partitions.attached()
    day.deletions = 1
    assert not looked(store, WANTED).by_row
    assert answers(store, WANTED) == found
    assert found[0] == 100
    assert len(found[2]) == 30


def test_pages_go_on_where_they_ended(store: Store) -> None:
    a_day(store)
    every = [row.id for row in store.page(5000, selection=chosen(WANTED)).rows]
    found: list[int] = []
    page = store.page(30, selection=chosen(WANTED))
    while True:
        found += [row.id for row in page.rows]
        if page.cursor is None:
            break
        page = store.page(30, selection=chosen(WANTED), cursor=page.cursor)
    assert found == every


def test_late_entries_have_numbers_behind_the_others(store: Store) -> None:
    a_day(store)
    store.load(entry(7, "db", kind="odd", trace="late"))
    look = looked(store, WANTED)
    assert look.by_row
    assert f"rowid >= {ROWS}" in look.place
    assert answers(store, WANTED)[0] == 101
    assert answers(store, "trace:late")[0] == 1


def test_they_are_not_told_of_a_day_that_lost_entries(store: Store) -> None:
    """In this process, or in one before."""
    a_day(store)
    (day,) = store.partitions.attached()
    with store.hub.writing() as cursor:
        cursor.execute(f"DELETE FROM {day.name}.entries WHERE place < {BLOCK_ROWS}")
    day.mark_dirty(BLOCK_ROWS, deletes=True)
    assert not looked(store, WANTED).by_row
    before = answers(store, WANTED)
    store.partitions.checkpoint(lambda _: True)
    day.plan, day.deletions, day.writes = None, 0, 0
    assert not looked(store, WANTED).by_row
    assert answers(store, WANTED) == before


def test_they_are_not_told_of_a_day_in_which_entries_were_moved(store: Store) -> None:
    """Though as many are there as before."""
    a_day(store)
    before = answers(store, WANTED)
    (day,) = store.partitions.attached()
    with store.hub.writing() as cursor:
        table = f"{day.name}.entries"
        cursor.execute(f"INSERT INTO {table} SELECT * FROM {table} WHERE place < 100")
        cursor.execute(f"DELETE FROM {table} WHERE rowid < 100")
    day.plan = None
    assert not looked(store, WANTED).by_row
    assert answers(store, WANTED) == before


def test_what_was_compacted_is_not_folded(store: Store) -> None:
    """Though the tail is taken to be longer than what came since."""
    a_day(store)
    store.load(entry(7, "db", kind="odd", trace="late"))
    assert store.partitions.checkpoint(lambda _: True) == 1
    (day,) = store.partitions.attached()
    for _ in range(40):
        day.tail.add(100, 1)
    assert fold(store.hub, day)
    assert looked(store, WANTED).by_row
    assert answers(store, WANTED)[0] == 101


def test_what_is_known_of_a_day_is_not_asked_again(store: Store) -> None:
    a_day(store)
    (day,) = store.partitions.attached()
    before = answers(store, WANTED)
    with day.writers.alone(5) as alone:
        assert alone
        store.partitions._open.close(day)
    (day,) = store.partitions.readable([Key(DAY)])
    assert day.compacted is not None
    assert day.compacted[1:] == (ROWS, 0)
    assert answers(store, WANTED) == before
    store.load(entry(7, "db", kind="odd", trace="late"))
    assert answers(store, "trace:late")[0] == 1
