"""`logstream sources`: who writes."""

from logstream.cli.output import OutputFormat
from logstream.cli.parameters import Config, Data, Output, Server


def sources(
    output: Output = OutputFormat.table,
    server: Server = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """List the sources, by name."""
    from logstream.cli.connect import open_backend
    from logstream.cli.output import write_json
    from logstream.cli.tables import show

    with open_backend(server=server, data=data, config=config) as backend:
        names = backend.sources()
    if output is OutputFormat.json:
        write_json(names)
        return
    show(["source"], [[name] for name in names], output)
