"""The rows of an answer as a chart, or as a table when there is nothing to draw."""

from logstream.cli.charts.drawing import draw
from logstream.cli.charts.shape import (
    Bars,
    TimeChart,
    anomalies_of,
    bars_of,
    chart_of,
)
from logstream.cli.output import OutputFormat, write
from logstream.cli.rows import say_more, write_rows
from logstream.core.errors import BadRequest
from logstream.core.results import Table


def write_drawn(table: Table, *, bucketed: bool, wanted: bool, color: bool) -> None:
    """Rows that come in no buckets have a bar each.

    Args:
        wanted: Somebody asked for a chart.

    Raises:
        BadRequest: a chart was asked for, and these rows make none.
    """
    chart = chart_of(table) if bucketed else bars_of(table)
    match chart:
        case TimeChart():
            draw(chart, color=color)
            _write_anomalies(anomalies_of(table), color=color)
            if table.truncated:
                say_more(len(table.rows))
        case Bars():
            write_rows(table, OutputFormat.table, color=color, bars=chart.column)
        case None if wanted and table.rows:
            raise BadRequest(
                "--chart: no column of these rows is a number: count something, such "
                "as with `| timechart count()`."
            )
        case _:
            write_rows(table, OutputFormat.table, color=color)


def _write_anomalies(table: Table | None, *, color: bool) -> None:
    if table is None:
        return
    if table.rows:
        write_rows(table, OutputFormat.table, color=color)
    else:
        write("Nothing stands out.\n")
