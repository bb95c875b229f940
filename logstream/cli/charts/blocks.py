"""Bars and columns out of characters: unicode's blocks, or what ASCII has."""

import sys
from collections.abc import Sequence
from math import isfinite

EIGHTHS = 8
_LYING = " ▏▎▍▌▋▊▉█"
_STANDING = " ▁▂▃▄▅▆▇█"
_LYING_ASCII = "   ---==="
_STANDING_ASCII = " ..::||##"


def has_blocks() -> bool:
    """Whether standard output can show unicode's blocks."""
    try:
        _STANDING.encode(sys.stdout.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def bar(share: float, cells: int, *, blocks: bool = True) -> str:
    """A share of 1, lying, to an eighth of a cell; any above 0 is seen."""
    forms = _LYING if blocks else _LYING_ASCII
    eighths = round(max(0.0, min(share, 1.0)) * cells * EIGHTHS)
    if share > 0:
        eighths = max(eighths, 1 if blocks else EIGHTHS)
    whole, rest = divmod(eighths, EIGHTHS)
    return (forms[EIGHTHS] * whole + forms[rest]).rstrip()


def columns(
    values: Sequence[float | None],
    *,
    low: float,
    high: float,
    height: int,
    cells: int = 1,
    blocks: bool = True,
) -> list[str]:
    """A standing column for each value, as `height` lines, the top one first.

    Args:
        low, high: What an empty and a full column mean; `low` < `high`.
        cells: How wide each is.
    """
    forms = _STANDING if blocks else _STANDING_ASCII
    eighths = [_eighths(value, low, high, height) for value in values]
    lines = []
    for row in reversed(range(height)):
        below = row * EIGHTHS
        lines.append(
            "".join(forms[max(0, min(EIGHTHS, n - below))] * cells for n in eighths)
        )
    return lines


def _eighths(value: float | None, low: float, high: float, height: int) -> int:
    if value is None or not isfinite(value):
        return 0
    found = round((value - low) / (high - low) * height * EIGHTHS)
    return max(found, 1) if value > low else found
