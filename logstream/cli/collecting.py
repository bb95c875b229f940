"""Run collectors from the command line, into a server or into the data folder."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import typer

from logstream.cli.escape import for_cell
from logstream.cli.progress import CountingSink, Progress
from logstream.config.settings import CollectorConfig, Settings
from logstream.plugins.contracts import Sink

if TYPE_CHECKING:
    from logstream.plugins.manager import Plugins


def run(
    specs: Sequence[CollectorConfig],
    *,
    settings: Settings,
    plugins: "Plugins",
    url: str | None,
    once: bool,
) -> None:
    """Collect until there is no more (`once`) or until interrupted; then sum up.

    Args:
        url: Of the server to send to; None opens the data folder.

    Raises:
        KeyboardInterrupt: SIGINT or SIGTERM came, and everything is closed.
        LogStreamError: as told; what was acked until then stays.
    """
    from logstream.telemetry.own_log import set_up_own_log

    set_up_own_log(level="warn", form=settings.log.format, stream=sys.stderr)
    with Progress(bars=once) as progress:
        asyncio.run(_run(specs, settings, plugins, url, (once, progress)))


async def _run(
    specs: Sequence[CollectorConfig],
    settings: Settings,
    plugins: "Plugins",
    url: str | None,
    how: tuple[bool, Progress],
) -> None:
    from logstream.runtime.collecting import build_collectors, run_collectors

    once, progress = how
    collectors = build_collectors(specs, plugins=plugins, once=once, progress=progress)
    terminated = _cancel_on_sigterm()
    async with open_sink(url, settings, plugins, progress) as sink:
        counting = CountingSink(sink)
        try:
            await run_collectors(collectors, counting, once=once)
        except asyncio.CancelledError:
            if terminated:
                raise KeyboardInterrupt from None
            raise
        except ExceptionGroup as group:
            raise _first_of(group) from None
        finally:
            progress.close()
            counting.summary()


def _cancel_on_sigterm() -> list[signal.Signals]:
    """SIGTERM cancels the current task; the list is empty until then."""
    task = asyncio.current_task()
    assert task is not None
    came: list[signal.Signals] = []

    def stop() -> None:
        came.append(signal.SIGTERM)
        task.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    return came


def _first_of(group: ExceptionGroup) -> Exception:
    """One failure to end with; the others are told here."""
    first, *others = group.exceptions
    for other in others:
        typer.echo(f"logstream: {for_cell(str(other))}", err=True)
    return first


@asynccontextmanager
async def open_sink(
    url: str | None, settings: Settings, plugins: "Plugins", progress: Progress
) -> AsyncIterator[Sink]:
    """The server's sink, or the data folder's."""
    if url is not None:
        from logstream.collectors.remote import RemoteSink

        async with RemoteSink(url, report=progress.say) as remote:
            yield remote
        return
    from logstream.runtime.building import open_engine
    from logstream.runtime.collecting import LocalSink

    with open_engine(settings, plugins=plugins) as (engine, _):
        yield LocalSink(engine)
