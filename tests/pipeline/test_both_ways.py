"""The vectorised way and the way through Python give the same rows."""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from logstream.config.settings import IntakeConfig, StorageConfig
from logstream.core.entry import Entry
from logstream.core.timestamps import parse_ns
from logstream.journal.files import MemoryFiles
from logstream.journal.segment import Segment
from logstream.pipeline.chain import Chain
from logstream.pipeline.decode import decode_lines
from logstream.pipeline.runner import ThreadRunner
from logstream.pipeline.runners import Runners
from logstream.pipeline.worker import Outcome, Worker
from logstream.plugins.contracts import Processor
from logstream.processors.enrich import EnrichOptions, build_enrich
from logstream.processors.filter import FilterOptions, build_filter
from logstream.processors.replace import ReplaceOptions, build_replace
from logstream.runtime.contexts import Context
from logstream.storage.dead_letters import DeadLetterStore
from logstream.storage.hub import Hub
from logstream.storage.loader import Loader
from logstream.storage.partitions import Partitions
from logstream.storage.reader import Reader
from logstream.storage.selection import Selection

LIMITS = IntakeConfig()
NOW = parse_ns("2025-05-13T00:00:00Z")


class Nothing:
    """A processor that does nothing, in Python."""

    def process(self, batch: Sequence[Entry]) -> Sequence[Entry]:
        return batch


class OnlyPython:
    """The same processor without its SQL."""

    def __init__(self, inner: Processor) -> None:
        self._inner = inner

    def process(self, batch: Sequence[Entry]) -> Sequence[Entry]:
        return self._inner.process(batch)


class Way:
    """A store in memory that is loaded by one chain."""

    def __init__(self) -> None:
        self.hub = Hub(StorageConfig(threads=1), tmp=None)
        self.partitions = Partitions(self.hub, None)
        self.dead = DeadLetterStore(self.hub, None, capacity_rows=1_000_000)
        self.reader = Reader(self.hub, self.partitions, timeout_s=150)
        self._loader = Loader(
            self.hub, self.partitions, max_entry_bytes=LIMITS.max_entry_bytes
        )

    def work(self, segment: Segment, *processors: Processor) -> Outcome:
        chain = Chain([(f"p{n}", one) for n, one in enumerate(processors)])
        runners = Runners(
            count=1, make_runner=lambda: ThreadRunner(lambda: chain), timeout_s=150
        )
        worker = Worker(
            chain=chain,
            runners=runners,
            loader=self._loader,
            dead_letters=self.dead,
        )
        try:
            return worker.work(segment)
        finally:
            runners.close()

    def rows(self, segment: Segment) -> list[tuple[Any, ...]]:
        """All columns of what came of a segment, in order."""
        page = self.reader.entries(Selection(), limit=100_000, sort_by="id")
        return [
            (
                *(row.id, row.timestamp, row.source, row.level, row.message),
                json.loads(bytes(row.fields)),
            )
            for row in page.rows
            if row.id >> 20 == segment.number
        ]


@pytest.fixture(scope="module")
def ways() -> Iterator[tuple[Way, Way]]:
    both = Way(), Way()
    yield both
    for way in both:
        way.hub.close()


FILES = MemoryFiles()


def a_segment(*bodies: bytes) -> Segment:
    """A segment of one frame per body."""
    segment = Segment(FILES.create())
    for body in bodies:
        decoded = decode_lines(body, limits=LIMITS, received_ns=NOW, partial=True)
        segment.write_frame([decoded.payload], lines=decoded.entries, positions={})
        segment.sync()
    return segment


def expect_same(ways: tuple[Way, Way], segment: Segment) -> list[tuple[Any, ...]]:
    sql, python = ways
    outcome = sql.work(segment)
    assert python.work(segment, Nothing()) == outcome
    rows = sql.rows(segment)
    assert python.rows(segment) == rows
    assert len(rows) == segment.entries
    assert outcome == Outcome(stored=segment.entries, filtered=0, dead=0)
    segment.file.delete()
    return rows


NUMBERS = [
    *("0", "-0", "-0.0", "0.0", "1.0", "1.10", "1e2", "1E+2", "1e-7", "1e15", "1e16"),
    *("1e308", "1e309", "-1e400", "1e-400", "5e-324", "1.7976931348623157e308"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775808"),
    *("-9223372036854775809", "18446744073709551615", "18446744073709551616"),
    *("123456789012345678901234567890", "0.1", "0.30000000000000004"),
    *("123456789.123456789", "3.141592653589793238462643", "2147483648", "1" * 400),
    *("9" * 5000, "1e99999999999"),
]


def as_object(found: dict[str, str]) -> str:
    """Of values that are JSON already."""
    pairs = (f"{json.dumps(key)}:{value}" for key, value in found.items())
    return "{" + ",".join(pairs) + "}"


texts = st.text(max_size=6) | st.sampled_from(["Infinity", "\x00", '"', "\u2028", "é"])
raw_values = st.recursive(
    st.sampled_from([*NUMBERS, "true", "false", "null", '"\\u00e9\\ud83d\\ude00"'])
    | texts.map(json.dumps),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | st.dictionaries(texts, inner, max_size=3).map(as_object)
    ),
    max_leaves=5,
)
raw_fields = (
    st.none()
    | st.just("null")
    | st.dictionaries(texts, raw_values, max_size=4).map(as_object)
)
times = st.sampled_from(
    [
        *("2025-05-13T00:01:15Z", "2025-05-13T00:01:15.120Z", "2025-05-13t00:01:15z"),
        *("2025-05-13 00:01:15Z", "2025-05-13T00:01:15+00:00"),
        *("2025-05-13T23:59:59.999999999Z", "2025-05-14T00:00:00Z"),
        *("2262-04-09T23:59:59.123456789Z", "1970-01-01T00:00:01Z"),
        "2025-05-13T00:01:15.1234567891234Z",
    ]
)
levels = st.sampled_from(["info", "WARNING", "Error", "warn", "notice", "custom", None])


@st.composite
def raw_lines(draw: st.DrawFn) -> str:
    parts = [f'"timestamp":{json.dumps(draw(times))}']
    parts.append(f'"message":{json.dumps(draw(texts))}')
    if (level := draw(levels)) is not None:
        parts.append(f'"level":{json.dumps(level)}')
    if (source := draw(st.sampled_from(["web", "é", None]))) is not None:
        parts.append(f'"source":{json.dumps(source)}')
    if (fields := draw(raw_fields)) is not None:
        parts.append(f'"fields":{fields}')
    order = draw(st.permutations(parts))
    blank = draw(st.sampled_from(["", " ", "\t"]))
    return f"{{{blank}{f',{blank}'.join(order)}}}"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(raw_lines(), min_size=1, max_size=4), min_size=1, max_size=3))
@example([['{"timestamp":"2025-05-13T00:01:15Z","message":"a","message":"b"}']])
def test_rows_are_the_same(ways: tuple[Way, Way], frames: list[list[str]]) -> None:
    """Ids, instants, levels, and fields with numbers of all kinds."""
    expect_same(ways, a_segment(*("\n".join(lines).encode() for lines in frames)))


@pytest.mark.parametrize("number", NUMBERS)
def test_every_kind_of_number(ways: tuple[Way, Way], number: str) -> None:
    """On the fast way, and put right; JSON cannot say infinite, so that is null."""
    line = '{"timestamp":"2025-05-13T00:00:00Z","message":"m","fields":{"n":%s}}'
    lenient = line.replace('"fields"', '"level":"err","fields"')
    fast, slow = expect_same(
        ways, a_segment((line % number).encode(), (lenient % number).encode())
    )
    assert fast[5] == slow[5]
    expected = float(number)
    found = fast[5]["n"]
    if abs(expected) == float("inf"):
        assert found is None
    else:
        assert found == expected if isinstance(found, float) else found == int(number)


def test_hundreds_of_days_and_more_than_one_chunk(ways: tuple[Way, Way]) -> None:
    lines = [
        f'{{"timestamp":"{1990 + n % 30}-01-0{n % 9 + 1}T00:00:00Z","message":"{n}"}}'
        for n in range(5000)
    ]
    expect_same(ways, a_segment("\n".join(lines).encode()))


QUERIES = ["level:error", "web", "n:>=2", "n:*", "NOT level:info", 'level:warn OR "x"']


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(raw_lines(), min_size=1, max_size=6),
    drop=st.none() | st.sampled_from(QUERIES),
    keep=st.none() | st.sampled_from(QUERIES),
)
def test_the_filter_leaves_out_the_same_either_way(
    ways: tuple[Way, Way], lines: list[str], drop: str | None, keep: str | None
) -> None:
    """By SQL over the batch, and entry by entry."""
    if drop is None and keep is None:
        return
    made = build_filter(FilterOptions(drop=drop, keep=keep), Context())
    segment = a_segment("\n".join(lines).encode())
    sql, python = ways
    outcome = sql.work(segment, made)
    assert python.work(segment, OnlyPython(made)) == outcome
    assert outcome.stored + outcome.filtered == segment.entries
    assert python.rows(segment) == sql.rows(segment)
    segment.file.delete()


def expect_same_of(
    ways: tuple[Way, Way], lines: list[str], *made: Processor
) -> list[tuple[Any, ...]]:
    """By SQL over the batch, and entry by entry; the rows."""
    segment = a_segment("\n".join(lines).encode())
    sql, python = ways
    assert Chain([("p", one) for one in made]).rewrites() is not None
    outcome = sql.work(segment, *made)
    assert python.work(segment, *map(OnlyPython, made)) == outcome
    assert outcome.dead == 0
    rows = sql.rows(segment)
    assert python.rows(segment) == rows
    segment.file.delete()
    return rows


constants = st.dictionaries(
    st.sampled_from(["n", "new", 'é"\\', " "]),
    st.none()
    | st.integers()
    | st.floats(allow_nan=False)
    | texts
    | st.just({"n": [1]}),
    min_size=1,
    max_size=3,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(raw_lines(), min_size=1, max_size=6),
    first=constants,
    second=constants,
    keep=st.sampled_from(["n:*", "NOT new:5", "level:error"]),
)
@example(
    lines=['{"timestamp":"2025-05-13T00:01:15Z","message":"a"}'],
    first={"n": math.inf},
    second={"n": None},
    keep="n:*",
)
def test_enriching_with_constants_gives_the_same_either_way(
    ways: tuple[Way, Way],
    lines: list[str],
    first: dict[str, Any],
    second: dict[str, Any],
    keep: str,
) -> None:
    """Filters before and after it see the fields as they are at that point."""
    expect_same_of(
        ways,
        lines,
        build_filter(FilterOptions(drop="n:1"), Context()),
        build_enrich(EnrichOptions(add={**first, "source": "s"}), Context()),
        build_filter(FilterOptions(keep=keep), Context()),
        build_enrich(EnrichOptions(add=second), Context()),
    )


PATTERNS = [
    *(r"\d+", r"[a-c]+?b", r"(a|ab)(c|bcd)", r"\b\w{2}\b", r"[^a\d]", r"a.c", r"é+"),
    *(r"\s+x", r"(?:ab){1,2}", r"a\Bb", r"[\W_]", r"x*y", r"(?P<n>a)b?", r"[]\]^-]"),
]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    messages=st.lists(
        st.text("abcdxy1 2_\n\v\u0660é.]^-", max_size=12), min_size=1, max_size=8
    ),
    pattern=st.sampled_from(PATTERNS),
    replacement=st.sampled_from(["", "[x]", "\\1 \\", "\\0"]),
)
def test_replacing_finds_the_same_either_way(
    ways: tuple[Way, Way], messages: list[str], pattern: str, replacement: str
) -> None:
    made = build_replace(
        ReplaceOptions(pattern=pattern, replacement=replacement), Context()
    )
    stamp = "2025-05-13T00:01:15Z"
    lines = [json.dumps({"timestamp": stamp, "message": one}) for one in messages]
    expect_same_of(ways, lines, made)


def test_a_batch_with_something_that_does_not_load_loses_that_only() -> None:
    """Taken apart by halves; what is bad is a dead letter, and the rest is stored."""
    way = Way()
    good = b'{"timestamp":"2025-05-13T00:00:00Z","message":"good"}\n'
    bad = [
        b'{"timestamp":"2025-05-13T00:00:00Z","message":5}\n',
        b'{"timestamp":"noon","message":"m"}\n',
        b"{no json}\n",
        b'{"timestamp":"2025-05-13T00:00:00Z","message":"\xff"}\n',
    ]
    payload = b"".join(line for one in bad for line in (good, one, good))
    for processors in [(), (Nothing(),)]:
        segment = Segment(FILES.create())
        segment.write_frame([payload], lines=12, positions={})
        segment.sync()
        outcome = way.work(segment, *processors)
        assert outcome == Outcome(stored=8, filtered=0, dead=4)
        assert [row[4] for row in way.rows(segment)] == ["good"] * 8
        assert way.work(segment, *processors) == outcome
    assert way.dead.count() == 8
    assert {letter.reason for letter in way.dead.list(limit=9)} == {"load_error"}
    way.hub.close()
