"""A processor that chokes on entries whose message begins with `poison`."""

from collections.abc import Sequence

from logstream.core.entry import Entry
from logstream.plugins import BuildContext, Options, Processor, ProcessorSpec, hookimpl
from logstream.plugins.contracts import per_entry


def _check(entry: Entry) -> Entry:
    if entry.message.startswith("poison"):
        raise ValueError("poisoned")
    return entry


def _build(_: Options, __: BuildContext) -> Processor:
    return per_entry(_check)


@hookimpl
def logstream_processors() -> Sequence[ProcessorSpec]:
    return [
        ProcessorSpec(
            name="poison", summary="Fails on poison.", options=Options, build=_build
        )
    ]
