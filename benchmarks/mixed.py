"""Query latency while ingest runs at full speed, against an idle server.

    python benchmarks/mixed.py [--count 400000] [--seconds 15] [--connections 1]
    python benchmarks/mixed.py --single [--connections 32]

The same three queries go round, first over a store at rest, then while connections
send bodies of 8 MB, or single entries, without a pause. A query sees all that was acked
before it. Each query has its own ratio; that of all is of the median of all. What is
taken in without queries is printed beside.
"""

import argparse
import asyncio
import http.client
import itertools
import statistics
import tempfile
import threading
import time
from pathlib import Path

from ingest import send
from requests import load
from rig import ServerProcess, write_entries

_QUERIES = (
    "/api/v1/logs?q=level:error&limit=100",
    "/api/v1/logs?q=timeout&limit=100",
    "/api/v1/logs/stats",
)


Waits = dict[str, list[float]]
"""Milliseconds, by query."""


def ask_for(server: ServerProcess, seconds: float) -> Waits:
    """Ask each query in turn, for so long."""
    waits: Waits = {path: [] for path in _QUERIES}
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for path in _QUERIES:
            started = time.perf_counter()
            server.get(path)
            waits[path].append((time.perf_counter() - started) * 1e3)
    return waits


class Sending:
    """Sends a file again and again in the background; 429 means a short pause."""

    def __init__(self, port: int, file: Path, connections: int) -> None:
        self._port = port
        self._file = file
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._sent_bytes = 0
        self._threads = [
            threading.Thread(target=self._run, args=(n,)) for n in range(connections)
        ]
        self._begun = time.perf_counter()
        for thread in self._threads:
            thread.start()

    def stop(self) -> str:
        """What was taken in."""
        took = time.perf_counter() - self._begun
        self._over.set()
        for thread in self._threads:
            thread.join()
        return f"{self._sent_bytes / 1e6 / took:.0f} MB/s"

    def _run(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=600)
        headers = {"Content-Type": "application/x-ndjson"}
        while not self._over.is_set():
            with self._file.open("rb") as source:
                source.seek(number * 1_000_003)
                source.readline()
                while body := source.read(8 << 20) + source.readline():
                    connection.request("POST", "/api/v1/logs/batch", body, headers)
                    answer = connection.getresponse()
                    answer.read()
                    if self._over.is_set():
                        return
                    if answer.status == 429:
                        self._over.wait(0.2)
                        continue
                    with self._lock:
                        self._sent_bytes += len(body)


class SendingSingle:
    """Single entries, in a thread, for so long."""

    def __init__(self, port: int, connections: int, seconds: float) -> None:
        self._rate = 0.0

        def run() -> None:
            self._rate = asyncio.run(load(port, "/api/v1/logs", connections, seconds))

        self._thread = threading.Thread(target=run)
        self._thread.start()

    def stop(self) -> str:
        self._thread.join()
        return f"{self._rate:,.0f} requests/s"


def _say(what: str, waits: Waits) -> float:
    """Print and return the median of all."""
    ordered = sorted(itertools.chain(*waits.values()))
    print(
        f"{what}: {len(ordered)} queries, median {statistics.median(ordered):.0f} ms, "
        f"95th percentile {ordered[len(ordered) * 95 // 100]:.0f} ms",
        flush=True,
    )
    return statistics.median(ordered)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400_000)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--single", action="store_true")
    parser.add_argument("--connections", type=int)
    options = parser.parse_args()
    connections = options.connections or (32 if options.single else 1)
    with tempfile.TemporaryDirectory(prefix="logstream-bench-") as name:
        folder = Path(name)
        file = folder / "entries.ndjson"
        write_entries(file, options.count)
        with ServerProcess(folder, {}) as server:

            def begin(seconds: float) -> Sending | SendingSingle:
                if options.single:
                    return SendingSingle(server.port, connections, seconds)
                return Sending(server.port, file, connections)

            send(server, file, 8 << 20)
            alone = begin(5)
            time.sleep(5)
            print(f"without queries: {alone.stop()} taken in", flush=True)
            ask_for(server, 2)
            alone_waits = ask_for(server, options.seconds / 3)
            idle = _say("idle", alone_waits)
            sending = begin(options.seconds)
            busy_waits = ask_for(server, options.seconds)
            busy = _say("while ingest runs", busy_waits)
            print(f"({sending.stop()} taken in)")
            for path in _QUERIES:
                ends = [statistics.median(w[path]) for w in (alone_waits, busy_waits)]
                print(f"  {path}: {ends[0]:.0f} to {ends[1]:.0f} ms", end=", ")
                print(f"ratio {ends[1] / ends[0]:.1f}")
            print(f"  ratio {busy / idle:.1f}")


if __name__ == "__main__":
    main()
