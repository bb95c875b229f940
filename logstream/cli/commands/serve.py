"""`logstream serve`: run the server."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from logstream.cli.parameters import Config, Data

if TYPE_CHECKING:
    from logstream.config.settings import Settings

DEMO = "demo"
SERVER_VARIABLE = "LOGSTREAM_SERVER"
_DEMO_RATE_PER_S = 20
_DEMO_PAST_S = 3600


class LogLevel(StrEnum):
    debug = "debug"
    info = "info"
    warn = "warn"
    error = "error"


def serve(
    *,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on (server.host).")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65_535, help="TCP port; 0 takes a free one (server.port)."
        ),
    ] = None,
    config: Config = None,
    data: Data = None,
    log_level: Annotated[
        LogLevel | None,
        typer.Option(help="Least severe line of its own log (log.level)."),
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="With lifelike logs to look at.")
    ] = False,
) -> None:
    """Run the server: take logs in, store them, answer queries."""
    from logstream.cli.configuration import load, plugins_of

    loaded = load(
        config,
        data=data,
        overrides={
            "server.host": host,
            "server.port": port,
            "log.level": log_level.value if log_level else None,
        },
    )
    settings = with_demo(loaded.settings) if demo else loaded.settings
    plugins = plugins_of(settings)
    if demo:
        _greet(settings, loaded.path)
    from logstream.runtime import serve as run

    run(settings, plugins, config_path=loaded.path)


def with_demo(settings: "Settings") -> "Settings":
    """The settings with a collector that makes traffic, and an hour of it at once."""
    import msgspec

    from logstream.config.settings import CollectorConfig

    if any(collector.name == DEMO for collector in settings.collectors):
        return settings
    options = {"rate_per_s": _DEMO_RATE_PER_S, "past_s": _DEMO_PAST_S}
    demo = CollectorConfig(type="generate", name=DEMO, options=options)
    return msgspec.structs.replace(settings, collectors=(*settings.collectors, demo))


def _greet(settings: "Settings", path: Path | None) -> None:
    """What to try next."""
    from rich.text import Text

    from logstream.cli.tables import console

    screen = console()
    for line, style in greeting(settings, path, program=_program()):
        screen.print(Text(line, style=style), soft_wrap=True)


def greeting(
    settings: "Settings", path: Path | None, *, program: str
) -> list[tuple[str, str]]:
    """Lines, and the style of each."""
    from logstream.cli.connect import configured_url
    from logstream.config.settings import Settings

    url = configured_url(settings)
    tries = [
        f"{program} query level:error --from -15m",
        f"{program} query 'source:web status:>=500' --limit 20",
        f"{program} analyze --group-by level --from -1h",
        f"{program} stats",
        f"curl '{url}/api/v1/logs?source=auth&limit=5'",
    ]
    if url != configured_url(Settings()):
        tries.insert(0, f"export {SERVER_VARIABLE}={url}")
    pages = f"Every call, to read and to try:  {url}/docs"
    if settings.server.port == 0:
        tries = tries[1:-1]
        pages = "Its address stands in the log, below."
    return [
        ("", ""),
        ("LogStream, with an hour of lifelike logs and more every second.", "bold"),
        ("", ""),
        ("Try, in another terminal:", ""),
        *((f"  {line}", "cyan") for line in tries),
        ("", ""),
        (pages, ""),
        (f"Data: {settings.storage.path}    Config: {path or 'defaults'}", "dim"),
        ("Ctrl-C stops it.", "dim"),
        ("", ""),
    ]


def _program() -> str:
    """How to call this program from the same folder: by name where that finds it."""
    import shutil
    import sys

    if shutil.which("logstream"):
        return "logstream"
    script = Path(sys.argv[0])
    if script.name != "logstream":
        return f"{Path(sys.executable).name} -m logstream"
    here = Path.cwd()
    return str(script.relative_to(here) if script.is_relative_to(here) else script)
