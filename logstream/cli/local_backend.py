"""The commands' questions, answered from a data folder that this process opens."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from logstream.api.selection import Span, limit_of, select, sort_field
from logstream.cli.backend import (
    Failed,
    FileFormat,
    Found,
    Gone,
    Named,
    Policy,
    Retained,
    Saved,
    Search,
    Sql,
    Stored,
    Totals,
)
from logstream.core.findings import Report
from logstream.core.results import Table
from logstream.core.timestamps import format_ns

if TYPE_CHECKING:
    from logstream.config.settings import Settings
    from logstream.plugins.manager import Plugins
    from logstream.query.query import Query

_PAGE_ENTRIES = 1_000

T = TypeVar("T")


@contextmanager
def open_local(settings: "Settings", plugins: "Plugins") -> "Iterator[LocalBackend]":
    """Own the data folder for the length of the block.

    Raises:
        FolderInUse: another process has it.
        StorageError: it cannot be opened.
    """
    from logstream.runtime.local import open_local_engine

    with open_local_engine(settings, plugins=plugins) as engine:
        yield LocalBackend(engine, settings)


class LocalBackend:
    """Use from one thread."""

    def __init__(self, engine: Any, settings: "Settings") -> None:
        self.where = f"the data folder {settings.storage.path}"
        self._engine = engine
        self._max_values = settings.query.max_limit
        self._timeout_s = settings.query.timeout_s

    def search(self, search: Search) -> Iterator[Found]:
        selection = select(
            self._engine,
            Span(from_ns=search.from_ns, to_ns=search.to_ns),
            text=search.text,
            levels=list(search.levels),
            sources=list(search.sources),
        )
        sort_by = sort_field(search.sort_by)
        left = search.limit or None
        cursor: str | None = None
        while True:
            asked = _PAGE_ENTRIES if left is None else min(left, _PAGE_ENTRIES)
            read = partial(
                self._engine.reader.entries,
                selection,
                limit=asked,
                sort_by=sort_by,
                descending=search.descending,
                cursor=cursor,
            )
            page = self._read(read, search.timeout_s)
            for row in page.rows:
                yield Found(
                    id=str(row.id) if search.ids else None,
                    timestamp=row.timestamp,
                    source=row.source,
                    level=row.level,
                    message=row.message,
                    fields=row.fields,
                )
            if left is not None:
                left -= len(page.rows)
            cursor = page.cursor
            if cursor is None or left == 0:
                return

    def table(self, search: Search) -> Table:
        limit = limit_of(
            search.limit or None, default=self._max_values, largest=self._max_values
        )
        parts: list[bytes] = []
        self._write(search, "table", parts.append, limit, search.timeout_s)
        return msgspec.json.decode(b"".join(parts), type=Table)

    def explain(self, search: Search) -> dict[str, Any]:
        from logstream.query.outline import outline

        query = _query_of(search)
        span = {"from_ns": search.from_ns, "to_ns": search.to_ns}
        plan = query.plan(**span, ids=search.ids)
        explain = partial(self._engine.statements.explain, plan, **span)
        found = self._read(explain, search.timeout_s)
        shown = msgspec.to_builtins(found)
        return {"query": str(query), "tree": outline(query), **shown}

    def write(
        self, search: Search, how: FileFormat, sink: Callable[[bytes], None]
    ) -> None:
        self._write(search, how, sink, search.limit or None, search.timeout_s or inf)

    def _write(
        self,
        search: Search,
        how: Any,
        sink: Callable[[bytes], None],
        limit: int | None,
        timeout_s: float | None,
    ) -> None:
        from logstream.storage.formats import write

        span = {"from_ns": search.from_ns, "to_ns": search.to_ns}
        plan = _query_of(search).plan(**span, ids=search.ids)
        run = partial(
            self._engine.statements.run,
            plan,
            lambda result: write(result, how, sink),
            **span,
            limit=limit,
        )
        self._read(run, timeout_s)

    def sql(self, asked: Sql) -> Table:
        from logstream.storage.sql.answer import SqlResult, body_of

        def read(result: SqlResult) -> Table:
            table = msgspec.json.decode(body_of(result, "table"), type=Table)
            return msgspec.structs.replace(table, truncated=result.truncated)

        return self._run_sql(asked, read)

    def sql_tables(self) -> list[str]:
        return self._read(self._engine.sql.tables)

    def write_sql(
        self, asked: Sql, how: FileFormat, sink: Callable[[bytes], None]
    ) -> bool:
        from logstream.storage.sql.answer import SqlResult, body_of

        def read(result: SqlResult) -> bool:
            sink(body_of(result, how))
            return result.truncated

        return self._run_sql(asked, read)

    def _run_sql(self, asked: Sql, read: Callable[[Any], T]) -> T:
        most = self._max_values
        run = partial(
            self._engine.sql.run,
            asked.text,
            read,
            limit=limit_of(asked.limit, default=most, largest=most),
            from_ns=asked.from_ns,
            to_ns=asked.to_ns,
        )
        found: T = self._read(run, asked.timeout_s)
        return found

    def _read(self, read: Callable[[], T], timeout_s: float | None = None) -> T:
        from logstream.cli.interrupting import interruptibly

        return interruptibly(read, timeout_s=timeout_s or self._timeout_s)

    def totals(self) -> Totals:
        found = self._read(self._engine.reader.stats)
        return Totals(
            TotalEntries=found.entries,
            OldestEntry=_text(found.oldest_ns),
            NewestEntry=_text(found.newest_ns),
            EntriesBySource=found.by_source,
            EntriesByLevel=found.by_level,
            StorageSize=found.stored_bytes,
            CompressionRatio=found.compression_ratio,
        )

    def sources(self) -> list[str]:
        return sorted(self._read(self._engine.reader.sources))

    def frequency(
        self, *, group_by: str, text: str, from_ns: int | None, to_ns: int | None
    ) -> dict[str, int]:
        selection = select(self._engine, Span(from_ns=from_ns, to_ns=to_ns), text=text)
        read = partial(self._engine.reader.frequency, selection)
        found = self._read(partial(read, group_by=sort_field(group_by)))
        return dict(list(found.items())[: self._max_values])

    def dead_letters(self, *, limit: int) -> list[Failed]:
        return [
            Failed(
                id=str(letter.id),
                failed_at=letter.failed_at,
                processor=letter.processor,
                reason=letter.reason,
                detail=letter.detail,
                entry=letter.entry,
            )
            for letter in self._engine.dead_letters.list(limit=limit)
        ]

    def replay(self, ids: Sequence[str] | None) -> int:
        wanted = None if ids is None else [int(one) for one in ids]
        return int(self._engine.replay_dead_letters(wanted))

    def storage(self) -> Stored:
        found = msgspec.to_builtins(self._engine.describe())
        return msgspec.convert(found, Stored)

    def delete(
        self, *, text: str, from_ns: int | None, to_ns: int | None, dry_run: bool
    ) -> Gone:
        keeper = self._engine.keeper
        selection = select(self._engine, Span(from_ns=from_ns, to_ns=to_ns), text=text)
        found = (keeper.preview if dry_run else keeper.delete)(selection)
        return Gone(
            entries=found.entries, days=found.days, by_source=dict(found.by_source)
        )

    def retention(self) -> Retained:
        found = msgspec.to_builtins(self._engine.keeper.retention())
        return msgspec.convert(found, Retained)

    def set_retention(self, policy: Policy | None) -> Retained:
        from logstream.config.settings import RetentionConfig

        wanted = None
        if policy is not None:
            wanted = msgspec.convert(msgspec.to_builtins(policy), RetentionConfig)
        found = msgspec.to_builtins(self._engine.keeper.set_retention(wanted))
        return msgspec.convert(found, Retained)

    def saved(self) -> list[Named]:
        return [_named(one) for one in self._engine.saved.all()]

    def saved_one(self, name: str) -> Named:
        return _named(self._engine.saved.get(name))

    def save(self, name: str, query: str, *, description: str, replace: bool) -> Named:
        saved = self._engine.saved
        return _named(saved.add(name, query, description=description, replace=replace))

    def unsave(self, name: str) -> Named:
        return _named(self._engine.saved.remove(name))

    def backup(self, folder: str) -> Saved:
        done = self._engine.keeper.backup(Path(folder))
        return msgspec.convert(msgspec.to_builtins(done), Saved)

    def left_out(self) -> list[str]:
        """Days that answers lack, since they cannot be read."""
        return [day.isoformat() for day in self._engine.left_out()]

    def stuck_entries(self) -> int:
        """That answers lack, since they cannot be stored just now."""
        return int(self._engine.stuck_entries())

    def verify(self) -> Report:
        report: Report = self._engine.keeper.verify()
        return report


def _named(one: Any) -> Named:
    return msgspec.convert(msgspec.to_builtins(one), Named)


def _query_of(search: Search) -> "Query":
    from logstream.query import any_of, level_in, source_is
    from logstream.query.query import parse_query

    exprs = []
    if search.levels:
        exprs.append(level_in(search.levels))
    if search.sources:
        exprs.append(any_of(*map(source_is, search.sources)))
    query = parse_query(search.text)
    return query.narrowed(*exprs) if exprs else query


def _text(ns: int | None) -> str | None:
    return None if ns is None else format_ns(ns)
