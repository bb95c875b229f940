"""The SDK: what a plugin imports. `contracts` and `hookspecs` are all of it."""

from logstream.core.entry import Entry
from logstream.core.sql import Sql
from logstream.plugins.contracts import (
    BuildContext,
    Collector,
    CollectorSpec,
    Line,
    Parser,
    ParserSpec,
    Predicate,
    Processor,
    ProcessorSpec,
    Rewrite,
    Sink,
    per_entry,
)
from logstream.plugins.hookspecs import hookimpl

__all__ = [
    "BuildContext",
    "Collector",
    "CollectorSpec",
    "Entry",
    "Line",
    "Parser",
    "ParserSpec",
    "Predicate",
    "Processor",
    "ProcessorSpec",
    "Rewrite",
    "Sink",
    "Sql",
    "hookimpl",
    "per_entry",
]
