"""`logstream analyze`: count entries by a field, and the other analyses."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from logstream.cli.output import AnswerFormat, OutputFormat, is_terminal
from logstream.cli.parameters import (
    Charted,
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

if TYPE_CHECKING:
    from logstream.cli.backend import Backend

_DEFAULT_TOP = 20


class AnalysisType(StrEnum):
    frequency = "frequency"
    histogram = "histogram"
    timechart = "timechart"
    top = "top"
    stats = "stats"
    patterns = "patterns"
    anomalies = "anomalies"
    facets = "facets"


def analyze(
    *,
    type_: Annotated[
        AnalysisType,
        typer.Option("--type", "-t", help="Which analysis.", case_sensitive=False),
    ] = AnalysisType.frequency,
    group_by: Annotated[
        list[str] | None,
        typer.Option(
            "--group-by",
            "-g",
            metavar="FIELD",
            help="source, level, or any field; top and stats take several. "
            "Of frequency and top: source.",
            show_default=False,
        ),
    ] = None,
    compute: Annotated[
        list[str] | None,
        typer.Option(
            "--compute",
            "-c",
            metavar="AGGREGATE",
            help="What stats, timechart and anomalies compute, such as 'p95(took)'; "
            "may be repeated. Else count().",
            show_default=False,
        ),
    ] = None,
    span: Annotated[
        str,
        typer.Option(
            metavar="SPAN",
            help="Of each bucket of time, such as 5m or 1h. Else up to 100 buckets.",
            show_default=False,
        ),
    ] = "",
    from_: From = None,
    to: To = None,
    filter_: Annotated[
        str, typer.Option("--filter", "-f", metavar="QUERY", help="Only of these.")
    ] = "",
    top: Annotated[
        int | None,
        typer.Option(
            "--top",
            min=0,
            help="The most frequent: 20 of frequency; 0 = all.",
            show_default=False,
        ),
    ] = None,
    output: Output = OutputFormat.table,
    chart: Charted = None,
    server: Server = None,
    data: Data = None,
    config: Config = None,
    no_color: NoColor = False,
    no_pager: NoPager = False,
) -> None:
    """Count entries by the values of a field, the most frequent first; or another
    analysis, such as a timechart, drawn on a terminal.
    """
    from logstream.cli.connect import open_backend
    from logstream.cli.paging import paged
    from logstream.cli.pointing import pointing_at

    begin_ns, end_ns = time_range(from_, to)
    names = group_by or (["source"] if type_ in ("frequency", "top") else [])
    if type_ is not AnalysisType.frequency:
        from logstream.cli.asking import Asked, ask_rows

        text = _query(
            type_,
            filter_,
            group_by=names,
            aggregates=compute or [],
            span=span,
            top=top,
        )
        with open_backend(server=server, data=data, config=config) as backend:
            if not span:
                begin_ns, end_ns = _stored_range(backend, type_, begin_ns, end_ns)
            asked = Asked(
                from_ns=begin_ns,
                to_ns=end_ns,
                output=AnswerFormat(output),
                color=not no_color,
                pager=not no_pager,
                chart=chart,
            )
            ask_rows(backend, text, asked)
        return
    _expect_one(names)
    with (
        open_backend(server=server, data=data, config=config) as backend,
        pointing_at(filter_),
    ):
        counts = backend.frequency(
            group_by=names[0], text=filter_, from_ns=begin_ns, to_ns=end_ns
        )
        if not counts and output is OutputFormat.table and is_terminal():
            _say_nothing(backend, filter_, names[0], begin_ns, end_ns)
            return
    with paged(wanted=not no_pager):
        _write_counts(counts, names[0], _DEFAULT_TOP if top is None else top, output)


def _query(
    kind: AnalysisType,
    text: str,
    *,
    group_by: list[str],
    aggregates: list[str],
    span: str,
    top: int | None,
) -> str:
    from logstream.api.analyses import text_of
    from logstream.api.selection import sort_field

    return text_of(
        kind.value,  # type: ignore[arg-type]
        text=text,
        group_by=[sort_field(name) for name in group_by],
        aggregates=aggregates,
        span=span,
        limit=top,
    )


def _stored_range(
    backend: "Backend", kind: AnalysisType, begin_ns: int | None, end_ns: int | None
) -> tuple[int | None, int | None]:
    """With open ends where entries end: the length of buckets follows from it."""
    from logstream.api.analyses import TIMED

    if kind.value not in TIMED or not (begin_ns is None or end_ns is None):
        return begin_ns, end_ns
    totals = backend.totals()
    if totals.OldestEntry is None or totals.NewestEntry is None:
        return begin_ns, end_ns
    oldest, newest = time_range(totals.OldestEntry, totals.NewestEntry)
    assert newest is not None
    return (oldest if begin_ns is None else begin_ns), (
        newest + 1 if end_ns is None else end_ns
    )


def _expect_one(names: list[str]) -> None:
    from logstream.core.errors import BadRequest

    if len(names) != 1:
        raise BadRequest(
            "--group-by: frequency counts by one field; --type top and stats take "
            "several."
        )


def _say_nothing(
    backend: "Backend", text: str, name: str, begin_ns: int | None, end_ns: int | None
) -> None:
    from logstream.cli.backend import Search
    from logstream.cli.finding_nothing import nothing_found

    asked = _query(
        AnalysisType.top, text, group_by=[name], aggregates=[], span="", top=None
    )
    search = Search(text=asked, from_ns=begin_ns, to_ns=end_ns)
    typer.echo(nothing_found(backend, search), err=True)


def _write_counts(
    counts: dict[str, int], group_by: str, top: int, output: OutputFormat
) -> None:
    from logstream.cli.commands.stats import write_counts
    from logstream.cli.output import write_json, write_records

    shown = dict(list(counts.items())[: top or None])
    match output:
        case OutputFormat.json:
            write_json(shown)
        case OutputFormat.table:
            write_counts(group_by, shown, total=sum(counts.values()))
            if is_terminal() and len(counts) > len(shown):
                rest = len(counts) - len(shown)
                typer.echo(f"{rest:,} more values: --top 0 shows all.", err=True)
        case _:
            write_records([group_by, "count"], list(shown.items()), output)
