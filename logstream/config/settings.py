"""Every config key, its default, its limits and its help, declared once.

The docstring below a key is its help in `config.yaml.example` and in `docs/config.md`.
Units stand in the names. Secrets come by reference, never inline.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

MIB = 1_048_576


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class ServerConfig(_Section, frozen=True, kw_only=True):
    """The HTTP server: the REST API, `/metrics` and the pages."""

    host: str = "127.0.0.1"
    """Address to listen on. `0.0.0.0` listens on all: put something that checks who
    calls in front of it, since the API asks nobody for a password."""

    port: Annotated[int, Meta(ge=0, le=65_535)] = 8000
    """TCP port. 0 takes a free one and says which."""

    body_timeout_s: Annotated[float, Meta(gt=0)] = 60.0
    """A request that sends nothing for so long is answered with 408."""


class StorageConfig(_Section, frozen=True, kw_only=True):
    """Where entries are kept: a folder of DuckDB files, one or more per UTC day."""

    path: str = "logstream-data"
    """The data folder; it is made if it is missing. `:memory:` keeps everything in
    memory, without a journal: it is gone when the process ends."""

    memory_bytes: Annotated[int, Meta(ge=64 * MIB)] = 512 * MIB
    """Memory that DuckDB may use for loads and queries together. What needs more
    spills to `tmp` in the data folder."""

    threads: Annotated[int, Meta(ge=0, le=256)] = 0
    """Threads that DuckDB may use. 0 = one per core."""

    max_spill_bytes: Annotated[int, Meta(ge=0)] = 0
    """Disk that queries and loads which need more memory may use in `tmp`. 0 = a
    quarter of what is free at start, so that queries never fill the disk."""

    min_free_bytes: Annotated[int, Meta(ge=0)] = 256 * MIB
    """With less free disk than this, ingest is refused (507) and `/readyz` is red;
    queries go on."""

    max_open_days: Annotated[int, Meta(ge=1, le=10_000)] = 64
    """Files of days that are open at the same time, unless one query needs more: each
    takes a file descriptor and half a megabyte of memory. One that is not open takes a
    millisecond or two longer to read."""

    compact_after_s: Annotated[float, Meta(ge=0)] = 3600.0
    """A day that is over, and that nothing was written to for so long, is rewritten in
    order, smaller and with a skip index for words and values; a part that is full
    after seconds, while few entries come in. 0 = never."""

    backup_folder: str | None = None
    """Where the server may write backups: this folder, and folders in it. None: it
    makes none, and `logstream backup` works while no server runs."""


class RetentionRule(_Section, frozen=True, kw_only=True):
    """How long entries that match a query are kept."""

    query: str
    """In the query language, such as `level:fatal OR source:payments`."""

    max_age_days: Annotated[int, Meta(ge=0, le=100_000)]
    """Kept so many days; 0 = for ever."""


class RetentionConfig(_Section, frozen=True, kw_only=True):
    """How long entries are kept. `PUT /api/v1/retention` overrides it for good."""

    max_age_days: Annotated[int, Meta(ge=0, le=100_000)] = 0
    """Entries go when their whole UTC day is older than this. 0 = never."""

    max_bytes: Annotated[int, Meta(ge=0)] = 0
    """With more than this in the store, the oldest days go; today and the newest
    never. 0 = no limit."""

    rules: tuple[RetentionRule, ...] = ()
    """Other ages for some entries: the first rule whose `query` matches decides
    instead of `max_age_days`."""


class IntakeConfig(_Section, frozen=True, kw_only=True):
    """What is taken in, and how much may wait."""

    capacity_bytes: Annotated[int, Meta(ge=MIB)] = 1024 * MIB
    """Acked entries that may wait in the journal to be stored. Above it the answer is
    429 with Retry-After. In bytes, since one stack trace costs what a thousand access
    lines do."""

    max_entry_bytes: Annotated[int, Meta(ge=1024, le=16 * MIB)] = MIB
    """The largest entry, as JSON."""

    max_batch_bytes: Annotated[int, Meta(ge=MIB)] = 4096 * MIB
    """The largest request, unpacked. An NDJSON stream of any size up to this is stored
    as a whole or not at all, in bounded memory."""

    max_array_bytes: Annotated[int, Meta(ge=1024)] = 64 * MIB
    """The largest batch sent as one JSON array, which has to be held in memory."""

    idempotency_window_s: Annotated[float, Meta(ge=0)] = 86_400.0
    """A request that repeats the `Idempotency-Key` of one that was answered within this
    time is answered as that one was, and stores nothing. 0 = keys mean nothing."""

    idempotency_keys: Annotated[int, Meta(ge=1)] = 100_000
    """Keys that are remembered at most; above it, or above 64 MiB, the oldest go."""


class JournalConfig(_Section, frozen=True, kw_only=True):
    """The journal, which makes an ack mean: on disk."""

    segment_bytes: Annotated[int, Meta(ge=4096, le=128 * MIB)] = 48 * MIB
    """A segment of this size is closed and loaded as one batch. Larger is faster and
    needs more memory."""

    linger_ms: Annotated[int, Meta(ge=0, le=60_000)] = 1000
    """A segment that is not full is closed and loaded when its first entry is this old
    (a query that has to see it does not wait for that)."""


class WorkersConfig(_Section, frozen=True, kw_only=True):
    """The pool that takes batches from the journal through the processors."""

    count: Annotated[int, Meta(ge=1, le=64)] = 2
    """How many batches are worked on at once, besides one that is small."""

    kind: Literal["thread", "process"] = "thread"
    """Where Python processors run. `thread` suits most; `process` is for processors
    that use much CPU in Python. Batches that need no Python run in threads anyway."""

    processor_timeout_s: Annotated[float, Meta(gt=0)] = 30.0
    """A processor that holds a chunk of entries longer is given up; the entries that
    it hangs on go to the dead letters."""

    shutdown_timeout_s: Annotated[float, Meta(ge=0)] = 20.0
    """How long a stop waits for accepted entries to be stored. What is left stays in
    the journal and is stored at the next start."""


class QueryConfig(_Section, frozen=True, kw_only=True):
    """Limits of queries."""

    default_limit: Annotated[int, Meta(ge=1)] = 100
    """Entries returned when a request names no limit."""

    max_limit: Annotated[int, Meta(ge=1)] = 10_000
    """The largest limit that a request may name; page on with the cursor."""

    max_stream_rows: Annotated[int, Meta(ge=1)] = 1_000_000
    """The same for answers that are streamed as NDJSON."""

    timeout_s: Annotated[float, Meta(gt=0)] = 30.0
    """A query that takes longer is stopped and answered with 504, unless the request
    names another limit. One that waits as long for its turn is refused."""

    max_timeout_s: Annotated[float, Meta(gt=0)] = 300.0
    """The largest `timeout_s` that a request may name."""

    memory_bytes: Annotated[int, Meta(ge=MIB)] = 128 * MIB
    """What one query may hold in sorts and groups before it spills to disk. Of
    `storage.memory_bytes`, which loads need too."""

    max_running: Annotated[int, Meta(ge=1, le=256)] = 4
    """Queries that run at once. One client address may have all of these but one, so
    that there is always a turn for others."""

    max_waiting: Annotated[int, Meta(ge=0)] = 100
    """Queries that wait in line, where each client address has its turn after the
    other. More are answered with 429."""


class SqlTable(_Section, frozen=True, kw_only=True):
    """A file or database that SQL may join the entries with, read-only."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    """What SQL calls it."""

    path: str
    """A Parquet, CSV or JSON file, a pattern such as `hosts/*.parquet`, or a DuckDB or
    SQLite database."""

    kind: Literal["parquet", "csv", "json", "duckdb", "sqlite"] | None = None
    """What it is; None: what the file's name ends in tells."""

    table: str = ""
    """The table of a database that `name` stands for; without one all of them may be
    read, as `name.table`."""


class SqlConfig(_Section, frozen=True, kw_only=True):
    """SQL of users: read-only, over the entries and what is named here."""

    enabled: bool = True
    """Whether SQL may be sent at all."""

    allow: tuple[SqlTable, ...] = ()
    """Tables beside `logs`. Nothing else can be reached."""


class DeadLettersConfig(_Section, frozen=True, kw_only=True):
    """Entries that were acked and could not be processed, kept with the reason."""

    capacity_rows: Annotated[int, Meta(ge=1)] = 100_000
    """Above it the oldest go, and are counted."""


class PluginsConfig(_Section, frozen=True, kw_only=True):
    """Plugins beside the built-in ones."""

    folder: str | None = None
    """A folder whose `*.py` files and packages are plugins, by their names."""

    disabled: tuple[str, ...] = ()
    """Names of plugins that are not to be loaded, built-in ones too."""


class LogConfig(_Section, frozen=True, kw_only=True):
    """LogStream's own log, on standard error."""

    level: Literal["debug", "info", "warn", "error"] = "info"
    """The least severe that is written."""

    format: Literal["auto", "text", "json"] = "auto"
    """`auto` writes text to a terminal and JSON otherwise."""


class CollectorConfig(_Section, frozen=True, kw_only=True):
    """One collector: its `type`, a `name`, and under `options` the type's own keys."""

    type: str
    """A collector type, such as `file`, `http` or `generate`."""

    name: str
    """Unique; it begins the names of the positions that are kept for it."""

    options: dict[str, Any] = {}
    """The keys of the type: `logstream plugins list` names them."""


class ProcessorConfig(_Section, frozen=True, kw_only=True):
    """One processor: its `type`, and under `options` the type's own keys."""

    type: str
    """A processor type, such as `filter`, `enrich` or `parse`."""

    name: str = ""
    """Shown in metrics and dead letters; the type, when it is empty."""

    options: dict[str, Any] = {}
    """The keys of the type: `logstream plugins list` names them."""


class Settings(_Section, frozen=True, kw_only=True):
    """The whole file."""

    server: ServerConfig = ServerConfig()
    storage: StorageConfig = StorageConfig()
    retention: RetentionConfig = RetentionConfig()
    intake: IntakeConfig = IntakeConfig()
    journal: JournalConfig = JournalConfig()
    workers: WorkersConfig = WorkersConfig()
    query: QueryConfig = QueryConfig()
    sql: SqlConfig = SqlConfig()
    dead_letters: DeadLettersConfig = DeadLettersConfig()
    plugins: PluginsConfig = PluginsConfig()
    log: LogConfig = LogConfig()

    collectors: tuple[CollectorConfig, ...] = ()
    """What `logstream serve` collects by itself."""

    processors: tuple[ProcessorConfig, ...] = ()
    """What every entry goes through, in this order."""
