"""Entries whose field names are drawn from thousands, against a dozen names.

    python benchmarks/wide_fields.py [--count 400000] [--names 3000] [--rounds 3]

Both have four fields an entry and values of mixed types; the names of the wide one are
drawn so that the first is in about one of twelve entries and the last ones in one of
twenty thousand. Four ratios: rows/s into the store over HTTP, bytes stored per raw
byte, and a query on a rare name against one on the most frequent name: a page of ten,
which ends early for the frequent one, and a count, for which both read the whole day.
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from ingest import send
from rig import ServerProcess

_WORDS = ["connection", "reset", "by", "peer", "timeout", "while", "reading", "from"]
_START = datetime(2026, 11, 20, tzinfo=UTC)


def write_wide(path: Path, count: int, names: int, *, seed: int = 7) -> None:
    """Entries of one day with four fields each, of any of so many names."""
    random_ = random.Random(seed)
    known = [f"field_{number:04d}" for number in range(names)]
    weights = [1 / (rank + 11) for rank in range(names)]
    step = timedelta(seconds=80_000 / count)
    with path.open("w") as file:
        for number in range(count):
            chosen = random_.choices(known, weights, k=4)
            line = {
                "timestamp": (_START + number * step).isoformat()[:-6] + "Z",
                "source": random_.choice(["web", "db", "auth"]),
                "level": random_.choice(["info", "warn", "error"]),
                "message": " ".join(random_.choices(_WORDS, k=8)),
                "fields": {name: _value(random_) for name in chosen},
            }
            file.write(json.dumps(line, separators=(",", ":")) + "\n")


def _value(random_: random.Random) -> object:
    kind = random_.randrange(5)
    if kind == 0:
        return random_.randrange(1000)
    if kind == 1:
        return random_.choice(_WORDS)
    if kind == 2:
        return round(random_.random() * 100, 2)
    if kind == 3:
        return random_.random() < 0.5
    return f"{random_.getrandbits(32):08x}"


def measure(file: Path, count: int, folder: Path, names: int) -> dict[str, float]:
    """Rows/s, bytes per raw byte, and milliseconds of frequent and rare names."""
    folder.mkdir()
    with ServerProcess(folder, {}) as server:
        started = time.perf_counter()
        send(server, file, 8 << 20)
        total = server.get("/api/v1/logs/stats")["TotalEntries"]
        seconds = time.perf_counter() - started
        if total != count:
            raise RuntimeError(f"{total} of {count} entries are there")

        def find(name: str) -> Callable[[], object]:
            query = quote(f"{name}:connection")
            return lambda: server.get(f"/api/v1/logs?limit=10&q={query}")

        def count_of(name: str) -> Callable[[], object]:
            query = quote(f"{name}:connection | stats count()")
            return lambda: server.get(f"/api/v1/logs?q={query}")

        frequent, rare = "field_0000", f"field_{names - 5:04d}"
        spent = {
            "frequent_ms": _median_ms(find(frequent)),
            "rare_ms": _median_ms(find(rare)),
            "frequent_count_ms": _median_ms(count_of(frequent)),
            "rare_count_ms": _median_ms(count_of(rare)),
        }
    stored = sum(path.stat().st_size for path in (folder / "data/partitions").iterdir())
    return {
        "rows_s": count / seconds,
        "share": stored / file.stat().st_size,
        **spent,
    }


def _median_ms(run: Callable[[], object], times: int = 7) -> float:
    found = []
    for _ in range(times):
        started = time.perf_counter()
        run()
        found.append((time.perf_counter() - started) * 1e3)
    return statistics.median(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400_000)
    parser.add_argument("--names", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ratios: list[tuple[float, ...]] = []
    with tempfile.TemporaryDirectory(prefix="logstream-bench-") as name:
        folder = Path(name)
        files = {number: folder / f"{number}.ndjson" for number in (12, options.names)}
        for number, file in files.items():
            write_wide(file, options.count, number)
        for turn in range(options.rounds):
            found = {}
            for number, file in files.items():
                where = folder / f"{turn}-{number}"
                found[number] = one = measure(file, options.count, where, number)
                print(
                    f"{number} names: {one['rows_s']:,.0f} rows/s, "
                    f"{one['share']:.3f} bytes per raw byte, frequent name "
                    f"{one['frequent_ms']:.0f} ms, rare name {one['rare_ms']:.0f} ms, "
                    f"counts {one['frequent_count_ms']:.0f} and "
                    f"{one['rare_count_ms']:.0f} ms",
                    flush=True,
                )
            few, many = found[12], found[options.names]
            ratios.append(
                (
                    many["rows_s"] / few["rows_s"],
                    many["share"] / few["share"],
                    many["rare_ms"] / many["frequent_ms"],
                    many["rare_count_ms"] / many["frequent_count_ms"],
                )
            )
    rows, share, page, counted = (
        statistics.median(column) for column in zip(*ratios, strict=True)
    )
    print(
        f"  ratios: rows/s {rows:.2f}, size {share:.2f}, rare name: page {page:.2f}, "
        f"count {counted:.2f}"
    )


if __name__ == "__main__":
    main()
