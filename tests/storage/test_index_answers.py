"""With the skip index, every answer is what it is without: nothing is ever missed."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logstream.config.settings import StorageConfig
from logstream.core.errors import BadRequest
from logstream.core.sql import TRUE, Sql
from logstream.query import compile_filter
from logstream.storage import index_building, planning
from logstream.storage.batch import Batch
from logstream.storage.compaction import Compactor
from logstream.storage.hub import Hub
from logstream.storage.loader import Loader
from logstream.storage.partition import Key
from logstream.storage.partitions import Partitions
from logstream.storage.planning import Look, is_indexed, look_into
from logstream.storage.range_costs import Costs
from logstream.storage.reader import Reader
from logstream.storage.selection import Selection, Where
from logstream.storage.skip_index import BLOCK_ROWS

DAY = date(2026, 1, 1)
ROWS = 24_000
WORDS = ("error", "Error:", "ERR", "disk", "disk_0", "Ünïcode", "İx", "KELVIN\u212a")
RARE = tuple(f"rare{number}" for number in range(30))
VALUES: tuple[Any, ...] = (
    *(500, 500.0, "500", "500.0", "0500", " 500", 5e2, -0.0, 0, "0", 1.5, "1.5"),
    *("1.10", 1e16, 1e-5, "1e3", 2**63, 2**70, True, "true", None, "", "a=b", "{x"),
    *(
        "[1]",
        {"b": "x"},
        {"b": 7},
        [1, 2],
        ["only", "x"],
        "x",
        "X",
        "straße",
        "10.0.0.1",
        12.0,
    ),
)


def entry(rnd: random.Random, at: int) -> dict[str, Any]:
    words = [rnd.choice(WORDS), f"id{at % 5000}", f"template{at % 7}"]
    if at % 997 == 0:
        words.append(rnd.choice(RARE))
    rnd.shuffle(words)
    fields: dict[str, Any] = {"trace": f"{at:08x}"}
    if rnd.random() < 0.02:
        fields[rnd.choice(("v", "a", "a.b", "source", "V", "id"))] = rnd.choice(VALUES)
    second = at % 86_400
    stamp = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    return {
        "timestamp": f"2026-01-01T{stamp}Z",
        "source": f"app{at % 5}",
        "level": ("info", "error", "odd level")[at % 3],
        "message": rnd.choice((" ", ", ", "-", ":", "'")).join(words),
        "fields": fields,
    }


def write(path: Path, first: int, count: int) -> Batch:
    rnd = random.Random(first)
    lines = (json.dumps(entry(rnd, at)) for at in range(first, first + count))
    path.write_text("".join(f"{line}\n" for line in lines))
    return Batch(segment=first + 1, path=path, size=path.stat().st_size, entries=count)


@contextmanager
def compacted(tmp: Path, *, changed: bool) -> Iterator[Reader]:
    folder = tmp / "partitions"
    folder.mkdir()
    config = StorageConfig(threads=2)
    hub = Hub(config, tmp=None)
    partitions = Partitions(hub, folder)
    loader = Loader(hub, partitions, max_entry_bytes=100_000)
    loader.load(write(tmp / "a", 0, ROWS))
    with pytest.MonkeyPatch.context() as patch:  # several chunks, and several tables
        patch.setattr(index_building, "_CHUNK_ROWS", 2 * BLOCK_ROWS)
        patch.setattr(index_building, "MAX_BLOCKS", 4)
        assert Compactor(hub, partitions, config, tmp=tmp).compact(Key(DAY)) is not None
    partition = partitions.attach(Key(DAY))
    if changed:
        loader.load(write(tmp / "b", ROWS, 300))
        with hub.writing() as cursor:
            text = f"DELETE FROM {partition.name}.entries WHERE id % 1000 = 7"
            cursor.execute(text)
    partitions.checkpoint(lambda _: True)
    with hub.reading(10) as cursor:
        assert is_indexed(cursor, partition)
    yield Reader(hub, partitions, timeout_s=150)
    hub.close()


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A compacted day, to which entries came, and from which others went."""
    with compacted(tmp_path_factory.mktemp("index"), changed=True) as reader:
        yield reader


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A compacted day that nothing came to since."""
    with compacted(tmp_path_factory.mktemp("quiet"), changed=False) as reader:
        yield reader


def wild(text: str) -> str:
    return "".join("\\" + c if c in '\\*?:"()[]{} =' else c for c in text)


texts = st.sampled_from(
    [
        *(wild(word) for word in (*WORDS, *RARE, "id77", "template3", "nowhere")),
        *('"error disk"', '"id77"', "id77*", "*77", "te?plate3", "r*re3", "rare1?"),
        *(
            "İX",
            "*:only",
            "*:x",
            "kelvink",
            "rare3'",
            "-rare3",
            "template3\\ -",
            "ERROR",
        ),
    ]
)
named = st.builds(
    lambda name, value: f"{name}:{value}",
    st.sampled_from(
        ["v", "a", "a.b", "V", "fields.source", "fields.id", "trace", "absent"]
    ),
    st.sampled_from(
        [
            *(wild(str(value)) or '""' for value in VALUES if value is not None),
            *("true", "false", "5e2", "500.00", "1e16", "x*", "*", ">=500", "=500"),
            *("only", "in(only, x)", "(only OR 1)", "null", "/nl/", "1", "10.0.0.0/8"),
            *("[1 TO 600]", "000007d0", "00000??0", "0000abcd", "1e+16"),
        ]
    ),
)
columns = st.sampled_from(
    [
        *(
            "source:app1",
            "source:app*",
            "level:error",
            "level:warn",
            "level:odd\\ level",
        ),
        *("level:>=warn", "source:nowhere", "message:disk*", "id:5", "source:APP1"),
    ]
)
terms = st.one_of(texts, named, columns)
filters = st.recursive(
    terms,
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("(NOT {})".format, inner),
    ),
    max_leaves=5,
)


RANGES = Costs(0, 1000, 0)
BITS = Costs(0, -1, 1)


@pytest.mark.parametrize("forced", [RANGES, BITS], ids=["ranges", "bits"])
@settings(max_examples=40, deadline=None)
@given(text=filters)
def test_an_answer_is_the_same_with_the_index(
    stores: Reader, text: str, forced: Costs
) -> None:
    """Whatever can be skipped is, as ranges or as bits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "costs_of", lambda *_, **__: forced)
        compare(stores, text)


@settings(max_examples=40, deadline=None)
@given(text=filters)
def test_an_answer_of_a_day_without_late_entries_is_the_same(
    quiet: Reader, text: str
) -> None:
    compare(quiet, text)


def compare(stores: Reader, text: str) -> None:
    try:
        query = compile_filter(text)
    except BadRequest:  # such as wildcards in an id
        return
    plain = Selection(where=query.sql, fast=query.fast_sql)
    planned = Selection(where=query.sql, fast=query.fast_sql, needs=query.needs)
    assert stores.count(planned) == stores.count(plain)
    safe = Selection(where=query.sql, needs=query.needs)
    assert stores.count(safe) == stores.count(plain)
    newest = stores.entries(planned, limit=20).rows
    assert newest == stores.entries(plain, limit=20).rows
    by_trace = stores.entries(planned, limit=20, sort_by="trace").rows
    assert by_trace == stores.entries(plain, limit=20, sort_by="trace").rows
    groups = stores.frequency(planned, group_by="v")
    assert groups == stores.frequency(plain, group_by="v")


@pytest.mark.parametrize(
    "text",
    ["trace:000007d0", "rare3", '"rare3"', "(rare3 OR rare4) level:error", "nowhere"],
)
def test_a_rare_value_or_word_skips_most_of_a_day(stores: Reader, text: str) -> None:
    query = compile_filter(text)
    partition = stores._partitions.attach(Key(DAY))
    with stores._hub.reading(10) as cursor:
        look = look_into(cursor, partition, query.needs)
        held = cursor.execute(
            f"SELECT count(*) FROM {look.among(Where(TRUE, TRUE)).text}"
        ).fetchall()[0][0]
    assert 0 < held < ROWS * 0.75


def test_in_one_short_range_nothing_is_pushed_down(quiet: Reader) -> None:
    query = compile_filter("trace:000007d0")
    partition = quiet._partitions.attach(Key(DAY))
    with quiet._hub.reading(10) as cursor:
        look = look_into(cursor, partition, query.needs)
        among = look.among(Where(query.fast_sql, query.sql))
        text = f"EXPLAIN SELECT count(*) FROM {among.text}"
        plan = cursor.execute(text, among.params).fetchall()[0][1]
    assert look.short
    assert "Seq Scan" in plan
    assert "000007d0" not in plan.split("Seq Scan")[1]


@pytest.mark.parametrize(
    "text", ["NOT rare3", "rare*", "a.b:x", "trace:0000*", "v:1.5", "*", "id:7"]
)
def test_of_what_the_index_does_not_know_all_is_read(stores: Reader, text: str) -> None:
    partition = stores._partitions.attach(Key(DAY))
    with stores._hub.reading(10) as cursor:
        look = look_into(cursor, partition, compile_filter(text).needs)
        table = f"{partition.name}.entries"
        assert look == Look(relation=table, table=table)


@pytest.mark.parametrize(
    "text", ["id4321", "rare3", "nowhere", f"id{(ROWS + 20) % 5000}"]
)
def test_bits_read_the_blocks_that_may_hold_a_word(
    stores: Reader, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "costs_of", lambda *_, **__: BITS)
    query = compile_filter(text)
    partition = stores._partitions.attach(Key(DAY))
    with stores._hub.reading(10) as cursor:
        look = look_into(cursor, partition, query.needs)
        held = cursor.execute(
            f"SELECT count(*) FROM {look.among(Where(TRUE, TRUE)).text}"
        ).fetchall()
    assert "get_bit" in look.relation
    assert 0 < held[0][0] < ROWS * 0.75


def test_late_entries_are_found(stores: Reader) -> None:
    query = compile_filter(f"trace:{ROWS + 20:08x}")
    assert stores.count(Selection(where=query.sql, needs=query.needs)) == 1
    nothing = Selection(where=Sql("FALSE"), needs=query.needs)
    assert stores.count(nothing) == 0
