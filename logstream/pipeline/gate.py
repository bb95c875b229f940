"""The gate: whether more may come in, by the room that there is."""

from collections.abc import Callable

from logstream.core.errors import DiskFull, NotReady, Overloaded
from logstream.telemetry.metrics import OVERLOADED

_LITTLE_BYTES = 8 * 1_048_576


class Gate:
    """Whether more may come in. Functions, so that the intake knows no engine."""

    def __init__(
        self,
        *,
        queued_bytes: Callable[[], int],
        has_room: Callable[[], bool],
        closed: Callable[[], str],
        capacity_bytes: int,
        is_waited_for: Callable[[], bool] = lambda: False,
    ) -> None:
        self._is_waited_for = is_waited_for
        self._queued_bytes = queued_bytes
        self._has_room = has_room
        self._closed = closed
        self._capacity_bytes = capacity_bytes

    def check(self, size: int) -> None:
        """Raises NotReady, DiskFull or Overloaded.

        Requests that are checked at the same moment may pass together and go over the
        capacity, by what they hold in memory already.
        """
        self.check_room()
        queued = self._queued_bytes()
        if queued and queued + size > self._capacity_bytes:
            OVERLOADED.inc()
            raise Overloaded(queued_bytes=queued, capacity_bytes=self._capacity_bytes)

    def is_behind(self) -> bool:
        """Whether a query waits for more than a little that was acked."""
        return self._is_waited_for() and self._queued_bytes() > _LITTLE_BYTES

    def check_room(self) -> None:
        """Raises NotReady or DiskFull."""
        if reason := self._closed():
            raise NotReady(f"Nothing is taken in: {reason}.")
        if not self._has_room():
            OVERLOADED.inc()
            raise DiskFull(
                "The disk is nearly full (storage.min_free_bytes): free some space, "
                "and entries are taken in again."
            )
