"""Load from several connections, and a ledger of what the server said to each batch.

A batch is *acked* (200), *refused* (any other answer), or *unknown*: no answer came. An
acked batch is there, each entry once. A refused one is not. An unknown one is there as
a whole or not at all.
"""

import http.client
import json
import math
import random
import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, Self

from tests.fault.server_process import Answer, ServerProcess, ask

State = Literal["acked", "refused", "unknown"]
POSITION = "fault:reader"
STUCK = "logstream-stuck-entries"

_DAYS = ("2026-11-18", "2026-11-19", "2026-11-20")
_NO_ANSWER = (OSError, http.client.HTTPException)
_NDJSON = {"Content-Type": "application/x-ndjson"}
_JSON = {"Content-Type": "application/json"}


class Batch(NamedTuple):
    numbers: range
    """Each entry has one, unique in the test."""
    state: State
    position: int | None
    """Sent along as a reader's position, if any."""


class Ledger:
    """Thread-safe; of one test, over any number of servers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 1
        self._acked = 0
        self.batches: list[Batch] = []

    def take(self, count: int) -> range:
        with self._lock:
            first = self._next
            self._next += count
            return range(first, first + count)

    def note(self, batch: Batch) -> None:
        with self._lock:
            self.batches.append(batch)
            self._acked += len(batch.numbers) if batch.state == "acked" else 0

    @property
    def acked(self) -> int:
        """Entries."""
        return self._acked

    def check(self, rows: Iterable[dict[str, Any]]) -> None:
        """The rows are what the ledger says, once each and unchanged."""
        times = Counter(_number_of(row) for row in rows)
        doubled = [number for number, count in times.items() if count > 1]
        assert not doubled, f"stored more than once: {doubled[:20]} ({len(doubled)})"
        accounted = 0
        for batch in self.batches:
            found = sum(number in times for number in batch.numbers)
            accounted += found
            if batch.state == "acked":
                assert found == len(batch.numbers), f"acked, {found} are there: {batch}"
            elif batch.state == "refused":
                assert found == 0, f"refused, {found} are there: {batch}"
            else:
                assert found in {0, len(batch.numbers)}, f"{found} are there: {batch}"
        assert accounted == len(times), "there are entries that nobody sent"

    def check_position(self, stored: int | None, rows: list[dict[str, Any]]) -> None:
        """The reader's position is that of the newest of its batches that is stored."""
        there = {_number_of(row) for row in rows}
        moved = [
            batch.position
            for batch in self.batches
            if batch.position is not None and batch.numbers[0] in there
        ]
        newest = max(moved, default=None)
        assert stored == newest, f"position {stored}, its entries {newest}"


def _number_of(row: dict[str, Any]) -> int:
    number = int(row["fields"]["n"])
    assert f" entry-{number} " in row["message"], row
    return number


class Load:
    """Sends until the server is gone. Use as a context manager: leaving it waits.

    Args:
        poison: Mix in entries that the processor `poison` fails on.
        few_after: Once so many more entries are acked, there are a few in each batch:
            what comes in a second is a small row group of each day, and folding has
            what it waits for.
        enough: Set once so many more entries are acked.
        faulty: The disk fails at times: a query may be refused, but not lack an entry
            without saying so.
    """

    def __init__(
        self,
        server: ServerProcess,
        ledger: Ledger,
        *,
        seed: int,
        poison: bool = False,
        few_after: float = math.inf,
        enough: int = 500,
        faulty: bool = False,
    ) -> None:
        self._server = server
        self._ledger = ledger
        self._poison = poison
        self._few_from = ledger.acked + few_after
        self._faulty = faulty
        self._stop = threading.Event()
        self.reached = threading.Event()
        self._wanted = ledger.acked + enough
        self._failures: list[BaseException] = []
        tasks = [self._send_singles, self._send_mixed, self._send_mixed, self._read_on]
        tasks += [self._query]
        self._threads = [
            threading.Thread(
                target=self._guard, args=(task, random.Random(f"{seed}-{n}"))
            )
            for n, task in enumerate(tasks)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    def _guard(self, task: Any, chance: random.Random) -> None:
        connection = self._server.connect()
        try:
            while not self._stop.is_set():
                task(connection, chance)
                self._stop.wait(chance.random() * 0.005)  # leave the server some CPU
        except _NO_ANSWER:
            return
        except BaseException as error:  # noqa: BLE001 - delivered by `__exit__`
            self._failures.append(error)
        finally:
            connection.close()

    def _send_singles(
        self, connection: http.client.HTTPConnection, chance: random.Random
    ) -> None:
        numbers = self._ledger.take(1)
        body = _line(numbers[0], chance, self._poison)
        acked = self._send(connection, "/api/v1/logs", numbers, body, _JSON)
        if acked and b"good" in body and chance.random() < 0.05:
            self._expect(connection, numbers[0])

    def _expect(self, connection: http.client.HTTPConnection, number: int) -> None:
        """Read your writes: a query that begins after the ack sees the entry."""
        query = json.dumps({"filter": f"n:{number}"}).encode()
        answer = ask(connection, "POST", "/api/v1/query", query, _JSON)
        if self._is_answered(answer) and STUCK not in answer.headers:
            assert [_number_of(row) for row in answer.json()] == [number]

    def _is_answered(self, answer: Answer) -> bool:
        if self._faulty and answer.status == 503:
            return False
        assert answer.status == 200, answer
        return True

    def _send_mixed(
        self, connection: http.client.HTTPConnection, chance: random.Random
    ) -> None:
        if chance.random() < 0.5:
            numbers = self._take(chance, 60)
            lines = self._lines(numbers, chance)
            body = b"[" + b",".join(lines) + b"]"
            self._send(connection, "/api/v1/logs/batch", numbers, body, _JSON)
        else:
            numbers = self._take(chance, 300)
            body = b"\n".join(self._lines(numbers, chance))
            self._send(connection, "/api/v1/logs/batch", numbers, body, _NDJSON)

    def _read_on(
        self, connection: http.client.HTTPConnection, chance: random.Random
    ) -> None:
        """As a collector does: one batch at a time, with its position; some large."""
        large = not self._is_few() and chance.random() < 0.4
        numbers = self._ledger.take(1100) if large else self._take(chance, 100)
        body = b"\n".join(self._lines(numbers, chance, padding=5000 if large else 0))
        position = numbers[-1]
        headers = {**_NDJSON, "LogStream-Positions": json.dumps({POSITION: position})}
        self._send(connection, "/api/v1/logs/batch", numbers, body, headers, position)

    def _query(
        self, connection: http.client.HTTPConnection, chance: random.Random
    ) -> None:
        """A query has its entries stored at once, so segments are small and many."""
        self._is_answered(ask(connection, "GET", "/api/v1/logs?limit=1"))
        self._stop.wait(chance.random() * 0.1)

    def _take(self, chance: random.Random, below: int) -> range:
        return self._ledger.take(chance.randrange(1, 4 if self._is_few() else below))

    def _is_few(self) -> bool:
        return self._ledger.acked >= self._few_from

    def _lines(
        self, numbers: range, chance: random.Random, *, padding: int = 0
    ) -> list[bytes]:
        return [_line(n, chance, self._poison, padding) for n in numbers]

    def _send(
        self,
        connection: http.client.HTTPConnection,
        path: str,
        numbers: range,
        body: bytes,
        headers: dict[str, str],
        position: int | None = None,
    ) -> bool:
        """Whether it was acked."""
        try:
            answer: Answer = ask(connection, "POST", path, body, headers)
        except _NO_ANSWER:
            self._ledger.note(Batch(numbers, "unknown", position))
            raise
        assert answer.status in {200, 429, 503, 507}, answer
        state: State = "acked" if answer.status == 200 else "refused"
        self._ledger.note(Batch(numbers, state, position))
        if self._ledger.acked >= self._wanted:
            self.reached.set()
        return state == "acked"


def _line(number: int, chance: random.Random, poison: bool, padding: int = 0) -> bytes:
    word = "poison" if poison and chance.random() < 0.02 else "good"
    entry = {
        "timestamp": f"{chance.choice(_DAYS)}T{chance.randrange(24):02}:00:00Z",
        "source": chance.choice(("auth", "web")),
        "level": chance.choice(("info", "error")),
        "message": f"{word} entry-{number} {'x' * padding}",
        "fields": {"n": number, "at": {"deep": [number, "ä"]}},
    }
    return json.dumps(entry).encode()
