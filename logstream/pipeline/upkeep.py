"""Upkeep: what has to happen now and then, on one thread of its own.

Checkpoints (fields of rows that were not checkpointed are slow to read), gauges, rates,
and an eye on the disk.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

_log = logging.getLogger(__name__)

_EVERY_S = 1.0
_RATE_WINDOW_S = 10


class Rates:
    """Entries per second over the last ten seconds, of two running totals."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int, int]] = deque(maxlen=_RATE_WINDOW_S)

    def sample(self, received: int, stored: int) -> None:
        self._samples.append((time.monotonic(), received, stored))

    def per_s(self) -> tuple[float, float]:
        samples = list(self._samples)
        if len(samples) < 2:
            return 0.0, 0.0
        first, last = samples[0], samples[-1]
        span = last[0] - first[0]
        if span <= 0:
            return 0.0, 0.0
        return (last[1] - first[1]) / span, (last[2] - first[2]) / span


class Upkeep:
    """Runs a function every second. Use `close`."""

    def __init__(self, work: Callable[[], None], *, name: str = "upkeep") -> None:
        self._work = work
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_S):
            try:
                self._work()
            except Exception:  # noqa: BLE001 - logged, and tried again
                _log.exception("Upkeep failed; it is tried again in a second.")
