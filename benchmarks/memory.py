"""Resident memory of the server: fresh, while it takes entries in, and at rest after.

    python benchmarks/memory.py [--count 5000000]

Entries go in as bodies of 8 MB, the same million again and again; the memory is printed
after each fifth, so that growth would show.
"""

import argparse
import tempfile
import time
from pathlib import Path

from ingest import send
from rig import ServerProcess, write_entries

_FILE_ENTRIES = 200_000
_REST_S = 75
"""A day that nobody uses is let go of after a minute."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5_000_000)
    options = parser.parse_args()
    rounds = max(5, options.count // _FILE_ENTRIES)
    with tempfile.TemporaryDirectory(prefix="logstream-bench-") as name:
        folder = Path(name)
        file = folder / "entries.ndjson"
        write_entries(file, _FILE_ENTRIES)
        with ServerProcess(folder, {}) as server:
            server.get("/healthz")
            time.sleep(2)
            print(f"fresh and idle: {server.resident_mb():.0f} MB", flush=True)
            for fifth in range(1, 6):
                with server.measured() as found:
                    for _ in range(rounds // 5):
                        send(server, file, 8 << 20)
                    while server.get("/api/v1/queue")["entries"]:
                        time.sleep(0.5)  # senders are faster than the store
                    server.get("/api/v1/logs/stats")
                print(
                    f"{rounds // 5 * fifth * _FILE_ENTRIES:,} entries: peak of this "
                    f"fifth {found['used'].peak_mb:.0f} MB, now "
                    f"{server.resident_mb():.0f} MB",
                    flush=True,
                )
            print(f"a moment later: {server.resident_mb():.0f} MB", flush=True)
            time.sleep(_REST_S)
            print(f"at rest: {server.resident_mb():.0f} MB")


if __name__ == "__main__":
    main()
