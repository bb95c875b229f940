"""The built-in processors, offered through the same hook as anybody's."""

from collections.abc import Sequence

from logstream.plugins.contracts import ProcessorSpec
from logstream.plugins.hookspecs import hookimpl
from logstream.processors.enrich import EnrichOptions, build_enrich
from logstream.processors.filter import FilterOptions, build_filter
from logstream.processors.parse import ParseOptions, build_parse
from logstream.processors.replace import ReplaceOptions, build_replace


@hookimpl
def logstream_processors() -> Sequence[ProcessorSpec]:
    return [
        ProcessorSpec(
            name="filter",
            summary="Drop or keep entries by a query.",
            options=FilterOptions,
            build=build_filter,
        ),
        ProcessorSpec(
            name="enrich",
            summary="Copy, rename, remove and add fields.",
            options=EnrichOptions,
            build=build_enrich,
        ),
        ProcessorSpec(
            name="parse",
            summary="Turn JSON or a pattern in the message into fields.",
            options=ParseOptions,
            build=build_parse,
        ),
        ProcessorSpec(
            name="replace",
            summary="Replace what a pattern finds in the message.",
            options=ReplaceOptions,
            build=build_replace,
        ),
    ]
