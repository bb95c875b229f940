"""A chart on standard output, as wide as the terminal."""

from collections.abc import Sequence
from itertools import cycle
from math import ceil, isfinite

from logstream.cli.charts.blocks import columns, has_blocks
from logstream.cli.charts.shape import Series, TimeChart
from logstream.cli.escape import for_line
from logstream.cli.rows import number_text
from logstream.cli.tables import STYLES, console

MOST_SERIES = 12

_COLORS = ("cyan", "green", "yellow", "magenta", "blue", "red")
_LABEL_CELLS = 9
_WIDEST_COLUMN = 6


def draw(chart: TimeChart, *, color: bool = True) -> None:
    """Each series on a scale of its own: a small one would not be seen beside a large
    one, and averages do not add up.
    """
    from rich.text import Text

    screen = console(color=color)
    blocks = has_blocks()
    width = max(10, screen.width - _LABEL_CELLS - 2)
    together = ceil(len(chart.times) / width)
    cells = min(_WIDEST_COLUMN, max(1, width // len(chart.times)))
    colors = cycle(_COLORS)
    shown = chart.series[:MOST_SERIES]
    for one in shown:
        style = STYLES.get(one.group) or next(colors)
        values = _merged(one, together)
        finite = [value for value in values if value is not None and isfinite(value)]
        low, high = min([*finite, 0.0]), max([*finite, 0.0])
        title = f"{one.group}  {one.measure}" if one.group else one.measure
        screen.print(Text(for_line(title), style="bold"))
        if not finite:
            screen.print(Text(f"{'':{_LABEL_CELLS}} {_edge(blocks)} no values", "dim"))
            continue
        lines = columns(
            values,
            low=low,
            high=high if high > low else low + 1,
            height=_height(len(shown)),
            cells=cells,
            blocks=blocks,
        )
        labels = ["", *[""] * (len(lines) - 2), ""]
        labels[0] = number_text(high, one.kind)
        labels[-1] = number_text(low, one.kind)
        for label, line in zip(labels, lines, strict=True):
            text = Text(f"{label:>{_LABEL_CELLS}} {_edge(blocks)}")
            screen.print(text.append(line.rstrip(), style), overflow="crop")
    drawn = ceil(len(chart.times) / together) * cells
    screen.print(Text(" " * (_LABEL_CELLS + 2) + _axis(chart.times, drawn), "dim"))
    if together > 1:
        screen.print(Text(f"Each column is {together} buckets.", "dim"))
    if rest := len(chart.series) - len(shown):
        screen.print(Text(f"{rest} more series: --no-chart shows all.", "dim"))


def _edge(blocks: bool) -> str:
    return "│" if blocks else "|"


def _height(series: int) -> int:
    if series == 1:
        return 10
    return 4 if series <= 4 else 2


def _merged(series: Series, together: int) -> list[float | None]:
    """So many buckets in one: counts are summed, the mean of others is taken."""
    found: list[float | None] = []
    for at in range(0, len(series.values), together):
        part = [one for one in series.values[at : at + together] if one is not None]
        total = sum(part)
        is_count = series.kind == "integer"
        found.append((total if is_count else total / len(part)) if part else None)
    return found


def _axis(times: Sequence[str], cells: int) -> str:
    """The first and the last time; the last below its column when there is room."""
    first, last = _short(times[0]), _short(times[-1])
    if len(times) == 1:
        return first
    gap = cells - len(first) - len(last)
    return f"{first}{' ' * gap}{last}" if gap > 0 else f"{first} - {last}"


def _short(time: str) -> str:
    """`2025-05-13 00:01`, with seconds when there are some."""
    text = time.removesuffix("Z").replace("T", " ")
    return text.removesuffix(":00")
