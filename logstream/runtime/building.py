"""Building an engine: every part is made here, and handed what it needs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from logstream.config.settings import Settings
from logstream.core.errors import BadRequest, ConfigError
from logstream.journal.answers import Answers
from logstream.journal.files import (
    ANONYMOUS_FOLDER,
    DiskFiles,
    MemoryFiles,
    SegmentFiles,
)
from logstream.journal.journal import GroupDone, Journal
from logstream.journal.positions import Positions
from logstream.journal.segment import Segment
from logstream.pipeline.backups import make_backup
from logstream.pipeline.chain import Chain
from logstream.pipeline.engine import Engine
from logstream.pipeline.keeper import Keeper, Pause
from logstream.pipeline.pool import WorkerPool
from logstream.pipeline.runner import ProcessRunner, ThreadRunner
from logstream.pipeline.runners import RunnerFactory, Runners
from logstream.pipeline.verification import verify_running
from logstream.pipeline.worker import Outcome, Worker
from logstream.plugins.manager import Plugins, load_plugins
from logstream.query import compile_filter
from logstream.query.query import compile_query
from logstream.runtime.builtins import BUILTINS
from logstream.runtime.contexts import CollectorContext, Context
from logstream.storage.backup import BackupDone
from logstream.storage.compaction import Compactor
from logstream.storage.dead_letters import DeadLetterStore
from logstream.storage.deletion import Deletion
from logstream.storage.folder import DataFolder
from logstream.storage.hub import Hub
from logstream.storage.listing import describe
from logstream.storage.loader import Loader
from logstream.storage.partitions import Partitions
from logstream.storage.reader import Reader
from logstream.storage.retention import Retention
from logstream.storage.saved_queries import FILE as SAVED
from logstream.storage.saved_queries import SavedQueries
from logstream.storage.sql.console import SqlConsole
from logstream.storage.sql.tables import SqlTables
from logstream.storage.statements import Statements
from logstream.storage.turns import Turns

IN_MEMORY = ":memory:"


def build_context() -> Context:
    """What factories of plugins are given, outside a running server too."""
    return Context()


def build_chain(settings: Settings, plugins: Plugins) -> Chain:
    """The processors of the config, in its order. Raises ConfigError, PluginError."""
    context = build_context()
    return Chain(
        [
            (
                config.name or config.type,
                plugins.build_processor(config, context, where=f"processors[{at}]"),
            )
            for at, config in enumerate(settings.processors)
        ]
    )


def build_chain_afresh(settings: Settings) -> Chain:
    """The same in another process, which has to load the plugins itself."""
    return build_chain(settings, load_plugins(settings.plugins, builtins=BUILTINS))


def check_settings(settings: Settings, plugins: Plugins) -> None:
    """Build all that the config names, and drop it. Raises ConfigError, PluginError."""
    build_chain(settings, plugins)
    _check_retention(settings)
    SqlTables(settings.sql.allow)
    names: set[str] = set()
    for config in settings.collectors:
        context = CollectorContext(plugins, name=config.name)
        plugins.build_collector(config.type, config.options, context)
        if config.name in names:
            raise ConfigError(f"Two collectors have the name '{config.name}'.")
        names.add(config.name)


def _check_retention(settings: Settings) -> None:
    for at, rule in enumerate(settings.retention.rules):
        try:
            compile_filter(rule.query)
        except BadRequest as error:
            raise ConfigError(f"retention.rules[{at}].query: {error}") from None


@contextmanager
def open_engine(
    settings: Settings, *, plugins: Plugins
) -> Iterator[tuple[Engine, DataFolder | None]]:
    """An engine that is started, and closed in the end.

    Yields:
        The engine, and the data folder that it owns (None in memory).

    Raises:
        FolderInUse, StorageError: the data folder cannot be had.
        ConfigError, PluginError: a processor cannot be built.
    """
    chain = build_chain(settings, plugins)
    _check_retention(settings)
    in_memory = settings.storage.path == IN_MEMORY
    folder = None if in_memory else DataFolder(Path(settings.storage.path))
    try:
        hub = Hub(
            settings.storage,
            tmp=folder.tmp if folder else None,
            query_memory_bytes=settings.query.memory_bytes,
        )
        try:
            sql_tables = _confine(settings, hub, folder)
            engine = _build(
                settings, plugins, chain, hub, folder, sql_tables=sql_tables
            )
            try:
                engine.start()
                yield engine, folder
            finally:
                engine.close()
        finally:
            hub.close()
    finally:
        if folder is not None:
            folder.close()


def _confine(settings: Settings, hub: Hub, folder: DataFolder | None) -> SqlTables:
    """Let DuckDB reach what it needs, and no more. Raises ConfigError."""
    tables = SqlTables(settings.sql.allow)
    tables.load_extensions(hub)
    folders = [ANONYMOUS_FOLDER, *tables.folders]
    if folder is not None:
        folders.append(folder.path.resolve())
    hub.confine(folders=folders, files=tables.files)
    return tables


def _build(
    settings: Settings,
    plugins: Plugins,
    chain: Chain,
    hub: Hub,
    folder: DataFolder | None,
    *,
    sql_tables: SqlTables,
) -> Engine:
    partitions = Partitions(
        hub,
        folder.partitions if folder else None,
        register=folder.path / "days.json" if folder else None,
        statistics=folder.path / "statistics.json" if folder else None,
        accounts=folder.path / "accounts.json" if folder else None,
        max_open=settings.storage.max_open_days,
    )
    dead_letters = DeadLetterStore(
        hub,
        folder.path / "dead-letters.duckdb" if folder else None,
        capacity_rows=settings.dead_letters.capacity_rows,
    )
    loader = Loader(hub, partitions, max_entry_bytes=settings.intake.max_entry_bytes)

    def make_pool(on_stored: Callable[[Segment, Outcome], None]) -> WorkerPool:
        runners = Runners(
            count=settings.workers.count,
            make_runner=_runner_factory(settings, plugins),
            timeout_s=settings.workers.processor_timeout_s,
            eager=chain.rewrites() is None,
        )
        return WorkerPool(
            count=settings.workers.count,
            make_worker=lambda: Worker(
                chain=chain,
                runners=runners,
                loader=loader,
                dead_letters=dead_letters,
            ),
            on_stored=on_stored,
            on_closed=runners.close,
        )

    files = _segment_files(folder, partitions, dead_letters)

    def make_journal(pool: WorkerPool, on_group: GroupDone) -> Journal:
        return Journal(
            files,
            Positions(folder.path / "positions.json" if folder else None),
            segment_bytes=settings.journal.segment_bytes,
            linger_s=settings.journal.linger_ms / 1000,
            on_segment=pool.submit,
            on_group=on_group,
            has_time=pool.has_time,
            answers=Answers(
                folder.path / "idempotency.ndjson" if folder else None,
                window_s=settings.intake.idempotency_window_s,
                capacity=settings.intake.idempotency_keys,
            ),
        )

    compactor = None
    if folder is not None:
        compactor = Compactor(hub, partitions, settings.storage, tmp=folder.tmp)
    make_keeper = partial(
        _build_keeper,
        settings=settings,
        hub=hub,
        partitions=partitions,
        dead_letters=dead_letters,
        folder=folder,
    )
    return Engine(
        settings=settings,
        files=files,
        partitions=partitions,
        reader=Reader(
            hub,
            partitions,
            timeout_s=settings.query.timeout_s,
            tmp=folder.tmp if folder else None,
        ),
        sql=SqlConsole(
            hub,
            partitions,
            settings.sql,
            sql_tables,
            timeout_s=settings.query.timeout_s,
            tmp=folder.tmp if folder else None,
        ),
        statements=Statements(
            hub,
            partitions,
            timeout_s=settings.query.timeout_s,
            tmp=folder.tmp if folder else None,
        ),
        saved=SavedQueries(
            folder.path / SAVED if folder else None, compile_query=compile_query
        ),
        dead_letters=dead_letters,
        make_pool=make_pool,
        make_journal=make_journal,
        make_keeper=make_keeper,
        compactor=compactor,
        compile_filter=compile_filter,
        data_path=folder.path if folder else None,
        health=hub,
    )


def _build_keeper(
    unsettled: Callable[[], set[int]],
    loading: Turns,
    *,
    settings: Settings,
    hub: Hub,
    partitions: Partitions,
    dead_letters: DeadLetterStore,
    folder: DataFolder | None,
) -> Keeper:
    timeout_s = settings.query.timeout_s
    deletion = Deletion(hub, partitions, timeout_s=timeout_s)
    retention = Retention(
        partitions,
        deletion,
        default=settings.retention,
        path=folder.path / "retention.json" if folder else None,
        compile_query=compile_filter,
        unsettled=unsettled,
    )
    data = folder.path if folder else None

    def backup(to: Path, pause: Pause) -> BackupDone:
        if data is None:
            raise BadRequest("A store in memory has no files to back up.")
        return make_backup(
            to,
            pause,
            data=data,
            partitions=partitions,
            dead_letters=dead_letters,
            loading=loading,
        )

    return Keeper(
        deletion=deletion,
        retention=retention,
        describe=partial(describe, hub, partitions, timeout_s=timeout_s),
        verify=partial(verify_running, hub, partitions, data),
        left_out=partitions.left_out,
        backup=backup,
    )


def _segment_files(
    folder: DataFolder | None, partitions: Partitions, dead_letters: DeadLetterStore
) -> SegmentFiles:
    if folder is None:
        return MemoryFiles()
    if (folder.journal / "next").exists():
        return DiskFiles(folder.journal)
    # Without the journal's own word, only the stores know which numbers are used.
    used = max(partitions.highest_segment(), dead_letters.highest_segment())
    return DiskFiles(folder.journal, floor=used + 1)


def _runner_factory(settings: Settings, plugins: Plugins) -> RunnerFactory:
    if settings.workers.kind == "process":
        return partial(ProcessRunner, partial(build_chain_afresh, settings))
    return partial(ThreadRunner, partial(build_chain, settings, plugins))
