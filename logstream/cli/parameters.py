"""Options that several commands share: one name, one meaning, one help."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from logstream.cli.output import AnswerFormat, OutputFormat

_WHERE = "Where it runs"

Server: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        help="Talk to this server, such as http://127.0.0.1:8000. "
        "Else: LOGSTREAM_SERVER (without --data), the server that has the data "
        "folder, or the folder.",
        rich_help_panel=_WHERE,
    ),
]
Data: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="FOLDER",
        help="The data folder (storage.path).",
        rich_help_panel=_WHERE,
    ),
]
Config: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The config file. Else: LOGSTREAM_CONFIG, or logstream.yaml here.",
        rich_help_panel=_WHERE,
    ),
]
Output: TypeAlias = Annotated[
    OutputFormat,
    typer.Option("--output", "-o", help="How to print.", case_sensitive=False),
]
Answer: TypeAlias = Annotated[
    AnswerFormat,
    typer.Option(
        "--output",
        "-o",
        help="How to print; arrow and parquet are for a file or a pipe.",
        case_sensitive=False,
    ),
]
From: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="TIME",
        help="Not before: -15m, -2h30m, today, 2025-05-01T00:00:00Z, …",
    ),
]
To: TypeAlias = Annotated[
    str | None, typer.Option("--to", metavar="TIME", help="Before this time.")
]
NoColor: TypeAlias = Annotated[
    bool, typer.Option("--no-color", help="No colours. NO_COLOR does the same.")
]
NoPager: TypeAlias = Annotated[
    bool, typer.Option("--no-pager", help="Print it all, however long it is.")
]
Charted: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--chart/--no-chart",
        help="Draw what comes in buckets, as on a terminal; or print the numbers.",
        show_default=False,
    ),
]
Limit: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--limit",
        "-n",
        min=0,
        help="At most so many; 0 = all. Without it 100 entries, or all rows that pipes "
        "give.",
        show_default=False,
    ),
]
Sort: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="FIELD[:asc|desc]",
        help="Sort by timestamp, source, level, message or a field; "
        "without a direction the largest come first.",
    ),
]
Source: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--source", "-s", help="Only of this source; may be repeated."),
]
Level: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--level", "-l", help="Only of this level; may be repeated."),
]
Timeout: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        min=0.001,
        help="How long it may take (query.timeout_s; up to query.max_timeout_s of a "
        "server).",
        show_default=False,
    ),
]
Ids: TypeAlias = Annotated[bool, typer.Option("--ids", help="With the id of each.")]
Explain: TypeAlias = Annotated[
    bool,
    typer.Option("--explain", help="Print what would be done instead of doing it."),
]


def time_range(from_: str | None, to: str | None) -> tuple[int | None, int | None]:
    """Both ends in nanoseconds, counted from one now.

    Raises:
        BadRequest: no time, or the ends are the wrong way round.
    """
    from logstream.core.errors import BadRequest
    from logstream.core.relative_time import parse_time
    from logstream.core.timestamps import TimestampError, now_ns

    now = now_ns()
    ends: list[int | None] = []
    for flag, text in (("--from", from_), ("--to", to)):
        try:
            ends.append(None if text is None else parse_time(text, now_ns=now))
        except TimestampError as error:
            raise BadRequest(f"{flag}: {error}") from None
    begin_ns, end_ns = ends
    if begin_ns is not None and end_ns is not None and begin_ns > end_ns:
        raise BadRequest(f"--from {from_} lies after --to {to}: swap them.")
    return begin_ns, end_ns
