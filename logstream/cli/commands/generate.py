"""`logstream generate`: lifelike logs, to try things with."""

from typing import Annotated, Any

import typer

from logstream.cli.output import OutputFormat
from logstream.cli.parameters import Config, Data, Server


def generate(
    *,
    rate: Annotated[
        float, typer.Option(min=0.001, help="Entries a second, the mean over a day.")
    ] = 20.0,
    count: Annotated[
        int, typer.Option("--count", "-n", min=0, help="Stop after so many; 0 = never.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal traffic.")] = 1,
    past: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="First write so much history: 1h, 7d."),
    ] = None,
    once: Annotated[
        bool,
        typer.Option("--once", help="Do not wait: write history or --count, and stop."),
    ] = False,
    stdout: Annotated[
        bool, typer.Option("--stdout", help="Print them, and store nothing.")
    ] = False,
    output: Annotated[
        OutputFormat,
        typer.Option("--output", "-o", help="With --stdout: ndjson, csv or table."),
    ] = OutputFormat.ndjson,
    server: Server = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Write a lifelike stream of four services.

    Web, auth, database and worker: with traces across them, sessions, busy days and
    quiet nights, and incidents. Goes to a server, or into the data folder when none
    runs.
    """
    from logstream.cli.collecting import run
    from logstream.cli.commands.collect import seconds_of
    from logstream.cli.configuration import load, plugins_of
    from logstream.cli.connect import find_server
    from logstream.config.settings import CollectorConfig
    from logstream.core.errors import BadRequest

    if once and not count and not past:
        raise BadRequest("--once: how much? Say --count or --past.")
    options: dict[str, Any] = {
        "rate_per_s": rate,
        "count": count,
        "seed": seed,
        "past_s": seconds_of(past) or 0.0,
        "resume": False,
    }
    if stdout:
        _print(options, once=once, how=output)
        return
    settings = load(config, data=data).settings
    run(
        [CollectorConfig(type="generate", name="generate", options=options)],
        settings=settings,
        plugins=plugins_of(settings),
        url=find_server(server, settings, data=data),
        once=once,
    )


def _print(options: dict[str, Any], *, once: bool, how: OutputFormat) -> None:
    import asyncio

    from logstream.cli.printing import PrintingContext, PrintingSink
    from logstream.collectors.generate import SPEC

    checked: Any = SPEC.options(**options)
    collector = SPEC.build(checked, PrintingContext(once=once))
    asyncio.run(collector.run(PrintingSink(how)))
