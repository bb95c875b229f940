"""Headroom: loads find memory, whatever queries hold.

DuckDB has one bound on memory for all of its statements. Sorts, groups and joins spill
beyond a share of it; a list of all values, or what is held while something else takes
long, does not. A load that finds nothing left may wait for it as long as a query may
take. So it ends queries, the one that has run longest first, until it goes through.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from logstream.core.errors import QueryMemory
from logstream.storage.control import QueryControl

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


class Headroom:
    """Thread-safe."""

    def __init__(self, *, least_age_s: float = LEAST_AGE_S) -> None:
        self._least_age_s = least_age_s
        self._changed = threading.Condition()
        self._running: Counter[QueryControl] = Counter()
        self._making = threading.Lock()
        self._made = 0

    @contextmanager
    def running(self, control: QueryControl) -> Iterator[None]:
        """What runs inside is a part of this query, which may be ended."""
        with self._changed:
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

    def _oldest(self) -> QueryControl | None:
        latest = time.monotonic() - self._least_age_s
        with self._changed:
            going = [
                one
                for one in self._running
                if one.began <= latest and one.why() is None
            ]
        return min(going, key=lambda one: one.began, default=None)
