"""The SDK: what a plugin imports. `contracts` and `hookspecs` are all of it."""

from logstream.core.entry import Entry
from logstream.core.errors import ConfigError
from logstream.core.sql import Sql
from logstream.plugins.contracts import (
    BuildContext,
    Collector,
    CollectorContext,
    CollectorSpec,
    Lifecycle,
    Line,
    Options,
    Parser,
    ParserSpec,
    Predicate,
    Processor,
    ProcessorSpec,
    Rewrite,
    Sink,
    VectorProcessor,
    per_entry,
)
from logstream.plugins.hookspecs import hookimpl

__all__ = [
    "BuildContext",
    "Collector",
    "CollectorContext",
    "CollectorSpec",
    "ConfigError",
    "Entry",
    "Lifecycle",
    "Line",
    "Options",
    "Parser",
    "ParserSpec",
    "Predicate",
    "Processor",
    "ProcessorSpec",
    "Rewrite",
    "Sink",
    "Sql",
    "VectorProcessor",
    "hookimpl",
    "per_entry",
]
