"""The objects that plugins hand over, and what they may count on.

A plugin gives *specs*. A spec has a name, an options struct (its config keys, checked
by msgspec before anything runs) and `build`, which makes the object that works. One
object is made per worker (processor) or per entry in the config (collector, parser),
so it may keep state without a lock.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from logstream.core.entry import Entry
from logstream.core.sql import Sql


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every options struct. A field is a config key, its docstring its help."""


class Predicate(Protocol):
    """A compiled filter of the query language, in both of its forms.

    Both give the same answer for the same entry; a property test holds them to it.
    """

    @property
    def sql(self) -> Sql: ...

    def matches(self, entry: Entry) -> bool: ...


class BuildContext(Protocol):
    """What a factory is given, so that no plugin has to import our inner layers."""

    def compile_filter(self, query: str) -> Predicate:
        """Compile a query such as `level:debug env:production`.

        Raises:
            QuerySyntaxError: with the offset.
        """
        ...


class Rewrite(msgspec.Struct, frozen=True, kw_only=True):
    """What a processor does, as SQL over a whole batch: the way without Python.

    `keep` is applied first. `columns` maps `source`, `level` or `message` to a VARCHAR
    expression over the columns as they came in. `set_fields` maps names of fields to
    JSON text: the fields get these values, whatever was there. (Dots in a name mean
    nothing special.)
    """

    keep: Sql | None = None
    columns: Mapping[str, Sql] = {}
    set_fields: Mapping[str, str] = {}


class Processor(Protocol):
    """Transforms a batch of entries.

    Called from one worker at a time per instance. It must not block on the network:
    a call that takes longer than `workers.processor_timeout_s` is given up, and the
    entries it held go to the dead-letter store.
    """

    def process(self, batch: Sequence[Entry]) -> Sequence[Entry]:
        """Return the entries to keep, in order; leave one out to filter it.

        Each returned entry keeps the `id` of the one it was made from, once. The
        batch is not to be modified.

        Raises:
            Exception: any. The batch is then retried one entry at a time, and only
                the entries that still fail go to the dead-letter store.
        """
        ...


class VectorProcessor(Processor, Protocol):
    """A processor that can also say what it does in SQL.

    When every processor of the chain can, no entry becomes a Python object. Both
    forms must give identical rows.
    """

    def rewrite(self) -> Rewrite | None:
        """None: not with these options; use `process`."""
        ...


class ProcessorSpec(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    """A verb: `filter`, `enrich`, `redact`. The `type` in the config file."""
    summary: str
    """One line for `logstream plugins list`."""
    options: type[Options]
    build: Callable[[Any, BuildContext], Processor]
    """Called with a checked instance of `options`.

    Raises:
        ConfigError: the options do not fit together; say which and why.
    """


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What a parser makes of one line. None means: the line does not say."""

    timestamp: str | None = None
    """Canonical, as in `Entry`."""
    level: str | None = None
    """As `core.levels.level_of` gives it."""
    source: str | None = None
    message: str
    fields: dict[str, Any] = {}


class Parser(Protocol):
    """Turns lines of text into entries' parts. Stateful at will, one per stream."""

    def parse(self, lines: Sequence[str]) -> Sequence[Line | None]:
        """One result per line, in order; None = not my format. Must not raise."""
        ...


class ParserSpec(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    """The format: `json`, `syslog`, `text`."""
    summary: str
    options: type[Options]
    build: Callable[[Any, BuildContext], Parser]
    priority: int = 0
    """Automatic detection asks the higher first; `text`, which takes all, is -100."""


class Sink(Protocol):
    """Where a collector puts what it read: this process's intake, or a server's.

    A *position* is where a collector stands in one of its inputs. It is stored in the
    same write as the entries, so after a crash both are there or neither is: reading
    on from the stored position loses nothing and doubles nothing.
    """

    async def send(
        self, entries: Sequence[Entry], *, positions: Mapping[str, Any]
    ) -> None:
        """Return when the entries and the positions are on disk.

        Waits, as long as it takes, while the other side is full or away. May be called
        with no entries, to move positions only.

        Args:
            entries: May be of any number; `id` is ignored.
            positions: Name of an input (up to 512 characters) → JSON value.

        Raises:
            EntryRejected: an entry can never be stored; nothing of the call was.
        """
        ...

    async def positions(self, names: Iterable[str]) -> dict[str, Any]:
        """The stored ones of these inputs; what was never stored is left out."""
        ...


class Collector(Protocol):
    async def run(self, sink: Sink) -> None:
        """Collect until cancelled, or until there is no more (`once`).

        Runs on the event loop; blocking work goes to a thread. Cancelling it at any
        await must be safe. An exception ends this collector only: it is reported and
        started again with back-off.
        """
        ...


class CollectorContext(BuildContext, Protocol):
    @property
    def name(self) -> str:
        """The collector's name in the config; begins the names of its positions."""
        ...

    @property
    def once(self) -> bool:
        """Read what is there and return."""
        ...

    def parser(self, name: str, options: Mapping[str, Any]) -> Parser:
        """A parser by its name; `auto` is the detection over all of them.

        Raises:
            ConfigError: there is no such parser.
        """
        ...

    def progress(self, *, name: str, done: int, total: int | None, unit: str) -> None:
        """Say how far an input is, for a bar; `unit` is `bytes` or `entries`."""
        ...


class CollectorSpec(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    """The `type` in the config file: `file`, `http`, `generate`."""
    summary: str
    options: type[Options]
    build: Callable[[Any, CollectorContext], Collector]
    schemes: tuple[str, ...] = ()
    """URL schemes that `logstream collect --sources` brings here."""
    options_of_url: Callable[[str], Mapping[str, Any]] | None = None
    """A URL of one of `schemes` → raw options. Raises ConfigError."""


class Lifecycle(Protocol):
    """Both are called once, from the main thread, and may take a few seconds."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class _PerEntry:
    def __init__(self, function: Callable[[Entry], Entry | None]) -> None:
        self._function = function

    def process(self, batch: Sequence[Entry]) -> Sequence[Entry]:
        function = self._function
        return [kept for entry in batch if (kept := function(entry)) is not None]


def per_entry(function: Callable[[Entry], Entry | None]) -> Processor:
    """Make a processor of a function of one entry; None filters the entry."""
    return _PerEntry(function)
