"""Instants: which timestamps the loader reads as they stand.

DuckDB's cast to TIMESTAMP_NS overlooks an offset, so all have to be in UTC; and they
have to lie where 64 bits of nanoseconds reach. Checked with no Python per entry.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

# The first second is left out: what is rounded up to 1970 may lie before it.
_FIRST = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
_LAST = datetime(2262, 4, 10, tzinfo=UTC)


def all_loadable(times: Sequence[datetime]) -> bool:
    """Whether all are in UTC, or all are without a zone, and in range."""
    zones = {time.tzinfo for time in times}
    if zones == {None}:
        first, last = _FIRST.replace(tzinfo=None), _LAST.replace(tzinfo=None)
    elif zones == {UTC}:
        first, last = _FIRST, _LAST
    else:
        return not times
    return min(times) >= first and max(times) < last
