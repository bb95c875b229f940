"""`logstream fields`: which fields there are, and which values one has."""

from typing import Annotated

import typer

from logstream.cli.output import AnswerFormat, OutputFormat
from logstream.cli.parameters import (
    Config,
    Data,
    From,
    NoColor,
    NoPager,
    Output,
    Server,
    To,
    time_range,
)

_DEFAULT = 100


def fields(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A field, dotted when it is inside another: list its values.",
            show_default=False,
        ),
    ] = None,
    *,
    prefix: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            help="Only what begins with this: names of fields, or with NAME values.",
            show_default=False,
        ),
    ] = "",
    filter_: Annotated[
        str, typer.Option("--filter", "-f", metavar="QUERY", help="Only of these.")
    ] = "",
    from_: From = None,
    to: To = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="At most so many.")
    ] = _DEFAULT,
    output: Output = OutputFormat.table,
    server: Server = None,
    data: Data = None,
    config: Config = None,
    no_color: NoColor = False,
    no_pager: NoPager = False,
) -> None:
    """List the fields of the newest 20,000 entries: their types, in how many entries
    each is, and about how many values it has. With NAME: its values, of all entries.
    """
    from logstream.api.analyses import expect_filter, names_text, values_text
    from logstream.api.selection import sort_field
    from logstream.cli.asking import Asked, ask_rows
    from logstream.cli.connect import open_backend
    from logstream.cli.pointing import pointing_at

    begin_ns, end_ns = time_range(from_, to)
    with pointing_at(filter_):
        expect_filter(filter_)
    if name is None:
        text = names_text(filter_, prefix=prefix)
    else:
        text = values_text(filter_, sort_field(name), prefix=prefix, limit=limit)
    asked = Asked(
        from_ns=begin_ns,
        to_ns=end_ns,
        limit=limit,
        output=AnswerFormat(output),
        color=not no_color,
        pager=not no_pager,
    )
    with open_backend(server=server, data=data, config=config) as backend:
        ask_rows(backend, text, asked)
