"""A query is bounded: in time as a whole, in groups, and by who waits for it."""

import threading
from typing import Any

import duckdb
import pytest

from logstream.core.errors import (
    LogStreamError,
    QueryCancelled,
    QueryMemory,
    QueryTimeout,
    StorageError,
    StoreFailed,
)
from logstream.storage.control import QueryControl, bounded_by
from logstream.storage.hub import Hub
from logstream.storage.selection import Selection

ENDLESS = "SELECT count(*) FROM range(1000000000000) t(i) WHERE sqrt(i) = -1"


@pytest.fixture
def hub(store: Any) -> Hub:
    found: Hub = store.hub
    return found


def test_a_query_is_stopped_from_another_thread(hub: Hub) -> None:
    control = QueryControl(60)
    begun = threading.Event()
    ended: list[LogStreamError] = []

    def run() -> None:
        try:
            with bounded_by(control), hub.reading(60) as db:
                begun.set()
                db.execute(ENDLESS)
        except LogStreamError as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(150)
    control.cancel()
    thread.join(150)
    assert isinstance(ended[0], QueryCancelled)


def test_a_query_that_was_stopped_begins_no_further_statement(hub: Hub) -> None:
    control = QueryControl(60)
    control.cancel()
    with bounded_by(control), pytest.raises(QueryCancelled), hub.reading(60):
        pytest.fail("it began")


def test_a_cancel_between_two_statements_is_not_forgotten(hub: Hub) -> None:
    control = QueryControl(60)

    def run() -> None:
        with bounded_by(control), hub.reading(60) as db:
            control.cancel()
            db.execute(ENDLESS)

    with pytest.raises(QueryCancelled):
        run()


def test_the_time_limit_is_that_of_all_reads_of_a_query_together(hub: Hub) -> None:
    control = QueryControl(0.05)
    with bounded_by(control):
        with pytest.raises(QueryTimeout, match=r"0\.05 s"), hub.reading(60) as db:
            db.execute(ENDLESS)
        with pytest.raises(QueryTimeout), hub.reading(60):
            pytest.fail("its time was over")


def test_a_read_outside_of_a_query_has_the_limit_it_names(hub: Hub) -> None:
    with pytest.raises(QueryTimeout, match=r"0\.05 s"), hub.reading(0.05) as db:
        db.execute(ENDLESS)
    with hub.reading(5) as db:
        assert db.execute("SELECT 1").fetchall() == [(1,)]


def test_a_read_within_a_read_is_stopped_too(hub: Hub) -> None:
    control = QueryControl(60)

    def run() -> None:
        with bounded_by(control), hub.reading(60), hub.reading(60) as inner:
            control.cancel()
            inner.execute(ENDLESS)

    with pytest.raises(QueryCancelled):
        run()


def test_only_the_most_frequent_groups_leave_the_store(store: Any) -> None:
    entries = [
        {
            "timestamp": "2026-11-20T10:00:00Z",
            "source": f"s{min(n, 6)}",
            "level": "info",
            "message": f"m{n}",
            "fields": {},
        }
        for n in range(10)
    ]
    store.load(*entries)
    found = store.reader.frequency(Selection(), group_by="source", limit=3)
    assert found == {"s6": 4, "s0": 1, "s1": 1}
    assert len(store.reader.frequency(Selection(), group_by="message")) == 10


def test_no_memory_is_an_error_of_the_query_not_of_the_store(hub: Hub) -> None:
    with pytest.raises(QueryMemory, match=r"query\.memory_bytes"), hub.reading(5):
        raise duckdb.OutOfMemoryException("could not allocate block of size 256 KiB")
    assert hub.failure == ""


@pytest.mark.parametrize(
    "error",
    [
        duckdb.FatalException("FATAL Error: Failed to checkpoint: disk on fire"),
        duckdb.InternalException("database has been invalidated because of an error"),
        duckdb.IOException("Checkpoint failed. The database has been invalidated."),
    ],
    ids=["fatal", "invalidated", "checkpoint"],
)
@pytest.mark.parametrize(("how", "arguments"), [("reading", (5,)), ("writing", ())])
def test_the_hub_tells_once_when_duckdb_fails_for_good(
    hub: Hub, error: duckdb.Error, how: str, arguments: tuple[float, ...]
) -> None:
    told: list[str] = []
    hub.on_failure(lambda: told.append(hub.failure))
    for _ in range(2):
        with pytest.raises((StoreFailed, duckdb.Error)), getattr(hub, how)(*arguments):
            raise error
    assert told == [str(error)]
    late: list[str] = []
    hub.on_failure(lambda: late.append("at once"))
    assert late == ["at once"]


def test_a_load_that_finds_duckdb_failed_says_so(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise duckdb.FatalException("FATAL Error: no more")

    monkeypatch.setattr("logstream.storage.loader.remember", fail)
    entry = {"timestamp": "2026-11-20T10:00:00Z", "message": "m", "source": "s"}
    with pytest.raises(StorageError):
        store.load({**entry, "level": "info", "fields": {}})
    assert "no more" in store.hub.failure
