"""A processor that takes its time over each batch."""

import time
from collections.abc import Sequence

from logstream.core.entry import Entry
from logstream.plugins import BuildContext, Options, ProcessorSpec, hookimpl


class SlowOptions(Options, frozen=True, kw_only=True):
    seconds: float = 0.0
    """For each batch."""


class _Slow:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def process(self, batch: Sequence[Entry]) -> Sequence[Entry]:
        time.sleep(self._seconds)
        return batch


def _build(options: SlowOptions, _: BuildContext) -> _Slow:
    return _Slow(options.seconds)


@hookimpl
def logstream_processors() -> Sequence[ProcessorSpec]:
    return [
        ProcessorSpec(
            name="slow", summary="Takes its time.", options=SlowOptions, build=_build
        )
    ]
