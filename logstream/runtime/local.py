"""An engine for one command: no server, no event loop of the caller's."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date

from logstream.config.settings import Settings
from logstream.pipeline.engine import Engine
from logstream.pipeline.keeper import Keeper
from logstream.pipeline.states import StoredQuery
from logstream.plugins.manager import Plugins
from logstream.runtime.building import open_engine
from logstream.storage.dead_letters import DeadLetterStore
from logstream.storage.listing import StorageState
from logstream.storage.reader import Reader
from logstream.storage.saved_queries import SavedQueries
from logstream.storage.sql.console import SqlConsole
from logstream.storage.statements import Statements


class LocalEngine:
    """An engine with plain calls. Use from one thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def reader(self) -> Reader:
        """Of all that was acked before the call."""
        self._engine.settle_now()
        return self._engine.reader

    @property
    def sql(self) -> SqlConsole:
        """Over all that was acked before the call."""
        self._engine.settle_now()
        return self._engine.sql

    @property
    def statements(self) -> Statements:
        """Over all that was acked before the call."""
        self._engine.settle_now()
        return self._engine.statements

    def add(self, lines: bytes) -> int:
        """Store NDJSON; returns how many entries, once they are fsynced.

        Raises:
            EntryRejected, TooLarge: one of them is no entry; then none is stored.
            Overloaded, DiskFull, NotReady, StorageError: none is stored.
        """

        async def put() -> int:
            async with self._engine.intake.stream(partial=False) as stream:
                await stream.feed(lines)
                return (await stream.commit()).entries

        return asyncio.run(put())

    @property
    def saved(self) -> SavedQueries:
        return self._engine.saved

    @property
    def dead_letters(self) -> DeadLetterStore:
        self._engine.settle_now()
        return self._engine.dead_letters

    @property
    def keeper(self) -> Keeper:
        """Of all that was acked before the call."""
        self._engine.settle_now()
        return self._engine.keeper

    def describe(self) -> StorageState:
        """As `Engine.describe`."""
        self._engine.settle_now()
        return self._engine.describe()

    def stuck_entries(self) -> int:
        return self._engine.queue().stuck_entries

    def left_out(self) -> list[date]:
        """Days of which not all is in answers, as far as anybody looked."""
        return self._engine.keeper.left_out()

    def compile_filter(self, text: str) -> StoredQuery:
        return self._engine.compile_filter(text)

    def replay_dead_letters(self, ids: Sequence[int] | None) -> int:
        """As `Engine.replay_dead_letters`."""
        return asyncio.run(self._engine.replay_dead_letters(ids))


@contextmanager
def open_local_engine(settings: Settings, *, plugins: Plugins) -> Iterator[LocalEngine]:
    """Own the data folder for the length of the block. Raises as `open_engine`."""
    with open_engine(settings, plugins=plugins) as (engine, _):
        yield LocalEngine(engine)
