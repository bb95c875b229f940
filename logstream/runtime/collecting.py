"""Collectors at work: each on its own, started again when it fails."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from logstream.config.settings import CollectorConfig
from logstream.core.entry import Entry
from logstream.core.errors import LogStreamError
from logstream.core.timestamps import now_ns
from logstream.pipeline.decode import decode_lines
from logstream.pipeline.engine import Engine
from logstream.plugins.contracts import Collector, Sink
from logstream.plugins.manager import Plugins
from logstream.runtime.contexts import CollectorContext, Progress
from logstream.telemetry.metrics import COLLECTOR_ERRORS

_log = logging.getLogger(__name__)

_PAUSES_S = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
_encode_lines = msgspec.json.Encoder().encode_lines


class LocalSink:
    """A `Sink` into an engine of this process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def send(
        self, entries: Sequence[Entry], *, positions: Mapping[str, Any]
    ) -> None:
        ours = [
            entry if entry.id == 0 else msgspec.structs.replace(entry, id=0)
            for entry in entries
        ]
        decoded = decode_lines(
            _encode_lines(ours),
            limits=self._engine.settings.intake,
            received_ns=now_ns(),
        )
        tries = 0
        while True:
            try:
                await self._engine.intake.append(decoded, positions=positions)
            except LogStreamError as error:
                if not error.retryable:
                    raise
                await asyncio.sleep(_PAUSES_S[min(tries, len(_PAUSES_S) - 1)])
                tries += 1
            else:
                return

    async def positions(self, names: Iterable[str]) -> dict[str, Any]:
        return self._engine.positions(names)


def build_collectors(
    configs: Sequence[CollectorConfig],
    *,
    plugins: Plugins,
    once: bool = False,
    progress: Progress | None = None,
) -> list[tuple[str, Collector]]:
    """Name and collector of each. Raises ConfigError, PluginError."""
    return [
        (
            config.name,
            plugins.build_collector(
                config.type,
                config.options,
                CollectorContext(
                    plugins, name=config.name, once=once, progress=progress
                ),
            ),
        )
        for config in configs
    ]


async def run_collectors(
    collectors: Sequence[tuple[str, Collector]], sink: Sink, *, once: bool = False
) -> None:
    """Run them side by side until cancelled, or until all are done (`once`).

    Raises:
        ExceptionGroup: with `once`, what collectors failed with, after all ended.
            Without, a collector that fails is started again, with back-off.
    """
    if once:
        results = await asyncio.gather(
            *(collector.run(sink) for _, collector in collectors),
            return_exceptions=True,
        )
        failures = [result for result in results if isinstance(result, Exception)]
        if failures:
            raise ExceptionGroup("Collectors failed", failures)
        return
    async with asyncio.TaskGroup() as group:
        for name, collector in collectors:
            group.create_task(_keep_running(name, collector, sink))


async def _keep_running(name: str, collector: Collector, sink: Sink) -> None:
    failures = 0
    while True:
        try:
            await collector.run(sink)
        except Exception:  # noqa: BLE001 - logged, counted, and started again
            COLLECTOR_ERRORS.inc()
            pause_s = _PAUSES_S[min(failures, len(_PAUSES_S) - 1)]
            failures += 1
            _log.exception("Collector '%s' failed; again in %g s.", name, pause_s)
            await asyncio.sleep(pause_s)
        else:
            _log.info("Collector '%s' has no more to read.", name)
            return
