"""`logstream plugins`: what there is, whether one works, and how to begin one."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from logstream.cli.output import OutputFormat
from logstream.cli.parameters import Config, Output

if TYPE_CHECKING:
    from logstream.plugins.manager import PluginDescription

app = typer.Typer(
    name="plugins", help="List, check and begin plugins.", no_args_is_help=True
)


@app.command("list")
def list_(
    options: Annotated[
        bool, typer.Option("--options", help="With the keys that each takes.")
    ] = False,
    output: Output = OutputFormat.table,
    config: Config = None,
) -> None:
    """List the plugins and the collectors, parsers and processors they offer."""
    from logstream.cli.configuration import load, plugins_of
    from logstream.cli.output import write_json, write_ndjson, write_records
    from logstream.cli.tables import write_table

    described = plugins_of(load(config).settings).describe()
    if output is OutputFormat.json:
        write_json(described)
        return
    if output is OutputFormat.ndjson:
        write_ndjson(described)
        return
    columns = ["plugin", "from", "kind", "offers", "summary"]
    rows = [row for plugin in described for row in _rows(plugin)]
    if output is OutputFormat.csv:
        write_records(columns, rows, output)
        return
    write_table(columns, rows)
    if options:
        keys = [row for plugin in described for row in _option_rows(plugin)]
        typer.echo()
        write_table(["of", "key", "takes", "default", "what it does"], keys)


def _rows(plugin: "PluginDescription") -> list[list[str]]:
    """One for each thing that it offers; one at least."""
    name = plugin.name if plugin.enabled else f"{plugin.name} (off)"
    if not plugin.offers:
        return [[name, plugin.origin, ", ".join(plugin.hooks), "", ""]]
    return [
        [name, plugin.origin, offer.kind, offer.name, offer.summary]
        for offer in plugin.offers
    ]


def _option_rows(plugin: "PluginDescription") -> list[list[str]]:
    return [
        [
            f"{offer.kind} {offer.name}",
            key.key,
            key.type,
            "required" if key.required else json.dumps(key.default),
            " ".join(key.doc.split()),
        ]
        for offer in plugin.offers
        for key in offer.options
    ]


@app.command()
def check(
    plugin: Annotated[
        str, typer.Argument(help="A file, a package's folder, or a plugin's name.")
    ],
    config: Config = None,
) -> None:
    """Load one plugin, run what it offers on sample entries, and say what is wrong."""
    from logstream.cli.configuration import load
    from logstream.plugins.check import check_plugin
    from logstream.runtime.building import build_context
    from logstream.runtime.builtins import BUILTINS

    settings = load(config).settings
    findings = check_plugin(
        plugin,
        context=build_context(),
        builtins=BUILTINS,
        config=settings.plugins,
        options={one.type: one.options for one in settings.processors},
    )
    for finding in findings:
        typer.echo(f"{finding.severity:5}  {finding.subject}: {finding.text}")
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(2)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and '_'.")],
    folder: Annotated[
        Path, typer.Option("--folder", help="Where to write it; made if missing.")
    ] = Path("plugins"),
) -> None:
    """Write a plugin that works, with a test, to begin from."""
    from logstream.plugins.scaffold import scaffold

    for path in scaffold(name, folder):
        typer.echo(f"wrote {path}")
    typer.echo(
        f"Next: `logstream plugins check {folder / name}`, then switch it on in the "
        f"config: plugins.folder: {folder}, and a processor of type {name}."
    )
