"""The reader: the right entries in the right order, from no more days than it takes."""

import base64
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logstream.core.errors import BadRequest, QueryTimeout
from logstream.core.sql import Sql
from logstream.core.timestamps import parse_ns
from logstream.storage.paging import Cursor, encode_cursor
from logstream.storage.selection import Selection

Store = Any


def an_entry(
    timestamp: str = "2025-05-13T10:00:00Z", message: str = "m", **parts: Any
) -> dict[str, Any]:
    return {
        "timestamp": timestamp,
        "source": "web",
        "level": "info",
        "message": message,
        **parts,
    }


def all_pages(store: Store, limit: int, **options: Any) -> list[str]:
    """Messages of page after page, until there is none."""
    found: list[str] = []
    cursor = None
    for _ in range(100):
        page = store.page(limit, cursor=cursor, **options)
        assert len(page.rows) <= limit
        found += [row.message for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            return found
    raise AssertionError("pages without an end")


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_neither_skip_nor_repeat_equal_timestamps(
    store: Store, limit: int, *, descending: bool
) -> None:
    """Over days, and with eleven entries of one instant."""
    times = ["2025-05-13T10:00:00Z"] * 8 + ["2025-05-13T10:00:00.000000001Z"] * 2
    times += ["2025-05-12T23:59:59Z", "2025-05-14T00:00:00Z"]
    store.load(*(an_entry(at, f"{n:02d}") for n, at in enumerate(times)))
    found = all_pages(store, limit, descending=descending)
    expected = ["10", *[f"{n:02d}" for n in range(8)], "08", "09", "11"]
    assert found == (expected[::-1] if descending else expected)


def test_entries_that_arrive_meanwhile_move_no_page(store: Store) -> None:
    store.load(*(an_entry(f"2025-05-13T10:00:0{n}Z", str(n)) for n in range(6)))
    first = store.page(3)
    store.load(an_entry("2025-05-13T11:00:00Z", "new"))
    second = store.page(3, cursor=first.cursor)
    assert [row.message for row in second.rows] == ["2", "1", "0"]


def test_the_newest_few_touch_the_newest_day_only(store: Store) -> None:
    """The rest of the year is not even opened."""
    days = [f"2025-05-{day:02d}T00:00:00Z" for day in range(1, 11)]
    store.load(*(an_entry(day, day[8:10]) for day in [*days, days[-1]]))
    store.close()
    again = type(store)(store.folder, store.folder.parent)
    try:
        assert again.messages(1) == ["10"]
        assert [one.day.day for one in again.partitions.attached()] == [10]
        span = Selection(from_ns=parse_ns("2025-05-03"), to_ns=parse_ns("2025-05-05"))
        assert again.reader.count(span) == 2
        assert again.messages(selection=span) == ["04", "03"]
        assert sorted(one.day.day for one in again.partitions.attached()) == [3, 4, 10]
        none = Selection(from_ns=parse_ns("2026-01-01"))
        assert again.reader.count(none) == 0
        assert again.messages(selection=none) == []
    finally:
        again.close()


def test_a_time_range_holds_its_begin_and_not_its_end(store: Store) -> None:
    store.load(*(an_entry(f"2025-05-13T10:00:0{n}Z", str(n)) for n in range(4)))
    span = Selection(
        from_ns=parse_ns("2025-05-13T10:00:01Z"), to_ns=parse_ns("2025-05-13T10:00:03Z")
    )
    assert store.messages(selection=span) == ["2", "1"]


def test_an_impossible_time_range_is_empty(store: Store) -> None:
    store.load(an_entry())
    for span in (
        Selection(from_ns=parse_ns("2025-05-14"), to_ns=parse_ns("2025-05-13")),
        Selection(from_ns=2**62),
        Selection(to_ns=0),
    ):
        assert store.reader.count(span) == 0
        assert store.messages(selection=span) == []


def test_a_field_sorts_numbers_by_size_then_text_then_nothing(store: Store) -> None:
    values: list[Any] = [10, 9, "b", 2.5, "a", None, "11", True]
    entries = [an_entry(message=repr(v), fields={"v": v}) for v in values]
    store.load(*entries, an_entry(message="none"))
    found = store.messages(sort_by="v", descending=False)
    assert found[:4] == ["2.5", "9", "10", "'11'"]
    assert found[4:7] == ["'a'", "'b'", "True"]
    assert sorted(found[7:]) == ["None", "none"]
    assert store.messages(sort_by="v")[:4] == ["'11'", "10", "9", "2.5"]


@pytest.mark.parametrize(
    "name", ["source", "level", "message", "id", "a.b", "a.b.c", "'", '"; --', "?", ""]
)
def test_any_name_may_be_sorted_and_grouped_by(store: Store, name: str) -> None:
    """No name is SQL; a dotted one reaches into objects."""
    store.load(
        an_entry(message="1", fields={"a": {"b": 1}, name or "x": "v"}),
        an_entry(message="2", fields={"a.b": 2}),
    )
    assert sorted(all_pages(store, 1, sort_by=name)) == ["1", "2"]
    assert sum(store.reader.frequency(Selection(), group_by=name).values()) <= 2
    if name == "a.b":
        assert store.reader.frequency(Selection(), group_by=name) == {"1": 1, "2": 1}


def test_a_cursor_is_for_the_query_that_gave_it(store: Store) -> None:
    store.load(*(an_entry(message=str(n)) for n in range(5)))
    cursor = store.page(2).cursor
    with pytest.raises(BadRequest, match="another query"):
        store.page(2, cursor=cursor, descending=False)
    with pytest.raises(BadRequest, match="another query"):
        store.page(2, cursor=cursor, sort_by="message")
    with pytest.raises(BadRequest, match="another query"):
        store.page(
            2, cursor=cursor, selection=Selection(where=Sql("level = ?", ("x",)))
        )


@pytest.mark.parametrize(
    "text",
    [
        *("x", "====", "é", "\x00", "AAAA", "[]", "a" * 5000, "WzFd"),
        base64.urlsafe_b64encode(b'[1,"key",1e99,0,0]').decode(),
    ],
)
def test_a_cursor_that_is_not_ours_is_a_bad_request(store: Store, text: str) -> None:
    store.load(an_entry())
    with pytest.raises(BadRequest):
        store.page(2, cursor=text)


@pytest.mark.parametrize("part", ["timestamp_ns", "id", "offset"])
@pytest.mark.parametrize("value", [2**70, -(2**70)])
def test_a_forged_cursor_is_a_bad_request(store: Store, part: str, value: int) -> None:
    from logstream.storage.paging import query_checksum

    store.load(an_entry())
    query = query_checksum(Selection(), "timestamp", descending=True)
    parts: dict[str, Any] = {part: value}
    with pytest.raises(BadRequest):
        store.page(2, cursor=encode_cursor(Cursor(query=query, kind="key", **parts)))


def test_an_entry_is_found_by_its_id(store: Store) -> None:
    store.load(an_entry(message="a"), an_entry("2024-01-01T00:00:00Z", "b"))
    for row in store.page().rows:
        found = store.reader.get(row.id)
        assert found == row
    for unknown in (0, -1, 7, 2**62, 2**63, 2**80):
        assert store.reader.get(unknown) is None


def test_stats_and_frequencies_count_everything_once(store: Store) -> None:
    store.load(an_entry(), an_entry(level="error"), segment=1)
    store.load(an_entry("2025-01-01T00:00:00.5Z", source="db"), segment=2)
    stats = store.reader.stats()
    assert stats.entries == 3
    assert stats.oldest_ns == parse_ns("2025-01-01T00:00:00.5Z")
    assert stats.newest_ns == parse_ns("2025-05-13T10:00:00Z")
    assert stats.by_source == {"db": 1, "web": 2}
    assert stats.by_level == {"error": 1, "info": 2}
    assert stats.stored_bytes > 0
    assert store.reader.sources() == ["db", "web"]
    assert list(store.reader.frequency(Selection(), group_by="source")) == ["web", "db"]


def test_an_empty_store_answers(store: Store) -> None:
    assert store.messages() == []
    assert store.messages(sort_by="x") == []
    assert store.reader.count(Selection()) == 0
    assert store.reader.frequency(Selection(), group_by="x") == {}
    assert store.reader.sources() == []
    assert store.reader.stats().oldest_ns is None
    assert store.reader.get(1) is None
    assert store.reader.partitions() == []


def test_fields_come_back_as_json(store: Store) -> None:
    """Infinity has no JSON: it is null. A text that says so stays as it is."""
    store.load(
        b'{"timestamp":"2025-05-13T10:00:00Z","message":"m","fields":'
        b'{"a":1e999,"b":[-1e999,"Infinity"],"c":"-Infinity \\" Infinity",'
        b'"Infinity":1,"big":123456789012345678901234567890}}',
        b'{"timestamp":"2025-05-13T10:00:00Z","message":"m","fields":null}',
    )
    null, row = (msgspec.json.decode(row.fields) for row in store.page().rows)
    assert null == {}
    assert row.pop("big") == pytest.approx(1.2345678901234568e29)
    assert row == {
        "a": None,
        "b": [None, "Infinity"],
        "c": '-Infinity " Infinity',
        "Infinity": 1,
    }


def test_a_query_ends_in_time(store: Store) -> None:
    store.load(an_entry())
    store.reader._timeout_s = 0.2
    slow = Sql("(SELECT count(*) FROM range(100000000000) AS r(n) WHERE n % 7 = 3) > 0")
    with pytest.raises(QueryTimeout, match=r"query\.timeout_s"):
        store.reader.count(Selection(where=slow))
    store.reader._timeout_s = 20
    assert store.reader.count(Selection()) == 1


def test_the_time_limit_holds_for_statements_after_it_too(store: Store) -> None:
    """An interrupt that comes while none runs would be forgotten by the next."""
    slow = "SELECT count(*) FROM range(100000000000) AS r(n) WHERE n % 7 = 3"

    def read() -> None:
        with store.hub.reading(0) as db:
            db.execute("SELECT 1").fetchall()
            db.execute(slow).fetchall()

    with pytest.raises(QueryTimeout):
        read()


def test_a_value_that_cannot_be_is_a_bad_request(store: Store) -> None:
    store.load(an_entry())
    wrong = Selection(where=Sql("CAST(message AS INTEGER) = ?", (1,)))
    with pytest.raises(BadRequest):
        store.reader.count(wrong)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_order_and_page_size_gives_every_entry_once(
    store: Store, data: st.DataObject
) -> None:
    if store._segments == 0:
        store.load(
            *(
                an_entry(
                    f"2025-05-{10 + n % 3}T00:00:0{n % 2}Z", str(n), fields={"k": n % 4}
                )
                for n in range(30)
            )
        )
    found = all_pages(
        store,
        data.draw(st.integers(1, 31)),
        sort_by=data.draw(st.sampled_from(["timestamp", "id", "level", "k", "none"])),
        descending=data.draw(st.booleans()),
    )
    assert sorted(map(int, found)) == list(range(30))


def test_partitions_say_what_they_are(store: Store) -> None:
    store.load(an_entry(), an_entry("2025-05-12T00:00:00Z"))
    states = store.reader.partitions()
    assert [state.day for state in states] == [date(2025, 5, 13), date(2025, 5, 12)]
    assert store.partitions.stored_bytes() == sum(s.stored_bytes for s in states)
