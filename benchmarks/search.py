"""Search in finished days that were compacted, against plain SQL over the same files.

    python benchmarks/search.py [--count 2000000] [--rounds 5]
        [--file FILE --word error --phrase "connection reset"]

The entries, generated ones or those of FILE (NDJSON of one day), go through the real
loader and compactor. Into one message of 10 000 a rare word is put, and into each entry
a field with a value of its own. A ratio above 1 means: so many times faster than plain
SQL, or than the same query without the index.
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from logstream.collectors.traffic import generate
from logstream.config.settings import StorageConfig
from logstream.query import compile_filter
from logstream.storage.batch import Batch
from logstream.storage.compaction import Compactor
from logstream.storage.hub import Hub
from logstream.storage.loader import Loader
from logstream.storage.partitions import Partitions
from logstream.storage.reader import Reader
from logstream.storage.selection import Selection, union

RARE = "zebrafinch"
_EVERY = 10_000
_BATCH_ROWS = 150_000
_DAYS = 30
_START = datetime(2026, 10, 1, tzinfo=UTC)
_NS = 1_000_000_000


class Bench:
    """A store in a folder, and what is measured on it."""

    def __init__(self, folder: Path, rounds: int) -> None:
        config = StorageConfig()
        self.folder = folder / "partitions"
        self.folder.mkdir(parents=True)
        self.hub = Hub(config, tmp=folder)
        self.partitions = Partitions(self.hub, self.folder)
        self.loader = Loader(self.hub, self.partitions, max_entry_bytes=1 << 20)
        self.reader = Reader(self.hub, self.partitions, timeout_s=300)
        self.compactor = Compactor(self.hub, self.partitions, config, tmp=folder)
        self._batch = folder / "batch.ndjson"
        self._segment = 0
        self._rounds = rounds

    def load(self, lines: Iterator[bytes]) -> int:
        """Returns the bytes."""
        total = 0
        while chunk := list(islice(lines, _BATCH_ROWS)):
            self._segment += 1
            self._batch.write_bytes(b"".join(chunk))
            size = self._batch.stat().st_size
            total += size
            batch = Batch(
                segment=self._segment, path=self._batch, size=size, entries=len(chunk)
            )
            self.loader.load(batch)
            self.partitions.checkpoint(lambda _: False)  # as upkeep does: full parts
        self.partitions.checkpoint(lambda _: True)
        return total

    def plain(self, text: str, *params: object) -> list[tuple[Any, ...]]:
        """Hand-written SQL; `{entries}` is all there is: of one day its own table."""
        names = self.partitions.readable(self.partitions.within())
        entries = union(names) if len(names) > 1 else f"{names[0].name}.entries"
        cursor = self.hub.cursor()
        try:
            return cursor.execute(text.format(entries=entries), params).fetchall()
        finally:
            cursor.close()

    def number(self, text: str, *params: object) -> int:
        return int(self.plain(text, *params)[0][0])

    def show(
        self, what: str, ours: Callable[[], object], theirs: Callable[[], object]
    ) -> None:
        """Medians, in turns."""
        found, expected = ours(), theirs()
        note = "" if found == expected else f"   DIFFERENT: {found} and {expected}"
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(self._rounds):
            for run, spent in zip((ours, theirs), times, strict=True):
                started = time.perf_counter()
                run()
                spent.append((time.perf_counter() - started) * 1000)
        fast, slow = (statistics.median(spent) for spent in times)
        print(f"{what:44} {fast:9.1f} ms {slow:9.1f} ms {slow / fast:8.1f}{note}")


def numbered(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Each with a value of its own, and now and then the rare word."""
    drawn = random.Random(7)
    for number, line in enumerate(lines):
        entry = msgspec.json.decode(line)
        entry.setdefault("fields", {})["trace_id"] = f"{drawn.getrandbits(64):016x}"
        if number % _EVERY == 0:
            entry["message"] += f" {RARE}"
        yield msgspec.json.encode(entry) + b"\n"


def generated(count: int, start: datetime) -> Iterator[bytes]:
    start_ns = int(start.timestamp()) * _NS
    encode = msgspec.json.Encoder().encode
    for entry in islice(generate(7, start_ns, count / 80_000), count):
        yield encode(entry) + b"\n"


def selection(text: str, *, index: bool = True) -> Selection:
    query = compile_filter(text)
    needs = query.needs if index else None
    return Selection(where=query.sql, fast=query.where_sql, needs=needs)


def search(bench: Bench, word: str, phrase: str) -> None:
    reader = bench.reader
    middle = "SELECT fields.trace_id::VARCHAR FROM {entries} ORDER BY id LIMIT 1"
    value = f"trace_id:{bench.plain(middle)[0][0]}"
    bench.show(
        "a value that occurs once / same as a scan",
        partial(reader.count, selection(value)),
        partial(reader.count, selection(value, index=False)),
    )
    sql = "SELECT count(*) FROM {entries} WHERE regexp_matches(lower(message), ?)"
    words = {
        "a common word": (word, word),
        "a phrase": (f'"{phrase}"', phrase),
        "a word in 1 of 10 000": (RARE, RARE),
        "a word that is nowhere": ("nowheretobefound", "nowheretobefound"),
        "a pattern": ("conn*on", "conn[^ \t\n\r\f\v]*on"),
    }
    for what, (text, pattern) in words.items():
        hits = reader.count(selection(text))
        regex = f"(?:^|[^a-z0-9_]){pattern}(?:$|[^a-z0-9_])"
        bench.show(
            f"{what} ({hits}) / regexp_matches",
            partial(reader.count, selection(text)),
            partial(bench.number, sql, regex),
        )
    by_source = (
        "SELECT source, count(*) AS n FROM {entries} GROUP BY 1 ORDER BY n DESC, 1"
    )
    bench.show(
        "group by source / hand-written",
        lambda: reader.frequency(Selection(), group_by="source"),
        lambda: dict(bench.plain(by_source)),
    )
    field = (
        "SELECT fields.status::VARCHAR AS s, count(*) AS n FROM {entries} "
        "WHERE fields.status IS NOT NULL GROUP BY 1 ORDER BY n DESC, 1"
    )
    bench.show(
        "group by a field / hand-written",
        lambda: reader.frequency(Selection(), group_by="status"),
        lambda: dict(bench.plain(field)),
    )


def newest(bench: Bench, count: int) -> None:
    for day in range(_DAYS):
        bench.load(generated(count // _DAYS, _START + timedelta(days=day)))
    for key in bench.partitions.within():
        bench.compactor.compact(key)
    chosen = selection("level:error")

    def ours() -> list[int]:
        return [row.id for row in bench.reader.entries(chosen, limit=100).rows]

    def ids(text: str) -> list[int]:
        return [row[0] for row in bench.plain(text)]

    columns = "id, epoch_ns(timestamp), source, level, message, fields::JSON::VARCHAR"
    order = "ORDER BY timestamp DESC, id DESC"
    every = (
        f"SELECT {columns} FROM (SELECT *, row_number() OVER ({order}) AS nth "
        "FROM {entries} WHERE level = 'error') WHERE nth <= 100 ORDER BY nth"
    )
    top = f"SELECT {columns} FROM {{entries}} WHERE level = 'error' {order} LIMIT 100"
    for what, text in (("sorting all", every), ("LIMIT over all", top)):
        bench.show(
            f"newest 100 errors of {_DAYS} days / {what}",
            ours,
            partial(ids, text),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2_000_000)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--word", default="failed", help="a common one")
    parser.add_argument("--phrase", default="logged in")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        bench = Bench(folder / "one", asked.rounds)
        if asked.file:
            with asked.file.open("rb") as file:
                raw = bench.load(numbered(islice(file, asked.count)))
        else:
            raw = bench.load(numbered(generated(asked.count, _START)))
        before = bench.partitions.stored_bytes()
        for key in bench.partitions.within():
            done = bench.compactor.compact(key)
            print(f"compacted {key}: {json.dumps(_told(done))}")
        after = bench.partitions.stored_bytes()
        print(
            f"raw {raw / 1e6:.1f} MB, loaded {before / 1e6:.1f}, {after / 1e6:.1f} MB:"
        )
        print(f"stored size 1/{raw / after:.2f} of raw (1/{raw / before:.2f} before)")
        print(f"\n{'':44} {'ours':>12} {'plain SQL':>12} {'ratio':>8}")
        search(bench, asked.word, asked.phrase)
        bench.hub.close()
        days = Bench(folder / "days", asked.rounds)
        newest(days, min(asked.count, 1_500_000))
        days.hub.close()


def _told(done: object) -> dict[str, object]:
    told: dict[str, object] = msgspec.to_builtins(done) or {}
    return {name: value for name, value in told.items() if not isinstance(value, date)}


if __name__ == "__main__":
    main()
