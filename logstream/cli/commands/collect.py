"""`logstream collect`: read logs from where they are."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from logstream.cli.parameters import Config, Data, Server

if TYPE_CHECKING:
    from logstream.config.settings import CollectorConfig, Settings
    from logstream.plugins.manager import Plugins


def collect(
    *,
    sources: Annotated[
        list[str] | None,
        typer.Option(
            "--sources",
            metavar="URL,…",
            help="Files, globs and URLs, with commas or repeated: "
            "file:///var/log/syslog, ./logs/*.log, https://api.example.com/logs. "
            "Without it: the collectors that the config names.",
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Read what is there, then stop.")
    ] = False,
    parser: Annotated[
        str | None,
        typer.Option(help="How to read the lines; see `plugins list`. Default: auto."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="The source of the entries; default: the file's name."),
    ] = None,
    interval: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="How often to poll, such as 30s or 5m."),
    ] = None,
    server: Server = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Read log files and URLs, and follow them.

    Sends to a server, or writes into the data folder when none runs. A restart goes
    on where the last run stopped: nothing is lost, nothing is read twice. While the
    server is away, collecting waits.
    """
    from logstream.cli.collecting import run
    from logstream.cli.configuration import load, plugins_of
    from logstream.cli.connect import find_server

    settings = load(config, data=data).settings
    plugins = plugins_of(settings)
    extra = {"parser": parser, "source": source, "interval_s": seconds_of(interval)}
    specs = _collectors(sources or [], settings, plugins, extra)
    run(
        specs,
        settings=settings,
        plugins=plugins,
        url=find_server(server, settings, data=data),
        once=once,
    )


def _collectors(
    texts: list[str],
    settings: "Settings",
    plugins: "Plugins",
    extra: dict[str, Any],
) -> "list[CollectorConfig]":
    from logstream.cli.sources import collectors_of, split_sources
    from logstream.core.errors import ConfigError

    if names := split_sources(texts):
        return collectors_of(names, plugins, extra)
    if not settings.collectors:
        raise ConfigError(
            "Nothing to collect: name it with --sources, such as "
            "--sources=file:///var/log/syslog, or in the config under `collectors`."
        )
    return list(settings.collectors)


def seconds_of(text: str | None) -> float | None:
    """`5m` as seconds.

    Raises:
        BadRequest: no length of time.
    """
    from logstream.core.errors import BadRequest
    from logstream.core.relative_time import parse_duration
    from logstream.core.timestamps import NS_PER_S, TimestampError

    if text is None:
        return None
    try:
        return parse_duration(text) / NS_PER_S
    except TimestampError as error:
        raise BadRequest(str(error)) from None
