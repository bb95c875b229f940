"""Headroom: loads find memory, whatever queries hold.

DuckDB has one bound on memory for all of its statements. Sorts, groups and joins spill
beyond a share of it; a list of all values, or what is held while something else takes
long, does not. A load that finds nothing left may wait for it as long as a query may
take. So it ends queries, the one that has run longest first, until it goes through.

Long texts that a query makes are in no bound of DuckDB's: to sort 400 000 of them took
3.4 GB where 512 MB were allowed. What the process holds is looked at while queries run.
"""

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from logstream.core.errors import QueryMemory
from logstream.storage.control import QueryControl, alarms

_log = logging.getLogger(__name__)

LEAST_AGE_S = 1.0
"""A query that has run for less is not ended: what is usual takes no longer."""
_LEAVING_S = 10.0
"""What a query may take to end, at most: DuckDB stops between two chunks of rows."""
_ENDED = (
    "The query was ended: loads found no memory left (storage.memory_bytes), and of "
    "all that ran it had run longest. Narrow its time range or its filter, collect "
    "fewer values, or raise storage.memory_bytes."
)
_GROWN = (
    "The query was ended: the server held far more memory than storage.memory_bytes, "
    "which does not count the texts that queries make, and of all that ran it had run "
    "longest. Make shorter texts, or of fewer entries."
)
_LOOK_S = 0.2
_SHRINKING_S = 2.0
"""What it may take until the memory of a query that was ended is free."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def held_bytes() -> int:
    """What the process holds but for files that are mapped; 0 where nobody says."""
    try:
        told = Path("/proc/self/statm").read_bytes().split()
    except OSError:
        return 0
    return (int(told[1]) - int(told[2])) * _PAGE_BYTES


class Headroom:
    """Thread-safe.

    Args:
        most_growth_bytes: What the process may hold beyond what it held when the first
            of the queries that run began; None: anything.
    """

    def __init__(
        self,
        *,
        least_age_s: float = LEAST_AGE_S,
        most_growth_bytes: int | None = None,
        held: Callable[[], int] = held_bytes,
    ) -> None:
        self._least_age_s = least_age_s
        self._most_growth_bytes = most_growth_bytes
        self._held = held
        self._held_before = 0
        self._quiet_until = 0.0
        self._changed = threading.Condition()
        self._running: Counter[QueryControl] = Counter()
        self._making = threading.Lock()
        self._made = 0

    @contextmanager
    def running(self, control: QueryControl) -> Iterator[None]:
        """What runs inside is a part of this query, which may be ended."""
        with self._changed:
            if not self._running and self._most_growth_bytes is not None:
                self._held_before = self._held()
                alarms.set(self, time.monotonic() + self._least_age_s)
            self._running[control] += 1
        try:
            yield
        finally:
            with self._changed:
                self._running[control] -= 1
                if not self._running[control]:
                    del self._running[control]
                    self._changed.notify_all()

    def make(self) -> bool:
        """End a query, and wait until it has; False: there is none that may be ended.
        Several that ask at once have one ended for all of them.
        """
        before = self._made
        with self._making:
            if self._made > before:
                return True
            control = self._oldest()
            if control is None:
                return False
            _log.warning("A query that ran longest was ended: a load has no memory.")
            control.end(QueryMemory(_ENDED))
            with self._changed:
                self._changed.wait_for(
                    lambda: control not in self._running, timeout=_LEAVING_S
                )
            self._made += 1
            return True

    def ring(self) -> None:
        """Look at what the process holds."""
        most, now = self._most_growth_bytes, time.monotonic()
        with self._changed:
            if most is None or not self._running:
                return
            alarms.set(self, now + _LOOK_S)
            grown = self._held() - self._held_before
        if grown <= most or now < self._quiet_until:
            return
        if (control := self._oldest()) is not None:
            _log.warning("A query that ran longest was ended: it took %d bytes.", grown)
            self._quiet_until = now + _SHRINKING_S
            control.end(QueryMemory(_GROWN))

    def _oldest(self) -> QueryControl | None:
        latest = time.monotonic() - self._least_age_s
        with self._changed:
            going = [
                one
                for one in self._running
                if one.began <= latest and one.why() is None
            ]
        return min(going, key=lambda one: one.began, default=None)
