"""`logstream query`: find entries."""

from typing import TYPE_CHECKING, Annotated

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
    NoPager,
    Server,
    Sort,
    Source,
    Timeout,
    To,
)

if TYPE_CHECKING:
    from logstream.cli.asking import Asked
    from logstream.cli.backend import Backend


def query(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUERY",
            help="Such as 'level:error timeout'; '*' is everything. Without one: a "
            "prompt on a terminal, else standard input.",
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
    timeout: Timeout = None,
    ids: Ids = False,
    explain: Explain = False,
    chart: Charted = None,
    server: Server = None,
    data: Data = None,
    config: Config = None,
    no_color: NoColor = False,
    no_pager: NoPager = False,
) -> None:
    """Find entries, the newest first.

    The query language: bare words and "phrases" look in the message; field:value,
    field:>=5, field:[1 TO 9], field:* and wildcards look in fields; AND, OR, NOT, -
    and parentheses combine. Pipes work on what was found, such as
    'level:error | stats count() by source'. A single word that begins with "-" goes
    after "--".
    """
    from logstream.cli.asking import ask, asked_of
    from logstream.cli.connect import open_backend
    from logstream.cli.prompt.given import question

    asked = asked_of(
        from_=from_,
        to=to,
        sort=sort,
        source=source,
        level=level,
        limit=limit,
        timeout_s=timeout,
        ids=ids,
        explain=explain,
        chart=chart,
        output=output,
        no_color=no_color,
        no_pager=no_pager,
    )
    text = question(" ".join(words) if words else None)
    with open_backend(server=server, data=data, config=config) as backend:
        if text is None:
            _prompt(backend, asked)
        else:
            ask(backend, text, asked)


_HELP = """\
level:error timeout          the newest entries that match
source:web status:>=500      fields; -word excludes; AND, OR, NOT, ( )
... | stats count() by path  rows that pipes make: top, timechart, sort, ...
Tab completes fields, values, pipes and functions; \\quit or Ctrl-D leaves.
docs/query.md has all of the language."""


def _prompt(backend: "Backend", asked: "Asked") -> None:
    from logstream.cli.asking import ask
    from logstream.cli.prompt.knowing import Learning
    from logstream.cli.prompt.session import run
    from logstream.cli.prompt.words import query_words

    with Learning(backend) as learning:

        def answer(text: str) -> None:
            learning.wait()
            ask(backend, text, asked)

        run(
            answer,
            name="query",
            where=backend.where,
            words=lambda text: query_words(text, learning.known),
            help_text=_HELP,
        )
