"""`logstream query`: find entries."""

from typing import Annotated

import typer

from logstream.cli.asking import NEWEST
from logstream.cli.output import AnswerFormat
from logstream.cli.parameters import (
    Answer,
    Charted,
    Config,
    Data,
    Explain,
    From,
    Ids,
    Level,
    Limit,
    NoColor,
    Server,
    Sort,
    Source,
    To,
)


def query(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUERY",
            help="Such as 'level:error timeout'. Without one: everything.",
            show_default=False,
        ),
    ] = None,
    *,
    limit: Limit = None,
    from_: From = None,
    to: To = None,
    sort: Sort = NEWEST,
    source: Source = None,
    level: Level = None,
    output: Answer = AnswerFormat.table,
    ids: Ids = False,
    explain: Explain = False,
    chart: Charted = None,
    server: Server = None,
    data: Data = None,
    config: Config = None,
    no_color: NoColor = False,
) -> None:
    """Find entries, the newest first.

    The query language: bare words and "phrases" look in the message; field:value,
    field:>=5, field:[1 TO 9], field:* and wildcards look in fields; AND, OR, NOT, -
    and parentheses combine. Pipes work on what was found, such as
    'level:error | stats count() by source'. A query that begins with "-" goes after
    "--".
    """
    from logstream.cli.asking import ask, asked_of
    from logstream.cli.connect import open_backend

    asked = asked_of(
        from_=from_,
        to=to,
        sort=sort,
        source=source,
        level=level,
        limit=limit,
        ids=ids,
        explain=explain,
        chart=chart,
        output=output,
        no_color=no_color,
    )
    with open_backend(server=server, data=data, config=config) as backend:
        ask(backend, " ".join(words or ()), asked)
