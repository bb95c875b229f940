"""A processor in Python that adds a field to every entry."""

from collections.abc import Sequence

import msgspec

from logstream.plugins import (
    BuildContext,
    Entry,
    Options,
    Processor,
    ProcessorSpec,
    hookimpl,
    per_entry,
)


class TouchOptions(Options, frozen=True, kw_only=True):
    pass


def touch(entry: Entry) -> Entry:
    fields = {**entry.fields, "length": len(entry.message)}
    return msgspec.structs.replace(entry, fields=fields)


def build(options: TouchOptions, context: BuildContext) -> Processor:
    return per_entry(touch)


@hookimpl
def logstream_processors() -> Sequence[ProcessorSpec]:
    return [
        ProcessorSpec(
            name="touch",
            summary="Add a field to every entry.",
            options=TouchOptions,
            build=build,
        )
    ]
