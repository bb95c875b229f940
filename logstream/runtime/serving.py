"""`logstream serve`: one process with everything in it, until a signal ends it."""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from logstream import __version__
from logstream.api.app import App, build_app
from logstream.api.server import serve as serve_http
from logstream.config.settings import Settings
from logstream.core.errors import StoreFailed
from logstream.pipeline.engine import Engine
from logstream.plugins.contracts import Collector
from logstream.plugins.manager import Plugins
from logstream.runtime.building import build_context, open_engine
from logstream.runtime.collecting import LocalSink, build_collectors, run_collectors
from logstream.runtime.open_files import allow_open_files
from logstream.storage.folder import DataFolder
from logstream.telemetry.metrics import BUILD
from logstream.telemetry.own_log import set_up_own_log

_log = logging.getLogger(__name__)


def serve(
    settings: Settings, plugins: Plugins, *, config_path: Path | None = None
) -> None:
    """Run until SIGTERM or SIGINT; then store what was accepted, and say so.

    It ends by itself when DuckDB fails for good, since that takes the whole process
    with it: whoever watches over this process starts it again.

    Raises:
        ConfigError, PluginError, FolderInUse, StorageError: it could not start.
        StoreFailed: it had to end.
    """
    set_up_own_log(
        level=settings.log.level, form=settings.log.format, stream=sys.stderr
    )
    BUILD.labels(__version__).set(1)
    allow_open_files()
    collectors = build_collectors(settings.collectors, plugins=plugins)
    with ExitStack() as stack:
        for name, lifecycle in plugins.lifecycles(build_context()):
            lifecycle.start()
            stack.callback(lifecycle.stop)
            _log.info("Plugin '%s' started.", name)
        engine, folder = stack.enter_context(open_engine(settings, plugins=plugins))
        app = build_app(
            engine,
            settings=settings,
            plugin_routes=plugins.routes(),
            plugins_described=plugins.describe,
            version=__version__,
        )
        _log.info(
            "Starting.",
            extra={
                "version": __version__,
                "config": None if config_path is None else str(config_path),
            },
        )
        asyncio.run(
            _run(app, settings, engine=engine, folder=folder, collectors=collectors)
        )
        _stop(engine)
        if failure := engine.health.failure:
            raise StoreFailed(
                f"DuckDB failed for good ({failure}): start LogStream again. What was "
                "acked and is not stored yet is in the journal, and is stored then."
            )


async def _run(
    app: App,
    settings: Settings,
    *,
    engine: Engine,
    folder: DataFolder | None,
    collectors: Sequence[tuple[str, Collector]],
) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)

    def on_failure() -> None:
        loop.call_soon_threadsafe(stopping.set)

    engine.health.on_failure(on_failure)

    def on_bound(url: str) -> None:
        if folder is not None:
            folder.announce(url)
        _log.info("Serving on %s.", url)

    server = asyncio.create_task(
        serve_http(
            app,
            host=settings.server.host,
            port=settings.server.port,
            on_bound=on_bound,
        )
    )
    collecting = asyncio.create_task(run_collectors(collectors, LocalSink(engine)))
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait({server, stop}, return_when=asyncio.FIRST_COMPLETED)
    _log.info("Stopping: no more is taken in.")
    for task in (collecting, stop, server):
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await collecting
    with contextlib.suppress(asyncio.CancelledError):
        await server


def _stop(engine: Engine) -> None:
    waiting = engine.queue().entries
    left = engine.close()
    if left:
        _log.warning(
            "Stopped with %d entries in the journal: the next start stores them.", left
        )
    else:
        _log.info("Stopped: %d entries that waited are stored, none are left.", waiting)
