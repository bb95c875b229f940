"""Durable ingest of NDJSON over HTTP, against one DuckDB statement on the same file.

    python benchmarks/ingest.py [--count 1000000] [--body-mb 8] [--file FILE]

The server is a process of its own; the clock stops when the last entry is queryable.
The reference inserts the same file into a table of the same shape with one statement,
in a process of its own too: no HTTP, no ack, nothing durable before the end.
"""

import argparse
import http.client
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from rig import ServerProcess, Used, write_entries

_REFERENCE = """
import json, resource, sys, time
import duckdb
db = duckdb.connect()
db.execute("SET enable_progress_bar = false")
db.execute(f"ATTACH '{sys.argv[2]}' AS p (STORAGE_VERSION 'latest')")
db.execute(
    "CREATE TABLE p.entries (id BIGINT, timestamp TIMESTAMP_NS, source VARCHAR, "
    "level VARCHAR, message VARCHAR, fields VARIANT)"
)
started = time.perf_counter()
db.execute(
    "INSERT INTO p.entries SELECT 0, timestamp::TIMESTAMP_NS, source, level, message, "
    "fields::VARIANT FROM read_json(?, format='newline_delimited', columns={"
    "timestamp: 'VARCHAR', source: 'VARCHAR', level: 'VARCHAR', message: 'VARCHAR', "
    "fields: 'JSON'})",
    [sys.argv[1]],
)
seconds = time.perf_counter() - started
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000]))
"""


def load_with_duckdb(file: Path, folder: Path) -> tuple[float, Used]:
    """Seconds of the one statement, and what its process used."""
    output = subprocess.run(
        [sys.executable, "-c", _REFERENCE, str(file), str(folder / "reference.duckdb")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    seconds, cpu_s, peak_mb = json.loads(output)
    (folder / "reference.duckdb").unlink()
    return seconds, Used(cpu_s, peak_mb)


def send(server: ServerProcess, file: Path, body_bytes: int) -> None:
    """Send the file over one connection, in bodies of about this size (0 = in one)."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    headers = {"Content-Type": "application/x-ndjson"}
    with file.open("rb") as source:
        while True:
            if body_bytes == 0:
                headers["Content-Length"] = str(file.stat().st_size)
                body: object = source
            else:
                body = source.read(body_bytes) + source.readline()
                if not body:
                    return
            connection.request("POST", "/api/v1/logs/batch", body, headers)  # type: ignore[arg-type]
            answer = connection.getresponse()
            text = answer.read()
            if answer.status == 429:
                raise RuntimeError(f"The intake is full: {text!r}")
            if answer.status != 200:
                raise RuntimeError(f"{answer.status}: {text!r}")
            if body_bytes == 0:
                return


def measure(
    file: Path,
    count: int,
    *,
    body_bytes: int,
    folder: Path,
    environment: Mapping[str, str] | None = None,
) -> tuple[float, Used]:
    """Seconds from the first byte until the last entry is queryable."""
    folder.mkdir()
    with (
        ServerProcess(folder, environment or {}) as server,
        server.measured() as found,
    ):
        started = time.perf_counter()
        send(server, file, body_bytes)
        total = server.get("/api/v1/logs/stats")["TotalEntries"]
        seconds = time.perf_counter() - started
        if total != count:
            raise RuntimeError(f"{total} of {count} entries are there")
    return seconds, found["used"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--body-mb", type=int, nargs="*", default=[8, 0])
    parser.add_argument("--file", type=Path, help="NDJSON of one day, instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="logstream-bench-") as name:
        folder = Path(name)
        file = options.file
        count = options.count
        if file is None:
            file = folder / "entries.ndjson"
            print(f"Generating {count:,} entries ...", flush=True)
            write_entries(file, count)
        else:
            with file.open("rb") as source:
                count = sum(1 for _ in source)
        size_mb = file.stat().st_size / 1e6
        print(f"{count:,} entries, {size_mb:.0f} MB")
        reference_s, used = load_with_duckdb(file, folder)
        _report("one DuckDB statement", count, reference_s, used)
        for body_mb in options.body_mb:
            seconds, used = measure(
                file,
                count,
                body_bytes=body_mb << 20,
                folder=folder / f"server-{body_mb}",
            )
            how = f"bodies of {body_mb} MB" if body_mb else "one body"
            _report(f"durable over HTTP, {how}", count, seconds, used)
            print(f"  ratio {reference_s / seconds:.2f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"(the sender itself: {peak:.0f} MB)")


def _report(what: str, count: int, seconds: float, used: Used) -> None:
    print(
        f"{what}: {seconds:.2f} s, {count / seconds:,.0f} rows/s, "
        f"{used.cpu_s:.1f} CPU s, peak {used.peak_mb:.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
