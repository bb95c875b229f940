"""The line in which queries wait for a turn, fair between clients and bounded.

A turn goes to the client that has the fewest queries running, and among those to the
one that has waited longest for its last turn. So a client that sends a thousand queries
delays the next one of another client by one query, not by a thousand.
"""

import asyncio
from collections import OrderedDict, deque

from logstream.core.errors import TooManyQueries
from logstream.telemetry.metrics import QUERIES_RUNNING, QUERIES_WAITING


class FairLine:
    """Used on one event loop. Clients are told apart by any text, such as an address;
    the empty one is nobody in particular, and may have every turn.

    Args:
        max_running: Turns at once. One client has at most all but one of them, if there
            are two or more.
        max_waiting: In line, of all clients together.
    """

    def __init__(self, *, max_running: int, max_waiting: int) -> None:
        self._max_running = max_running
        self._max_each = max(1, max_running - 1)
        self._max_waiting = max_waiting
        self._running: dict[str, int] = {}
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def running(self) -> int:
        return sum(self._running.values())

    @property
    def waiting(self) -> int:
        return sum(len(line) for line in self._waiting.values())

    async def enter(self, client: str) -> None:
        """Return when it is the client's turn; `leave` ends that. May be cancelled.

        Raises:
            TooManyQueries: the line is full.
        """
        if self._may_run(client) and client not in self._waiting:
            self._begin(client)
            return
        if self.waiting >= self._max_waiting:
            raise TooManyQueries(
                f"{self.waiting} queries wait for their turn already "
                "(query.max_waiting): try again in a moment."
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        self._set_gauges()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(client)  # its turn came in the same moment
            else:
                self._forget(client, turn)
            raise

    def leave(self, client: str) -> None:
        """The client's turn is over: the next ones begin."""
        self._running[client] -= 1
        if not self._running[client]:
            del self._running[client]
        while (following := self._next()) is not None:
            turn = self._waiting[following].popleft()
            self._waiting.move_to_end(following)
            if not self._waiting[following]:
                del self._waiting[following]
            if not turn.cancelled():
                self._begin(following)
                turn.set_result(None)
        self._set_gauges()

    def _next(self) -> str | None:
        """The client whose turn is next; None when nobody may begin now."""
        able = [client for client in self._waiting if self._may_run(client)]
        return min(able, key=lambda client: self._running.get(client, 0), default=None)

    def _may_run(self, client: str) -> bool:
        mine = self._running.get(client, 0)
        room = self.running < self._max_running
        return room and (mine < self._max_each or not client)

    def _begin(self, client: str) -> None:
        self._running[client] = self._running.get(client, 0) + 1
        self._set_gauges()

    def _forget(self, client: str, turn: asyncio.Future[None]) -> None:
        line = self._waiting.get(client)
        if line is not None and turn in line:
            line.remove(turn)
            if not line:
                del self._waiting[client]
        self._set_gauges()

    def _set_gauges(self) -> None:
        QUERIES_RUNNING.set(self.running)
        QUERIES_WAITING.set(self.waiting)
