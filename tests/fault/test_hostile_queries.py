"""Hostile queries without pause: every entry is acked all the same, others get answers,
and what the hostile ones get is an answer too.
"""

import http.client
import json
import threading
import time
from pathlib import Path
from typing import Any

from tests.fault.server_process import WAIT_S, ServerProcess, ask

JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}
ROWS = 200_000

HOSTILE: list[tuple[str, dict[str, Any]]] = [
    (
        "/api/v1/query/analyze",
        {"analysis": {"type": "frequency", "group_by": "message"}},
    ),
    ("/api/v1/query", {"sort_by": "message", "limit": 10_000}),
    ("/api/v1/query", {"filter": "*a*b*c*d*e*f*0*1*2*3*", "sort_by": "trace"}),
    (
        "/api/v1/sql",
        {
            "sql": "WITH held AS MATERIALIZED (SELECT list(message) AS l, "
            "list(trace) AS k FROM (SELECT message, fields.trace::VARCHAR AS trace "
            "FROM logs)) SELECT count(*) FROM held, logs a, logs b, logs c "
            "WHERE len(l) + len(k) + a.id - b.id * c.id = -1",
            "timeout_s": 20,
        },
    ),
    ("/api/v1/query", {"filter": "/(a?){40}(a|b|ab)*(x+x+)+y/", "timeout_s": 0.5}),
]


def _seed(server: ServerProcess) -> None:
    for at in range(0, ROWS, 50_000):
        lines = [
            json.dumps(
                {
                    "timestamp": "2026-11-20T10:00:00Z",
                    "source": "seed",
                    "message": f"message {n} {n * 7919:x} {'abcdef ' * 12}",
                    "fields": {"trace": f"{n * 104729:016x}"},
                }
            )
            for n in range(at, at + 50_000)
        ]
        body = "\n".join(lines).encode()
        assert server.ask("POST", "/api/v1/logs/batch", body, NDJSON).status == 200


def _answered(server: ServerProcess, path: str) -> Any:
    """On a machine that is busy with other things too, at the second try maybe."""
    deadline = time.monotonic() + WAIT_S
    while (answer := server.ask("GET", path)).status == 503:
        assert time.monotonic() < deadline, answer
    assert answer.status == 200, answer
    return answer.json()


class Attack:
    """Each hostile query again and again, on a connection of its own."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._stop = threading.Event()
        self.statuses: set[int] = set()
        self.failures: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._run, args=one) for one in HOSTILE
        ]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, path: str, body: dict[str, Any]) -> None:
        connection = self._server.connect()
        try:
            while not self._stop.is_set():
                raw = json.dumps(body).encode()
                self.statuses.add(ask(connection, "POST", path, raw, JSON).status)
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(error)
        finally:
            connection.close()


def test_hostile_queries_stop_neither_ingest_nor_the_others(tmp_path: Path) -> None:
    config = {
        "storage": {"memory_bytes": 256 * 1_048_576, "min_free_bytes": 0},
        "query": {"memory_bytes": 32 * 1_048_576},
    }
    with ServerProcess(tmp_path, config=config) as server:
        server.wait_until_serving()
        _seed(server)
        attack = Attack(server)
        try:
            for n in range(60):
                entry = {"source": "live", "message": f"live {n}"}
                raw = json.dumps(entry).encode()
                assert server.ask("POST", "/api/v1/logs", raw, JSON).status == 200
                if n % 10 == 0:
                    # Maybe not of the last entry yet: a load without memory is tried
                    # again, and queries do not wait for what is stuck.
                    path = "/api/v1/logs?source=seed&limit=1&timeout_s=150"
                    assert _answered(server, path)[0]["source"] == "seed"
        finally:
            attack.end()
        assert not attack.failures
        assert attack.statuses <= {200, 400, 503, 504}
        deadline = time.monotonic() + WAIT_S
        while server.get("/api/v1/queue")["entries"]:
            assert time.monotonic() < deadline, server.get("/api/v1/queue")
            time.sleep(0.1)
        assert server.total() == ROWS + 60
        assert server.terminate() == 0
