"""Query latency while ingest runs at full speed, against an idle server.

    python benchmarks/mixed.py [--count 400000] [--seconds 15]

The same three queries go round, first over a store at rest, then while one connection
sends bodies of 8 MB without a pause. A query has to see all that was acked before it.
"""

import argparse
import http.client
import statistics
import tempfile
import threading
import time
from pathlib import Path

from ingest import send
from rig import ServerProcess, write_entries

_QUERIES = (
    "/api/v1/logs?q=level:error&limit=100",
    "/api/v1/logs?q=timeout&limit=100",
    "/api/v1/logs/stats",
)


def ask_for(server: ServerProcess, seconds: float) -> list[float]:
    """Milliseconds of each query, in turn, for so long."""
    waits: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for path in _QUERIES:
            started = time.perf_counter()
            server.get(path)
            waits.append((time.perf_counter() - started) * 1e3)
    return waits


class Sending:
    """Sends a file again and again in the background; 429 means a short pause."""

    def __init__(self, port: int, file: Path) -> None:
        self._port = port
        self._file = file
        self._over = threading.Event()
        self.sent_bytes = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=600)
        headers = {"Content-Type": "application/x-ndjson"}
        while not self._over.is_set():
            with self._file.open("rb") as source:
                while body := source.read(8 << 20) + source.readline():
                    connection.request("POST", "/api/v1/logs/batch", body, headers)
                    answer = connection.getresponse()
                    answer.read()
                    if self._over.is_set():
                        return
                    if answer.status == 429:
                        self._over.wait(0.2)
                    else:
                        self.sent_bytes += len(body)


def _say(what: str, waits: list[float]) -> float:
    ordered = sorted(waits)
    print(
        f"{what}: {len(waits)} queries, median {statistics.median(ordered):.0f} ms, "
        f"95th percentile {ordered[len(ordered) * 95 // 100]:.0f} ms",
        flush=True,
    )
    return statistics.median(ordered)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400_000)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="logstream-bench-") as name:
        folder = Path(name)
        file = folder / "entries.ndjson"
        write_entries(file, options.count)
        with ServerProcess(folder, {}) as server:
            send(server, file, 8 << 20)
            ask_for(server, 2)
            idle = _say("idle", ask_for(server, options.seconds / 3))
            sending = Sending(server.port, file)
            busy = _say("while ingest runs", ask_for(server, options.seconds))
            sending.stop()
            print(f"({sending.sent_bytes / 1e6 / options.seconds:.0f} MB/s taken in)")
            print(f"  ratio {busy / idle:.1f}")


if __name__ == "__main__":
    main()
