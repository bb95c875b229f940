"""`logstream sql`: ask in SQL."""

from functools import partial
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
    NoPager,
    Server,
    Timeout,
    To,
    time_range,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from logstream.cli.backend import Backend, Sql


def sql(
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="SQL",
            help="One SELECT over the table logs; - is standard input. Without one: a "
            "prompt on a terminal, else standard input.",
            show_default=False,
        ),
    ] = None,
    *,
    limit: Annotated[
        int | None,
        typer.Option("--limit", "-n", min=1, help="At most so many rows."),
    ] = None,
    from_: From = None,
    to: To = None,
    timeout: Timeout = None,
    output: Answer = AnswerFormat.table,
    server: Server = None,
    data: Data = None,
    config: Config = None,
    no_color: NoColor = False,
    no_pager: NoPager = False,
) -> None:
    """Ask in SQL: what DuckDB's SELECT can do, over the table logs.

    Its columns are timestamp, source, level, message, fields and id. A field is
    fields.status::int, and one inside another fields.http.method. The tables that
    sql.allow in the config names can be joined; nothing is written, and no file read.
    """
    from logstream.cli.backend import Sql
    from logstream.cli.connect import open_backend
    from logstream.cli.prompt.given import question

    begin_ns, end_ns = time_range(from_, to)
    writer_of(output)
    text = typer.get_text_stream("stdin").read() if text == "-" else question(text)
    asked = Sql(
        text=text or "", from_ns=begin_ns, to_ns=end_ns, limit=limit, timeout_s=timeout
    )
    answering = partial(answer, output=output, color=not no_color, pager=not no_pager)
    with open_backend(server=server, data=data, config=config) as backend:
        if text is None:
            _prompt(backend, asked, answering)
        else:
            answering(backend, asked)


_HELP = """\
SELECT source, count(*) FROM logs GROUP BY ALL;   one SELECT, up to its ;
SELECT fields.status::int AS s FROM logs;         a field
Tab completes columns, fields and tables; \\quit or Ctrl-D leaves.
docs/sql.md has the rest."""


def _prompt(
    backend: "Backend",
    asked: "Sql",
    answering: "Callable[[Backend, Sql], None]",
) -> None:
    from msgspec.structs import replace

    from logstream.cli.prompt.knowing import Learning
    from logstream.cli.prompt.session import run
    from logstream.cli.prompt.words import sql_words

    with Learning(backend, sql=True) as learning:

        def ask(text: str) -> None:
            learning.wait()
            answering(backend, replace(asked, text=text))

        run(
            ask,
            name="sql",
            where=backend.where,
            words=lambda text: sql_words(text, learning.known),
            help_text=_HELP,
            ends=";",
        )


def answer(
    backend: "Backend", asked: "Sql", output: AnswerFormat, *, color: bool, pager: bool
) -> None:
    """Ask, and print what comes back."""
    from logstream.cli.paging import paged
    from logstream.cli.pointing import pointing_at
    from logstream.cli.rows import say_more, write_rows

    with pointing_at(asked.text):
        if how := BINARY.get(output):
            if backend.write_sql(asked, how, writer_of(output)):
                say_more()
            return
        table = backend.sql(asked)
    with paged(wanted=pager):
        write_rows(table, OutputFormat(output), color=color)
