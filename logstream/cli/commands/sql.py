"""`logstream sql`: ask in SQL."""

from typing import TYPE_CHECKING, Annotated

import typer

from logstream.cli.asking import BINARY
from logstream.cli.output import AnswerFormat, OutputFormat, writer_of
from logstream.cli.parameters import (
    Answer,
    Config,
    Data,
    From,
    NoColor,
    Server,
    To,
    time_range,
)

if TYPE_CHECKING:
    from logstream.cli.backend import Backend, Sql


def sql(
    text: Annotated[
        str,
        typer.Argument(
            metavar="SQL",
            help="One SELECT over the table logs; - reads it from standard input.",
            show_default=False,
        ),
    ],
    *,
    limit: Annotated[
        int | None,
        typer.Option("--limit", "-n", min=1, help="At most so many rows."),
    ] = None,
    from_: From = None,
    to: To = None,
    output: Answer = AnswerFormat.table,
    server: Server = None,
    data: Data = None,
    config: Config = None,
    no_color: NoColor = False,
) -> None:
    """Ask in SQL: what DuckDB's SELECT can do, over the table logs.

    Its columns are timestamp, source, level, message, fields and id. A field is
    fields.status::int, and one inside another fields.http.method. The tables that
    sql.allow in the config names can be joined; nothing is written, and no file read.
    """
    from logstream.cli.backend import Sql
    from logstream.cli.connect import open_backend

    begin_ns, end_ns = time_range(from_, to)
    if text == "-":
        text = typer.get_text_stream("stdin").read()
    asked = Sql(text=text, from_ns=begin_ns, to_ns=end_ns, limit=limit)
    with open_backend(server=server, data=data, config=config) as backend:
        answer(backend, asked, output, color=not no_color)


def answer(
    backend: "Backend", asked: "Sql", output: AnswerFormat, *, color: bool = True
) -> None:
    """Ask, and print what comes back; a prompt does so too."""
    from logstream.cli.pointing import pointing_at
    from logstream.cli.rows import say_more, write_rows

    with pointing_at(asked.text):
        if how := BINARY.get(output):
            if backend.write_sql(asked, how, writer_of(output)):
                say_more()
            return
        table = backend.sql(asked)
    write_rows(table, OutputFormat(output), color=color)
