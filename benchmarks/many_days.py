"""Start-up and the first query of a store of many days, against one of a single day.

    python benchmarks/many_days.py [--days 365] [--count 2000] [--rounds 7]

Each round is a fresh process that opens the data folder as `logstream serve` does, and
asks one thing. All days but the newest are compacted. A ratio says how many times as
long it takes as with one day, from the moment when the folder is opened; what the
process needs before it (Python, imports) is the same for both and left out.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from logstream.cli.configuration import plugins_of
from logstream.collectors.traffic import generate
from logstream.config.settings import Settings, StorageConfig
from logstream.query import compile_filter
from logstream.query.query import compile_query
from logstream.runtime.local import LocalEngine, open_local_engine
from logstream.storage.batch import Batch
from logstream.storage.compaction import Compactor
from logstream.storage.hub import Hub
from logstream.storage.loader import Loader
from logstream.storage.partition import Key, start_ns
from logstream.storage.partitions import Partitions
from logstream.storage.results import Result
from logstream.storage.selection import Selection

_NEWEST = date(2026, 10, 31)
_NS = 1_000_000_000
_HOUR_NS = 3600 * _NS
_QUIET_S = 3 * 3600
"""So long ago every file was written last, that the compactor looks at its day."""


def _newest(engine: LocalEngine) -> object:
    return len(engine.reader.entries(Selection(), limit=100).rows)


def _last_hour(engine: LocalEngine) -> object:
    ends = start_ns(_NEWEST) + 24 * _HOUR_NS
    return engine.reader.count(Selection(from_ns=ends - _HOUR_NS, to_ns=ends))


def _count(engine: LocalEngine) -> object:
    return engine.reader.count(Selection())


def _stats(engine: LocalEngine) -> object:
    return engine.reader.stats().entries


def _nowhere(engine: LocalEngine) -> object:
    query = compile_filter("host:nowhere")
    selection = Selection(where=query.sql, fast=query.where_sql, needs=query.needs)
    return len(engine.reader.entries(selection, limit=100).rows)


def _by_field(engine: LocalEngine) -> object:
    return len(engine.reader.frequency(Selection(), group_by="status"))


def _piped(engine: LocalEngine) -> object:
    plan = compile_query("* | stats avg(status) as mean, count() by host").plan()

    def count(result: Result) -> int:
        return sum(len(rows) for rows in result.batches())

    return engine.statements.run(plan, count)


ASKED: dict[str, tuple[str, Callable[[LocalEngine], object]]] = {
    "newest": ("newest 100, over all time", _newest),
    "hour": ("count of the last hour", _last_hour),
    "count": ("count of all", _count),
    "stats": ("statistics of all", _stats),
    "nowhere": ("a value that is nowhere, in all", _nowhere),
    "field": ("group by a field, all", _by_field),
    "piped": ("average by a field, in pipes, all", _piped),
}


def build(data: Path, days: int, count: int) -> None:
    """A data folder, as a server leaves it."""
    folder = data / "partitions"
    folder.mkdir(parents=True)
    config = StorageConfig()
    lines = list(_lines(count))
    hub = Hub(config, tmp=data)
    partitions = Partitions(hub, folder, register=data / "days.json")
    loader = Loader(hub, partitions, max_entry_bytes=1 << 20)
    compactor = Compactor(hub, partitions, config, tmp=data)
    batch = data / "batch.ndjson"
    for number in range(days):
        day = _NEWEST - timedelta(days=days - 1 - number)
        new = day.isoformat().encode()
        old = _NEWEST.isoformat().encode()
        batch.write_bytes(b"".join(line.replace(old, new, 1) for line in lines))
        size = batch.stat().st_size
        loader.load(Batch(segment=number + 1, path=batch, size=size, entries=count))
        partitions.checkpoint(lambda _: True)
        if day != _NEWEST:
            compactor.compact(Key(day))
    batch.unlink()
    hub.close()
    with _opened(data) as engine:
        engine.add(lines[-1])  # by way of the journal, which there is from now on
    quiet = time.time() - _QUIET_S
    for file in folder.iterdir():
        os.utime(file, (quiet, quiet))


def _lines(count: int) -> Iterator[bytes]:
    """Of the newest day, spread over all of it."""
    encode = msgspec.json.Encoder().encode
    starts = datetime.combine(_NEWEST, datetime.min.time(), UTC)
    start = int(starts.timestamp()) * _NS
    for number, entry in enumerate(islice(generate(7, start, 1), count)):
        at = starts + timedelta(seconds=86_399 * number / count)
        moved = msgspec.to_builtins(entry)
        moved["timestamp"] = at.isoformat(timespec="microseconds")[:-6] + "Z"
        yield encode(moved) + b"\n"


def _opened(data: Path) -> Any:
    settings = Settings(storage=StorageConfig(path=str(data)))
    return open_local_engine(settings, plugins=plugins_of(settings))


def probe(data: Path, what: str) -> None:
    """In a process of its own: prints what it took, in seconds."""
    ask = ASKED[what][1]
    started = time.perf_counter()
    with _opened(data) as engine:
        opened = time.perf_counter()
        answer = ask(engine)
        ended = time.perf_counter()
        ask(engine)
        again = time.perf_counter() - ended
        resident = int(Path("/proc/self/statm").read_text().split()[1])
        files = len(list(Path("/proc/self/fd").iterdir()))
    told = {
        "open": opened - started,
        "first": ended - started,
        "again": again,
        "resident_mb": resident * os.sysconf("SC_PAGE_SIZE") / 1e6,
        "files": files,
        "answer": answer,
    }
    print(json.dumps(told))


def _run(data: Path, what: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--probe", str(data), what]
    done = subprocess.run(command, check=True, capture_output=True)
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def compare(one: Path, many: Path, days: int, rounds: int) -> None:
    """Medians, in turns."""
    print(
        f"{'first query, ms':32} {'1 day':>8} {f'{days} days':>9} {'ratio':>6}", end=""
    )
    print(f"   {'again':>8} {'open files':>10} {'resident MB':>11}")
    for what, (name, _) in ASKED.items():
        found: tuple[list[dict[str, float]], ...] = ([], [])
        for _ in range(rounds):
            for data, told in zip((one, many), found, strict=True):
                told.append(_run(data, what))
        few, all_days = (
            {key: statistics.median(one[key] for one in told) for key in told[0]}
            for told in found
        )
        ratio = all_days["first"] / few["first"]
        print(
            f"{name:32} {few['first'] * 1e3:8.1f} {all_days['first'] * 1e3:9.1f} "
            f"{ratio:6.2f}   {all_days['again'] * 1e3:8.1f} {all_days['files']:10.0f} "
            f"{all_days['resident_mb']:11.0f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--count", type=int, default=2000, help="entries of a day")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="built there once, and kept")
    parser.add_argument("--probe", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.probe:
        probe(Path(asked.probe[0]), asked.probe[1])
        return
    with tempfile.TemporaryDirectory() as made:
        folder = asked.folder or Path(made)
        one, many = folder / "one", folder / f"days-{asked.days}"
        for data, days in ((one, 1), (many, asked.days)):
            if not data.exists():
                build(data, days, asked.count)
        compare(one, many, asked.days, asked.rounds)


if __name__ == "__main__":
    main()
