"""Lifelike log traffic as a pure function of a seed, a start and a rate.

Time is cut into windows. Each is drawn from its own random numbers, seeded by the
seed and the window's number, so a stream can be taken up in its middle at the price
of `MAX_FLOW_NS` of it. Lines of a flow may fall into later windows; the stream holds
them back and comes out in the order of time.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from math import pi, sin
from operator import itemgetter

import msgspec

from logstream.collectors.traffic_incidents import incident_at
from logstream.collectors.traffic_services import (
    LINES_PER_FLOW,
    MAX_FLOW_NS,
    Record,
    add_flow,
)
from logstream.core.entry import Entry

NS_PER_S = 1_000_000_000
_DAY_NS = 86_400 * NS_PER_S
_WINDOW_LINES = 2_000
_MAX_WINDOW_NS = 60 * NS_PER_S
_SWING = 0.4
"""Traffic at 15:00 UTC is so much above the mean, and at 03:00 so much below."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a stream stands; enough to go on with exactly the next entry."""

    seed: int
    rate_per_s: float
    start_ns: int
    """When the stream as a whole began."""
    window: int
    """Number of the window that the next entry stands in."""
    offset: int
    """Entries of that window that are behind us."""

    @property
    def window_start_ns(self) -> int:
        return self.window * _window_ns(self.rate_per_s)


class Placed(msgspec.Struct, frozen=True, gc=False):
    at_ns: int
    entry: Entry


def begin(seed: int, start_ns: int, rate_per_s: float) -> Place:
    return Place(
        seed=seed,
        rate_per_s=rate_per_s,
        start_ns=start_ns,
        window=start_ns // _window_ns(rate_per_s),
        offset=0,
    )


def generate(seed: int, start_ns: int, rate: float) -> Iterator[Entry]:
    """Entries for ever, in the order of time, from `start_ns` on.

    Args:
        seed: Equal seeds, starts and rates give equal entries.
        start_ns: Nanoseconds since the epoch.
        rate: Entries a second, the mean over a day.
    """
    for _, entries in windows(begin(seed, start_ns, rate)):
        for placed in entries:
            yield placed.entry


def windows(place: Place) -> Iterator[tuple[Place, list[Placed]]]:
    """From `place` on, window by window: where each begins, and what is left in it."""
    window_ns = _window_ns(place.rate_per_s)
    first = place.start_ns // window_ns
    back = MAX_FLOW_NS // window_ns + 1
    pending: list[Record] = []
    number = max(first, place.window - back)
    skip = place.offset
    while True:
        _draw(place, number, pending)
        pending.sort(key=itemgetter(0))
        end_ns = (number + 1) * window_ns
        due = _count_before(pending, end_ns)
        if number >= place.window:
            at = msgspec.structs.replace(place, window=number, offset=skip)
            yield at, _entries(pending[skip:due])
            skip = 0
        del pending[:due]
        number += 1


def _window_ns(rate_per_s: float) -> int:
    return max(1, min(_MAX_WINDOW_NS, int(_WINDOW_LINES / rate_per_s * NS_PER_S)))


def _draw(place: Place, number: int, into: list[Record]) -> None:
    """Add the lines of the flows that begin in a window."""
    window_ns = _window_ns(place.rate_per_s)
    begin_ns = max(number * window_ns, place.start_ns)
    end_ns = (number + 1) * window_ns
    rng = random.Random(f"window {place.seed} {number}")  # noqa: S311 - not a secret
    incident = incident_at(place.seed, begin_ns)
    flows_per_ns = place.rate_per_s * _diurnal(begin_ns) / LINES_PER_FLOW / NS_PER_S
    if incident is not None:
        flows_per_ns *= 1 + 0.5 * incident.severity
    gap = rng.expovariate
    at = begin_ns + gap(flows_per_ns)
    while at < end_ns:
        if incident is not None and at >= incident.end_ns:
            incident = None
        add_flow(rng, int(at), incident, into.append)
        at += gap(flows_per_ns)


def _diurnal(at_ns: int) -> float:
    return 1 + _SWING * sin(2 * pi * ((at_ns % _DAY_NS) / _DAY_NS - 9 / 24))


def _count_before(records: list[Record], end_ns: int) -> int:
    count = len(records)
    while count and records[count - 1][0] >= end_ns:
        count -= 1
    return count


def _entries(records: list[Record]) -> list[Placed]:
    """Format the times; the text of a second is made once for all of its lines."""
    placed = []
    second, text = -1, ""
    for at_ns, source, level, message, fields in records:
        now, fraction_ns = divmod(at_ns, NS_PER_S)
        if now != second:
            second = now
            text = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        micro = fraction_ns // 1000
        stamp = f"{text}.{micro:06d}".rstrip("0") + "Z" if micro else f"{text}Z"
        entry = Entry(
            timestamp=stamp,
            source=source,
            level=level,
            message=message,
            fields=fields,
        )
        placed.append(Placed(at_ns, entry))
    return placed
