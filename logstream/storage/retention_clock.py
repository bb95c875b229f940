"""The clock of retention, which a jump does not fool.

A clock that is set years ahead would make every day too old at once, and what is gone
is gone. So time that leaps by more than a day, against what passed here or since the
last run, counts only after a day of running on steadily. A server that was off for
long waits a day, too.
"""

from collections.abc import Callable

from logstream.core.timestamps import format_ns

HOUR_NS = 3_600_000_000_000
LEAP_NS = 24 * HOUR_NS
WAIT_NS = 24 * HOUR_NS
_DRIFT_NS = HOUR_NS


class RetentionClock:
    """For one thread at a time.

    Args:
        seen_ns: What it said last, in an earlier run; None: there was none.
        wall_ns: The system's clock.
        steady_ns: A clock that nobody sets.
    """

    def __init__(
        self,
        seen_ns: int | None,
        *,
        wall_ns: Callable[[], int],
        steady_ns: Callable[[], int],
    ) -> None:
        self._wall_ns = wall_ns
        self._steady_ns = steady_ns
        self.seen_ns = wall_ns() if seen_ns is None else seen_ns
        """What it said last."""
        self._seen_at = steady_ns()
        self._doubted: tuple[int, int] | None = None
        """Both clocks when the leap was seen."""

    def now_ns(self) -> int | None:
        """The time; None while it is not to be trusted."""
        wall, steady = self._wall_ns(), self._steady_ns()
        if wall - self.seen_ns - (steady - self._seen_at) > LEAP_NS:
            if self._doubted is None or self._has_moved(self._doubted, wall, steady):
                self._doubted = wall, steady
            if steady - self._doubted[1] < WAIT_NS:
                return None
        self._doubted = None
        self.seen_ns, self._seen_at = wall, steady
        return wall

    def doubt(self) -> str:
        """Why it says nothing; empty when it does."""
        if self._doubted is None:
            return ""
        return (
            f"The clock leapt from {format_ns(self.seen_ns)} to "
            f"{format_ns(self._doubted[0])}: nothing goes by its age until it has run "
            "on steadily for a day."
        )

    def _has_moved(self, doubted: tuple[int, int], wall: int, steady: int) -> bool:
        passed = (wall - doubted[0]) - (steady - doubted[1])
        return abs(passed) > _DRIFT_NS
