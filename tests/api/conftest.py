"""A scripted engine: real decoding, entries on a shelf, faults on demand."""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Self, cast

import duckdb
import msgspec
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from logstream.api.app import build_app
from logstream.config.settings import RetentionConfig, Settings, StorageConfig
from logstream.core.errors import (
    BadRequest,
    EntryRejected,
    LogStreamError,
    QuerySyntaxError,
)
from logstream.core.findings import Report
from logstream.core.sql import Sql
from logstream.core.timestamps import now_ns
from logstream.journal.answers import Answer
from logstream.pipeline.decode import Decoded, decode_lines
from logstream.pipeline.engine import Engine
from logstream.pipeline.intake_stream import Remember, StreamResult
from logstream.pipeline.states import QueueState, Readiness
from logstream.query.query import compile_query
from logstream.storage.backup import BackupDone
from logstream.storage.dead_letters import DeadLetter
from logstream.storage.deletion import Deleted
from logstream.storage.listing import StorageState, StorageTotals
from logstream.storage.overview import Stats
from logstream.storage.partition import PartitionState
from logstream.storage.retention import RetentionState
from logstream.storage.rows import Page, Row
from logstream.storage.saved_queries import SavedQueries
from logstream.storage.selection import Selection
from logstream.storage.sql.answer import SqlResult
from logstream.storage.sql.shaping import Shape


class ShelfIntake:
    """Keeps what is stored. `fails` is raised instead, at the next append or feed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.entries: list[dict[str, Any]] = []
        self.positions: dict[str, Any] = {}
        self.refused: list[str] = []
        self.fed_bytes: list[int] = []
        self.discarded = 0
        self.fails: Exception | None = None
        self.answers: dict[str, Answer] = {}
        self.holds: asyncio.Event | None = None
        """Each `append` waits for it."""

    def may_fail(self) -> None:
        if self.fails is not None:
            raise self.fails

    async def append(
        self,
        decoded: Decoded,
        *,
        positions: Mapping[str, Any] | None = None,
        remember: Remember | None = None,
    ) -> None:
        if self.holds is not None:
            await self.holds.wait()
        self.may_fail()
        self.store(decoded, positions)
        if remember is not None:
            count = len(decoded.rejected)
            self.answers.update(
                remember(
                    StreamResult(
                        entries=decoded.entries,
                        rejected=decoded.rejected,
                        rejected_count=count,
                    )
                )
            )

    def store(self, decoded: Decoded, positions: Mapping[str, Any] | None) -> None:
        self.entries += [
            msgspec.json.decode(line) for line in decoded.payload.splitlines()
        ]
        self.positions.update(positions or {})

    def stream(
        self,
        *,
        partial: bool = False,
        positions: Mapping[str, Any] | None = None,
        remember: Remember | None = None,
    ) -> "ShelfStream":
        return ShelfStream(self, partial, positions, remember)

    def count_refused(self, error: LogStreamError) -> None:
        if isinstance(error, EntryRejected):
            self.refused.append(error.reason)


class ShelfStream:
    def __init__(
        self,
        intake: ShelfIntake,
        partial: bool,
        positions: Mapping[str, Any] | None,
        remember: Remember | None,
    ) -> None:
        self.remember = remember
        self.intake = intake
        self.partial = partial
        self.positions = positions
        self.parts: list[bytes] = []
        self.committed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.intake.discarded += not self.committed

    async def feed(self, chunk: bytes) -> None:
        self.intake.may_fail()
        self.intake.fed_bytes.append(len(chunk))
        self.parts.append(chunk)

    async def commit(self) -> StreamResult:
        decoded = decode_lines(
            b"".join(self.parts) + b"\n",
            limits=self.intake.settings.intake,
            received_ns=now_ns(),
            partial=self.partial,
        )
        self.intake.store(decoded, self.positions)
        self.committed = True
        result = StreamResult(
            entries=decoded.entries,
            rejected=decoded.rejected[:100],
            rejected_count=len(decoded.rejected),
        )
        if self.remember is not None:
            self.intake.answers.update(self.remember(result))
        return result


class ShelfReader:
    """Gives what is on the shelf, and keeps what it was asked."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.asked: list[dict[str, Any]] = []
        self.cursor: str | None = None
        self.fails: Exception | None = None
        self.found_stats = Stats(
            entries=0,
            oldest_ns=None,
            newest_ns=None,
            by_source={},
            by_level={},
            stored_bytes=0,
            raw_bytes=0,
        )
        self.found_frequency: dict[str, int] = {}
        self.found_sources: list[str] = []

    def entries(self, selection: Selection, **how: Any) -> Page:
        if self.fails is not None:
            raise self.fails
        self.asked.append({"selection": selection, **how})
        return Page(self.rows[: how["limit"]], self.cursor)

    def get(self, entry_id: int) -> Row | None:
        return next((row for row in self.rows if row.id == entry_id), None)

    def frequency(
        self, selection: Selection, *, group_by: str, limit: int
    ) -> dict[str, int]:
        self.asked.append({"selection": selection, "group_by": group_by})
        return dict(list(self.found_frequency.items())[:limit])

    def count(self, selection: Selection) -> int:
        return sum(self.found_frequency.values())

    def sources(self) -> list[str]:
        return self.found_sources

    def stats(self) -> Stats:
        return self.found_stats


class ShelfLetters:
    def __init__(self) -> None:
        self.letters: list[DeadLetter] = []

    def list(self, *, limit: int, before_id: int | None = None) -> list[DeadLetter]:
        older = (one for one in self.letters if before_id is None or one.id < before_id)
        return sorted(older, key=lambda one: -one.id)[:limit]

    def count(self) -> int:
        return len(self.letters)


class ShelfKeeper:
    """Keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.state = RetentionState(policy=RetentionConfig(), origin="config")
        self.found = Deleted(entries=3, by_source={"auth": 2, "web": 1}, days=1)

    async def run(self, work: Callable[[], Any]) -> Any:
        return work()

    def left_out(self) -> list[date]:
        return []

    def describe(self) -> StorageState:
        day = PartitionState(day=date(2026, 1, 2), stored_bytes=100, rows=5)
        totals = StorageTotals(
            days=1,
            broken=0,
            rows=5,
            raw_bytes=50,
            stored_bytes=100,
            oldest=None,
            newest=None,
        )
        return StorageState(partitions=[day], totals=totals)

    def preview(self, selection: Selection) -> Deleted:
        self.asked.append(("preview", selection))
        return self.found

    def delete(self, selection: Selection) -> Deleted:
        self.asked.append(("delete", selection))
        return self.found

    def retention(self) -> RetentionState:
        return self.state

    def backup(self, folder: Path) -> BackupDone:
        self.asked.append(("backup", folder))
        return BackupDone(folder=str(folder), files=2, bytes=10, copied=1)

    def verify(self) -> Report:
        report = Report(partitions=1)
        report.problem("partitions/2026-01-02.duckdb", "damaged")
        return report

    def set_retention(self, policy: RetentionConfig | None) -> RetentionState:
        self.asked.append(("retention", policy))
        return self.state


class ShelfFilter:
    needs = None
    span = (None, None)

    def __init__(self, text: str) -> None:
        self.sql = self.where_sql = Sql("message LIKE ?", (text,))


class ShelfConsole:
    """Answers any SQL with one row."""

    def run(self, _: str, consume: Callable[[SqlResult], Any], **asked: Any) -> Any:
        with duckdb.connect() as db:
            shape = Shape([("n", "INTEGER")])
            found = SqlResult(
                db, "SELECT 1", shape, params=(), limit=asked["limit"], tmp=None
            )
            return consume(found)


class ShelfEngine:
    """An engine whose parts are shelves; `as_engine` for what wants a real one."""

    def __init__(self, settings: Settings) -> None:
        self.intake = ShelfIntake(settings)
        self.reader = ShelfReader()
        self.dead_letters = ShelfLetters()
        self.keeper = ShelfKeeper()
        self.sql = ShelfConsole()
        self.saved = SavedQueries(None, compile_query=compile_query)
        self.state = Readiness(ready=True)
        self.settled = 0
        self.replayed: list[Sequence[int] | None] = []

    def as_engine(self) -> Engine:
        return cast("Engine", self)

    async def settle(self) -> int:
        self.settled += 1
        return self.queue().stuck_entries

    def describe(self) -> StorageState:
        return self.keeper.describe()

    def queue(self) -> QueueState:
        return QueueState(
            entries=3,
            bytes=300,
            capacity_bytes=1000,
            oldest_age_s=0.5,
            segments=1,
            received_per_s=2.0,
            stored_per_s=1.0,
        )

    def readiness(self) -> Readiness:
        return self.state

    def answered(self, key: str) -> Answer | None:
        return self.intake.answers.get(key)

    def positions(self, names: Sequence[str]) -> dict[str, Any]:
        stored = self.intake.positions
        return {name: stored[name] for name in names if name in stored}

    async def replay_dead_letters(self, ids: Sequence[int] | None) -> int:
        self.replayed.append(ids)
        return len(ids or ())

    def compile_filter(self, text: str) -> ShelfFilter:
        if "((" in text:
            raise QuerySyntaxError("expected a word", offset=text.index("(("))
        if "[" in text:
            raise BadRequest("no ranges here")
        return ShelfFilter(text)


_ids = itertools.count(1)


def a_row(message: str = "hello", **changed: Any) -> Row:
    values: dict[str, Any] = {
        "id": next(_ids),
        "timestamp": "2025-05-13T00:01:15Z",
        "source": "auth",
        "level": "warn",
        "message": message,
        "fields": msgspec.Raw(b'{"ip":"192.168.1.100"}'),
    }
    return Row(**{**values, **changed})


def a_letter(**changed: Any) -> DeadLetter:
    values: dict[str, Any] = {
        "id": next(_ids),
        "failed_at": "2025-05-13T00:01:16Z",
        "processor": "redact",
        "reason": "processor_error",
        "detail": "ValueError: no",
        "entry": msgspec.Raw(b'{"message":"m"}'),
    }
    return DeadLetter(**{**values, **changed})


@pytest.fixture
def make_row() -> Callable[..., Row]:
    return a_row


@pytest.fixture
def make_letter() -> Callable[..., DeadLetter]:
    return a_letter


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(storage=StorageConfig(backup_folder=str(tmp_path)))


@pytest.fixture
def engine(settings: Settings) -> ShelfEngine:
    return ShelfEngine(settings)


@pytest.fixture
def app(engine: ShelfEngine, settings: Settings) -> Litestar:
    return build_app(engine.as_engine(), settings=settings, version="1.2.3")


@pytest.fixture
def client(app: Litestar) -> Iterator[TestClient[Litestar]]:
    with TestClient(app) as client:
        yield client


class Said:
    """What an app answered on the ASGI level."""

    def __init__(self, sent: list[dict[str, Any]]) -> None:
        self.status: int = sent[0]["status"]
        self.headers = {
            name.decode().lower(): value.decode() for name, value in sent[0]["headers"]
        }
        self.body = b"".join(message.get("body", b"") for message in sent[1:])

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


Chunk = bytes | None
"""A piece of a body; None = the sender goes away here."""


@pytest.fixture
def post_chunks(app: Litestar) -> Callable[..., Any]:
    """Send a body in scripted pieces."""

    async def run(
        path: str,
        chunks: Sequence[Chunk],
        *,
        headers: Mapping[str, str] | None = None,
        receive: Callable[[], Any] | None = None,
    ) -> Said:
        target, _, query = path.partition("?")
        left = list(chunks)
        sent: list[dict[str, Any]] = []

        async def script() -> dict[str, Any]:
            chunk = left.pop(0) if left else None
            if chunk is None:
                return {"type": "http.disconnect"}
            more = bool(left)
            return {"type": "http.request", "body": chunk, "more_body": more}

        async def send(message: Any) -> None:
            sent.append(message)

        scope: Any = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": target,
            "raw_path": target.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [
                (name.lower().encode(), value.encode("latin-1"))
                for name, value in (headers or {}).items()
            ],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
            "state": {},
            "extensions": {},
        }
        await app(scope, cast("Any", receive or script), send)
        return Said(sent)

    def post(path: str, chunks: Sequence[Chunk], **how: Any) -> Said:
        return asyncio.run(run(path, chunks, **how))

    return post
