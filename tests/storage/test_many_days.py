"""Many days: few are open at a time, what is known is not read, and answers are those
of a plain scan over all.
"""

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from logstream.config.settings import StorageConfig
from logstream.core.errors import StorageError
from logstream.core.plan import Plan
from logstream.query import compile_filter
from logstream.query.query import compile_query, parse_query
from logstream.storage import choosing, parts, plan_reading
from logstream.storage import reader as reader_module
from logstream.storage.batch import Batch
from logstream.storage.compaction import Compactor
from logstream.storage.hub import Hub
from logstream.storage.loader import Loader
from logstream.storage.partition import Key
from logstream.storage.partitions import Partitions
from logstream.storage.reader import Reader
from logstream.storage.results import Result
from logstream.storage.selection import Selection, union
from logstream.storage.statements import Statements

FIRST = date(2026, 1, 1)
DAYS = 14
MAX_OPEN = 3
PER_DAY = 30
_NS = 1_000_000_000


class Year:
    """A store of many days, of which few may be open."""

    def __init__(self, tmp: Path, *, max_open: int = MAX_OPEN) -> None:
        self.tmp = tmp
        self.folder = tmp / "partitions"
        self.folder.mkdir(exist_ok=True)
        self.config = StorageConfig(threads=2)
        self.max_open = max_open
        self.segment = 0
        self.open()

    def open(self) -> None:
        self.hub = Hub(self.config, tmp=None)
        self.partitions = Partitions(
            self.hub,
            self.folder,
            statistics=self.tmp / "statistics.json",
            max_open=self.max_open,
        )
        self.loader = Loader(self.hub, self.partitions, max_entry_bytes=100_000)
        self.reader = Reader(self.hub, self.partitions, timeout_s=150)
        self.compactor = Compactor(self.hub, self.partitions, self.config, tmp=self.tmp)

    def reopen(self) -> None:
        self.hub.close()
        self.open()

    def load(self, *entries: dict[str, Any]) -> None:
        self.segment += 1
        path = self.tmp / "batch.ndjson"
        path.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
        self.loader.load(
            Batch(
                segment=self.segment,
                path=path,
                size=path.stat().st_size,
                entries=len(entries),
            )
        )

    def checkpoint(self) -> None:
        self.partitions.checkpoint(lambda _: True)

    def open_days(self) -> int:
        return len(self.partitions.attached())


def entry(number: int, at: int) -> dict[str, Any]:
    """The nth of a day. Some days have a level, or a field, that no other has."""
    begins = datetime.combine(FIRST, datetime.min.time(), UTC)
    stamp = begins + timedelta(days=number, seconds=at * 2500)
    level = "fatal" if number == 5 and at == 7 else ("info", "error")[at % 2]
    fields: dict[str, Any] = {"n": (at * 7 + number) % 11, "trace": f"{number}-{at}"}
    if at % 3 == 0:
        fields["host"] = f"host{(at + number) % 4}"
    return {
        "timestamp": stamp.isoformat().replace("+00:00", "Z"),
        "source": f"app{number % 3}",
        "level": level,
        "message": f"message {at} of {number}",
        "fields": fields,
    }


def day_of(number: int) -> list[dict[str, Any]]:
    return [entry(number, at) for at in range(PER_DAY)]


def fill(year: Year) -> None:
    """Compacted days, one with late entries, plain ones, and one being written to."""
    for number in range(DAYS):
        year.load(*day_of(number))
        year.checkpoint()
    for number in range(DAYS - 4):
        year.compactor.compact(Key(FIRST + timedelta(days=number)))
    year.load(entry(2, 31))
    year.checkpoint()
    year.load(entry(DAYS - 1, 31))


@pytest.fixture
def year(tmp_path: Path) -> Iterator[Year]:
    made = Year(tmp_path)
    yield made
    made.hub.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Year]:
    made = Year(tmp_path_factory.mktemp("year"))
    fill(made)
    yield made
    made.hub.close()


PARTS = 4


def fill_parts(year: Year) -> None:
    """Days of several parts, which are of the same time; some are compacted."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parts, "PART_ROWS", 5)
        for number in range(DAYS):
            for nth in range(PARTS if number % 3 else 1):
                step = PARTS if number % 3 else 1
                year.load(*day_of(number)[nth::step])
                if nth < PARTS - 1:
                    year.checkpoint()
    for key in year.partitions.within():
        if key.part % 2 or not year.partitions.takes_more(key):
            year.compactor.compact(key)
    year.load(entry(2, 31))
    year.checkpoint()
    year.reader.stats()
    year.load(entry(DAYS - 1, 31))


@pytest.fixture(scope="module", params=[fill, fill_parts])
def stored(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Year]:
    made = Year(tmp_path_factory.mktemp("year"))
    request.param(made)
    yield made
    made.hub.close()


def selection(
    text: str, *, from_ns: int | None = None, to_ns: int | None = None
) -> Selection:
    query = compile_filter(text)
    return Selection(
        where=query.sql,
        fast=query.fast_sql,
        needs=query.needs,
        from_ns=from_ns,
        to_ns=to_ns,
    )


def ns(number: int, seconds: int = 0) -> int:
    at = datetime.combine(FIRST, datetime.min.time(), UTC)
    return (int(at.timestamp()) + number * 86_400 + seconds) * _NS


# ---- how many are open ----


def test_few_days_are_open_however_many_were_read(filled: Year) -> None:
    filled.checkpoint()
    for number in range(DAYS):
        one = Selection(from_ns=ns(number), to_ns=ns(number + 1))
        assert len(filled.reader.entries(one, limit=100).rows) >= PER_DAY
        assert filled.open_days() <= MAX_OPEN + 1  # and the one being written to


def test_a_query_may_have_more_open_while_it_runs(filled: Year) -> None:
    with filled.hub.reading(20) as db:
        days = filled.partitions.readable(filled.partitions.within())
        assert len(days) == filled.open_days() == DAYS
        counts = f"SELECT count(*) FROM {union(days)}"
        assert db.execute(counts).fetchall() == [(DAYS * PER_DAY + 2,)]
    filled.checkpoint()
    assert filled.open_days() == MAX_OPEN


def test_a_day_that_was_closed_is_loaded_into(year: Year) -> None:
    for number in range(MAX_OPEN + 2):
        year.load(*day_of(number))
        year.checkpoint()
    assert FIRST not in {one.day for one in year.partitions.attached()}
    year.load(entry(0, 31))
    assert year.reader.count(Selection(to_ns=ns(1))) == PER_DAY + 1


def test_a_day_with_rows_that_are_not_checkpointed_stays_open(year: Year) -> None:
    for number in range(MAX_OPEN + 2):
        year.load(*day_of(number))
    assert year.open_days() == MAX_OPEN + 2
    year.checkpoint()
    year.checkpoint()
    assert year.open_days() == MAX_OPEN


# ---- what is known ----


def opened_by(year: Year, ask: Any) -> set[date]:
    """The days that a read opens in a store that was just started."""
    year.reopen()
    ask(year.reader)
    return {one.day for one in year.partitions.attached()}


@pytest.fixture
def known(year: Year) -> Year:
    """Closed, and all of its days counted."""
    for number in range(5):
        year.load(*day_of(number))
    year.checkpoint()
    year.compactor.compact(Key(FIRST))
    year.compactor.compact(Key(FIRST + timedelta(days=1)))
    year.reader.stats()
    return year


def test_totals_open_no_day_that_is_as_it_was(known: Year) -> None:
    before = known.reader.stats()
    assert opened_by(known, lambda reader: reader.stats()) == set()
    assert opened_by(known, lambda reader: reader.count(Selection())) == set()
    assert opened_by(known, lambda reader: reader.sources()) == set()
    after = known.reader.stats()
    assert (after.entries, after.by_level, after.by_source, after.raw_bytes) == (
        (before.entries, before.by_level, before.by_source, before.raw_bytes)
    )


def test_a_level_that_no_entry_has_opens_no_day(known: Year) -> None:
    found = opened_by(known, lambda r: r.entries(selection("level:fatal"), limit=5))
    assert found == set()


def test_a_value_is_looked_for_in_the_index_of_a_closed_day(known: Year) -> None:
    """Compacted days are ruled out by their index; the others are opened."""
    days = {FIRST + timedelta(days=number) for number in (2, 3, 4)}
    assert opened_by(known, lambda r: r.count(selection("trace:nowhere"))) == days
    found = opened_by(known, lambda r: r.count(selection("trace:1-7")))
    assert found == {FIRST + timedelta(days=1), *days}


def test_hours_without_entries_open_no_day(known: Year) -> None:
    empty = Selection(from_ns=ns(2, 29 * 2500 + 1), to_ns=ns(3))
    assert opened_by(known, lambda reader: reader.entries(empty, limit=5)) == set()


def test_an_entry_is_looked_for_in_the_days_that_have_its_segment(known: Year) -> None:
    row = known.reader.entries(Selection(from_ns=ns(3)), limit=1).rows[0]
    found = opened_by(known, lambda reader: reader.get(row.id))
    assert found == {FIRST + timedelta(days=4)}
    assert known.reader.get(row.id) == row
    assert known.reader.get(1 << 62) is None


@pytest.mark.parametrize("how", ["load", "file", "damaged file", "no file"])
def test_what_is_known_ends_with_a_change(known: Year, how: str) -> None:
    total = known.reader.count(Selection())
    if how == "load":
        known.load(entry(1, 31))
        total += 1
    elif how == "file":
        known.hub.close()
        path = known.partitions.path_of(Key(FIRST))
        assert path is not None
        os.utime(path, (1, 1))
        known.open()
        assert known.partitions.known(Key(FIRST)) is None
    elif how == "damaged file":
        known.hub.close()
        (known.tmp / "statistics.json").write_text("{")
        known.open()
    else:
        known.hub.close()
        (known.tmp / "statistics.json").unlink()
        known.open()
    assert known.reader.count(Selection()) == total
    assert known.reader.stats().entries == total


def test_statistics_of_an_older_file_are_not_used(known: Year, tmp_path: Path) -> None:
    """Such as after a restore of one file only."""
    kept = (tmp_path / "statistics.json").read_bytes()
    known.load(entry(1, 31))
    known.checkpoint()
    known.hub.close()
    (tmp_path / "statistics.json").write_bytes(kept)
    known.open()
    assert known.reader.count(Selection()) == 5 * PER_DAY + 1


def test_a_day_with_too_many_sources_is_counted_each_time(year: Year) -> None:
    year.load(*({**entry(0, at % 30), "source": f"s{at}"} for at in range(300)))
    year.checkpoint()
    assert year.reader.stats().entries == 300
    assert len(year.reader.stats().by_source) == 300
    assert year.partitions.known(Key(FIRST)) is None


# ---- cursors ----


def test_a_read_of_many_chunks_leaves_nothing_in_its_cursor(
    filled: Year, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "CHUNK", 2)
    assert filled.reader.frequency(Selection(), group_by="n")
    assert filled.reader.entries(Selection(), limit=3, sort_by="n").rows
    with filled.hub.reading(20, leaves_nothing=True) as db:
        tables = "SELECT table_name FROM duckdb_tables() WHERE temporary"
        assert db.execute(tables).fetchall() == []
        used = db
    with filled.hub.reading(20, leaves_nothing=True) as db:
        assert db is used


def test_a_cursor_that_failed_is_not_used_again(filled: Year) -> None:
    with (
        pytest.raises(StorageError),
        filled.hub.reading(20, leaves_nothing=True) as failed,
    ):
        failed.execute("SELECT * FROM nowhere")
    with filled.hub.reading(20) as db:
        assert db is not failed


def test_a_query_that_came_to_its_end_leaves_its_cursor_to_the_next(
    filled: Year, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = Statements(filled.hub, filled.partitions, timeout_s=60)
    plan = compile_query("* | stats count() by source").plan()
    used: list[Any] = []

    def run(take: Callable[[Result], object]) -> None:
        def consume(result: Result) -> None:
            used.append(result._db)
            take(result)

        statements.run(plan, consume)

    for take in (
        lambda result: list(result.batches()),
        lambda result: next(result.batches(1)),
        lambda result: list(result.batches()),
    ):
        run(take)
    assert used[0] is used[1]
    assert used[2] is not used[0]
    monkeypatch.setattr(choosing, "CHUNK", 2)
    run(lambda result: list(result.batches()))
    run(lambda result: list(result.batches()))
    assert used[3] is used[2]
    assert used[4] is not used[3], "it has temporary tables"


def test_each_cursor_has_the_bound_of_a_read() -> None:
    hub = Hub(StorageConfig(), tmp=None, query_memory_bytes=100_000_000)
    setting = "SELECT current_setting('operator_memory_limit')"
    for _ in range(3):
        with hub.reading(5, leaves_nothing=True) as db, hub.reading(5) as other:
            bounds = db.execute(setting).fetchall(), other.execute(setting).fetchall()
            assert bounds == ([("95.3 MiB",)], [("95.3 MiB",)])
    hub.close()


# ---- answers ----

TEXTS = (
    "*",
    "level:error",
    "level:fatal",
    "source:app1",
    "source:app1 level:error",
    "host:host2",
    "trace:3-7",
    "trace:2-31 OR level:fatal",
    "n:>7",
    "message:nowhere",
    "level:nowhere",
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.sampled_from(TEXTS),
    begins=st.none() | st.integers(0, DAYS * 24),
    hours=st.none() | st.integers(0, 60),
    chunk=st.sampled_from([1, 2, 32]),
    sort_by=st.sampled_from(["timestamp", "source", "level", "message", "n", "host"]),
    descending=st.booleans(),
    limit=st.integers(1, 40),
)
def test_answers_are_those_of_a_plain_scan(
    stored: Year,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    begins: int | None,
    hours: int | None,
    chunk: int,
    sort_by: str,
    descending: bool,
    limit: int,
) -> None:
    monkeypatch.setattr(choosing, "CHUNK", chunk)
    from_ns = None if begins is None else ns(0, begins * 3600)
    to_ns = None if hours is None else ns(0, ((begins or 0) + hours) * 3600)
    asked = selection(text, from_ns=from_ns, to_ns=to_ns)
    bare = Selection(where=asked.where, from_ns=from_ns, to_ns=to_ns)
    expected = _rows(stored, bare)
    reader = stored.reader
    assert reader.count(asked) == len(expected)
    for at, name in enumerate(("source", "level"), start=1):
        counts: dict[str, int] = {}
        for row in expected:
            counts[row[at]] = counts.get(row[at], 0) + 1
        ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        assert list(reader.frequency(asked, group_by=name).items()) == ranked
    page = reader.entries(asked, limit=limit, sort_by=sort_by, descending=descending)
    rows = [row.id for row in page.rows]
    more = page.cursor
    while more is not None:
        page = reader.entries(
            asked, limit=limit, sort_by=sort_by, descending=descending, cursor=more
        )
        rows += [row.id for row in page.rows]
        more = page.cursor
    assert sorted(rows) == sorted(row[0] for row in expected)
    if sort_by in ("timestamp", "source", "level", "message"):
        at = ("id", "source", "level", "message", "timestamp").index(sort_by)
        ordered = sorted(
            expected, key=lambda row: (row[at], row[4], row[0]), reverse=descending
        )
        assert rows == [row[0] for row in ordered]


def _rows(year: Year, bare: Selection) -> list[tuple[Any, ...]]:
    """All that there are, from the days one by one, without anything that is known."""
    parts = [f"({bare.where.text})"]
    params = list(bare.where.params)
    if bare.from_ns is not None:
        parts.append(f"epoch_ns(timestamp) >= {bare.from_ns:d}")
    if bare.to_ns is not None:
        parts.append(f"epoch_ns(timestamp) < {bare.to_ns:d}")
    with year.hub.reading(20) as db:
        days = year.partitions.readable(year.partitions.within())
        text = (
            "SELECT id, source, level, message, epoch_ns(timestamp) "
            f"FROM {union(days)} WHERE {' AND '.join(parts)}"
        )
        return db.execute(text, params).fetchall()


@pytest.mark.parametrize("few", [0, 20_000], ids=["many", "few"])
@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("limit", [1, 35, 1000])
@pytest.mark.parametrize("text", ["*", "level:fatal", "host:host2", "level:nowhere"])
def test_rows_are_those_of_a_page(
    stored: Year,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    limit: int,
    descending: bool,
    few: int,
) -> None:
    """Whether the days that have them are sought first, or not."""
    monkeypatch.setattr(reader_module, "_FEW_ROWS", few)
    asked = selection(text)

    def consume(result: Result) -> tuple[list[str], bool]:
        ids = [row[0] for rows in result.batches() for row in rows]
        return ids, result.truncated

    ids, truncated = stored.reader.rows(
        asked, consume, limit=limit, descending=descending, ids=True
    )
    page = stored.reader.entries(asked, limit=limit, descending=descending)
    assert ids == [str(row.id) for row in page.rows]
    assert truncated == (page.cursor is not None)


def test_a_few_rows_open_the_days_that_have_them(known: Year) -> None:
    def consume(result: Result) -> int:
        return sum(len(rows) for rows in result.batches())

    found = opened_by(known, lambda r: r.rows(Selection(), consume, limit=PER_DAY))
    assert found == {FIRST + timedelta(days=4), FIRST + timedelta(days=3)}


# ---- pipes ----

PIPES = (
    "head 7",
    "tail 8",
    "sort by n desc, timestamp | head 9",
    "sort by n | head 9",
    "sort by message desc limit 40",
    "sort by source, timestamp | head 50 | head 5",
    "sort by n | tail 11",
    "sort by host | limit 200 | tail 3",
    "sort by n | sort by host desc | head 5",
    "sort by n + 1, host | offset 3 | head 5",
    "eval m = n * 2 | sort by m desc, timestamp | head 5",
    "sort by n | eval m = n * 2 | head 5",
    "head 30 | sort by n | head 4",
    "sort by n | filter level:error | head 6",
    "sort by n | where n > 3 | head 6",
    "sort by n desc | dedup source | head 2",
    "tail 20 | stats count() by level",
)


@pytest.mark.parametrize("chunk", [3, DAYS, 32])
@pytest.mark.parametrize("pipes", PIPES)
@pytest.mark.parametrize("text", ["*", "level:error", "host:host2", "level:nowhere"])
def test_pipes_take_of_each_day_what_is_needed(
    stored: Year, monkeypatch: pytest.MonkeyPatch, text: str, pipes: str, chunk: int
) -> None:
    """And give what they give when every day is read to its end."""
    monkeypatch.setattr(plan_reading, "CHUNK", chunk)
    plan = parse_query(f"{text} | {pipes}").plan()
    whole = [replace(one, first=None, newest=None, oldest=None) for one in plan.scans]
    expected = run(stored, replace(plan, scans=tuple(whole)))
    assert run(stored, plan) == expected
    assert bool(expected) == (text != "level:nowhere")


@pytest.mark.parametrize(
    ("text", "read"),
    [("* | head 5", 1), ("* | tail 40", 2), ("* | sort by n | head 5", DAYS)],
)
def test_no_more_days_are_read_than_needed(filled: Year, text: str, read: int) -> None:
    reader = Statements(filled.hub, filled.partitions, timeout_s=150)
    explained = reader.explain(parse_query(text).plan())
    assert [len(days) for days in explained.days.values()] == [read]


def run(year: Year, plan: Plan) -> list[tuple[Any, ...]]:
    reader = Statements(year.hub, year.partitions, timeout_s=150)
    return reader.run(
        plan, lambda result: [row for rows in result.batches() for row in rows]
    )
