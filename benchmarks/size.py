"""Stored bytes of a finished day after compaction, with its index, per raw byte.

    python benchmarks/size.py [--count 1000000] [--loghub ../shared/data/loghub]

Two kinds of logs: generated ones, and the lines of loghub, drawn at random with fresh
digits, each with six fields (one is a trace id, half of which nothing can compress).
Raw bytes are those of the NDJSON; a ratio of 7 means: a seventh is stored.
"""

import argparse
import csv
import random
import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from search import Bench, generated

_START = datetime(2026, 10, 1, tzinfo=UTC)
_DIGITS = re.compile("[0-9]+")
_STATUSES = (200, 200, 200, 201, 204, 301, 404, 500, 503)
_LEVELS = {"warning": "warn", "severe": "error", "failure": "error", "notice": "info"}
_LEVELS |= {"v": "trace", "d": "debug", "i": "info", "w": "warn", "e": "error"}


def real(folder: Path, count: int) -> Iterator[bytes]:
    """Entries of one day, with the messages of loghub's structured samples."""
    drawn = random.Random(7)
    lines = [
        (path.name.split("_")[0].lower(), row)
        for path in sorted(folder.glob("*/*_2k.log_structured.csv"))
        for row in csv.DictReader(path.open(errors="replace"))
    ]
    step = timedelta(days=1) / count
    for number in range(count):
        source, row = drawn.choice(lines)
        level = row.get("Level", "info").lower()
        entry = {
            "timestamp": (_START + number * step).isoformat(timespec="microseconds"),
            "source": source,
            "level": _LEVELS.get(level, level),
            "message": _DIGITS.sub(
                lambda found: "".join(drawn.choices("0123456789", k=len(found[0]))),
                row["Content"],
            ),
            "fields": {
                "host": f"server{drawn.randrange(200)}.example.com",
                "component": row.get("Component") or source,
                "event": row.get("EventId", "E0"),
                "trace_id": f"{drawn.getrandbits(64):016x}",
                "status": drawn.choice(_STATUSES),
                "duration_ms": round(drawn.expovariate(1 / 40), 3),
            },
        }
        yield msgspec.json.encode(entry) + b"\n"


def measure(what: str, lines: Iterator[bytes], folder: Path) -> None:
    bench = Bench(folder, 1)
    raw = bench.load(lines)
    before = bench.partitions.stored_bytes()
    for key in bench.partitions.within():
        bench.compactor.compact(key)
    stored = bench.partitions.stored_bytes()
    bench.hub.close()
    index = sum(path.stat().st_size for path in bench.folder.glob("*.index"))
    print(
        f"{what}: {raw / 1e6:.1f} MB raw, {before / 1e6:.1f} MB as loaded, "
        f"{stored / 1e6:.1f} MB compacted, {index / 1e6:.1f} of it the index\n"
        f"  ratio {raw / before:.2f} as loaded, {raw / stored:.2f} compacted"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--loghub", type=Path, default="../shared/data/loghub")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="logstream-bench-") as name:
        folder = Path(name)
        lines = generated(asked.count, _START)
        measure("generated", lines, folder / "generated")
        if asked.loghub.is_dir():
            measure("loghub", real(asked.loghub, asked.count), folder / "loghub")
        else:
            print(f"{asked.loghub} is not there: loghub is left out.")


if __name__ == "__main__":
    main()
