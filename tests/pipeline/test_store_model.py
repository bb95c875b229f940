"""The store against a plain model: whatever is done, both hold the same entries.

Hypothesis draws the operations: sends of every kind, checkpoints, compactions, a stop
and a start, a process that is cut off with its journal full, and reads of every kind.
Days of more than a few entries have parts. The model is a list.
"""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from logstream.config.settings import Settings
from logstream.core.entry import Entry
from logstream.core.timestamps import now_ns, parse_ns
from logstream.pipeline.decode import decode_array, decode_lines, decode_one
from logstream.pipeline.engine import Engine
from logstream.plugins.manager import load_plugins
from logstream.query import compile_filter
from logstream.runtime import building
from logstream.runtime.builtins import BUILTINS
from logstream.storage import parts
from logstream.storage.selection import Selection

PLUGINS = load_plugins(Settings().plugins, builtins=BUILTINS)

TIMES = [
    *("2025-05-12T23:59:59.999999999Z", "2025-05-13T00:00:00Z"),
    *("2025-05-13T00:00:00.5Z", "2025-05-13T12:00:00Z", "2025-05-14T00:00:00Z"),
    *("1999-12-31T23:59:59Z", "2262-04-09T00:00:00Z"),
]
entries = st.builds(
    Entry,
    timestamp=st.sampled_from(TIMES),
    source=st.sampled_from(["web", "auth", "däta"]),
    level=st.sampled_from(["debug", "info", "error"]),
    message=st.sampled_from(["", "Error: timed out", "terrorist", "a b", "\x00é"]),
    fields=st.dictionaries(
        st.sampled_from(["status", "host", "a.b", "deep"]),
        st.sampled_from([500, 500.0, "500", True, None, {"x": [1, "y"]}, 2.5]),
        max_size=3,
    ),
)
FILTERS = [
    *("", "level:error", "error", "*error*", "status:500", "status:>=3", "a.b:*"),
    *("-status:500", "source:däta OR host:500", "deep.x:*", '"timed out"'),
]


def some_settings(path: Path) -> Settings:
    return msgspec.convert(
        {
            "storage": {"path": str(path), "min_free_bytes": 0, "threads": 1},
            "journal": {"linger_ms": 60_000, "segment_bytes": 4096},
        },
        Settings,
    )


def key_of(timestamp: str, source: str, level: str, message: str, fields: Any) -> str:
    return repr((timestamp, source, level, message, _plain(fields)))


def _plain(value: Any) -> Any:
    """As JSON compares: 500 and 500.0 are one number, key order is no matter."""
    match value:
        case dict():
            return sorted((key, _plain(inner)) for key, inner in value.items())
        case list():
            return [_plain(inner) for inner in value]
        case bool() | None | str():
            return value
        case _:
            return float(value)


class StoreAndModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="logstream-model-"))
        self.model: list[Entry] = []
        self.stack = self._open()
        self.engine = self.stack.__enter__()

    @contextmanager
    def _open(self) -> Iterator[Engine]:
        with building.open_engine(
            some_settings(self.folder / "data"), plugins=PLUGINS
        ) as (engine, _):
            yield engine

    def teardown(self) -> None:
        self.stack.__exit__(None, None, None)
        shutil.rmtree(self.folder)

    # ---- what comes in ----

    @initialize(batch=st.lists(entries, max_size=3))
    def begin(self, batch: list[Entry]) -> None:
        self.send_array(batch)

    @rule(entry=entries)
    def send_one(self, entry: Entry) -> None:
        body = msgspec.json.encode(entry)
        limits = self.engine.settings.intake
        decoded = decode_one(body, limits=limits, received_ns=now_ns())
        asyncio.run(self.engine.intake.append(decoded))
        self.model.append(entry)

    @rule(batch=st.lists(entries, max_size=20))
    def send_array(self, batch: list[Entry]) -> None:
        body = msgspec.json.encode(batch)
        limits = self.engine.settings.intake
        decoded = decode_array(body, limits=limits, received_ns=now_ns())
        asyncio.run(self.engine.intake.append(decoded))
        self.model.extend(batch)

    @rule(batch=st.lists(entries, min_size=1, max_size=20), commit=st.booleans())
    def send_stream(self, batch: list[Entry], commit: bool) -> None:
        """Staged, as a large upload is; one that is left early leaves nothing."""
        body = msgspec.json.Encoder().encode_lines(batch)
        limits = self.engine.settings.intake
        decoded = decode_lines(body, limits=limits, received_ns=now_ns())

        async def send() -> None:
            async with self.engine.intake.stream() as stream:
                await stream.put(decoded)
                if commit:
                    await stream.commit()

        asyncio.run(send())
        if commit:
            self.model.extend(batch)

    # ---- what happens to it ----

    @rule()
    def restart(self) -> None:
        self.stack.__exit__(None, None, None)
        self.stack = self._open()
        self.engine = self.stack.__enter__()

    @precondition(lambda self: self.model)
    @rule()
    def go_on_with_a_copy_of_the_folder(self) -> None:
        """What is on disk at any moment is enough: a crash leaves just that."""
        copy = self.folder / "copy"
        self.engine.settle_now()
        shutil.copytree(self.folder / "data" / "journal", copy / "journal")
        self.stack.__exit__(None, None, None)
        shutil.rmtree(self.folder / "data" / "journal")
        shutil.move(copy / "journal", self.folder / "data" / "journal")
        shutil.rmtree(copy)
        self.stack = self._open()
        self.engine = self.stack.__enter__()

    @rule()
    def checkpoint(self) -> None:
        """Parts that are full are closed, too."""
        self.engine.settle_now()
        self.engine._partitions.checkpoint(lambda _: True)

    @rule(nth=st.integers(0, 9))
    def compact(self, nth: int) -> None:
        self.engine.settle_now()
        keys = self.engine._partitions.within()
        if keys and self.engine.compactor is not None:
            self.engine.compactor.compact(keys[nth % len(keys)])

    # ---- what is read ----

    @rule(text=st.sampled_from(FILTERS), limit=st.integers(1, 7), newest=st.booleans())
    def read_page_by_page(self, text: str, limit: int, newest: bool) -> None:
        query = compile_filter(text)
        selection = Selection(where=query.sql, fast=query.fast_sql)
        self.engine.settle_now()
        rows, cursor = [], None
        while True:
            page = self.engine.reader.entries(
                selection, limit=limit, descending=newest, cursor=cursor
            )
            rows += page.rows
            cursor = page.cursor
            if cursor is None:
                break
        wanted = [entry for entry in self.model if query.matches(entry)]
        assert Counter(map(_of_row, rows)) == Counter(map(_of_entry, wanted))
        times = [(parse_ns(row.timestamp), row.id) for row in rows]
        assert times == sorted(times, reverse=newest)
        assert len({row.id for row in rows}) == len(rows)

    @rule(begin=st.sampled_from(TIMES), end=st.sampled_from(TIMES))
    def count_in_a_range(self, begin: str, end: str) -> None:
        self.engine.settle_now()
        span = Selection(from_ns=parse_ns(begin), to_ns=parse_ns(end))
        inside = [
            entry
            for entry in self.model
            if parse_ns(begin) <= parse_ns(entry.timestamp) < parse_ns(end)
        ]
        assert self.engine.reader.count(span) == len(inside)

    @invariant()
    def totals_agree(self) -> None:
        self.engine.settle_now()
        stats = self.engine.reader.stats()
        assert stats.entries == len(self.model)
        assert stats.by_source == Counter(entry.source for entry in self.model)
        assert stats.by_level == Counter(entry.level for entry in self.model)


def _of_row(row: Any) -> str:
    fields = msgspec.json.decode(row.fields)
    return key_of(row.timestamp, row.source, row.level, row.message, fields)


def _of_entry(entry: Entry) -> str:
    return key_of(
        entry.timestamp, entry.source, entry.level, entry.message, entry.fields
    )


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_ROWS", 8)


StoreAndModel.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestStoreAndModel = StoreAndModel.TestCase
