"""The query language against hand-written SQL for the same answer, over one sealed day.

    python benchmarks/query.py [--count 2000000] [--file FILE] [--rounds 5]

A ratio of 1 means: as fast as the best SQL that we could write; above 1, so many times
slower. What it costs to parse and compile a query of 1 KB is shown as well.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from search import Bench, generated, numbered

from logstream.query.query import compile_query
from logstream.storage.statements import Statements

_WORD = r"(?:^|[^a-z0-9_]){}(?:$|[^a-z0-9_])"

QUERIES: tuple[tuple[str, str, tuple[object, ...]], ...] = (
    ("* | stats count()", "SELECT count(*) FROM {entries}", ()),
    (
        "level:error | stats count()",
        "SELECT count(*) FROM {entries} WHERE level = 'error'",
        (),
    ),
    (
        "error | stats count()",
        "SELECT count(*) FROM {entries} WHERE contains(lower(message), 'error') AND regexp_matches(lower(message), ?)",
        (_WORD.format("error"),),
    ),
    (
        "status:>=500 | stats count() by source",
        "SELECT source, count(*) FROM {entries} WHERE fields.status::INT >= 500 GROUP BY 1 ORDER BY 1",
        (),
    ),
    (
        "* | stats count() by status",
        "SELECT fields.status::VARCHAR, count(*) FROM {entries} GROUP BY 1 ORDER BY 1",
        (),
    ),
    (
        "* | stats avg(duration_ms) by host",
        "SELECT fields.host::VARCHAR, avg(fields.duration_ms::DOUBLE) FROM {entries} GROUP BY 1 ORDER BY 1",
        (),
    ),
    (
        "* | stats count() by bucket(timestamp, 1h), level",
        "SELECT make_timestamp_ns(epoch_ns(timestamp) // 3600000000000 * 3600000000000), level, count(*) FROM {entries} GROUP BY 1, 2 ORDER BY 1, 2",
        (),
    ),
    (
        "* | stats median(duration_ms), p95(duration_ms)",
        "SELECT quantile_cont(d, 0.5), quantile_cont(d, 0.95) FROM (SELECT fields.duration_ms::DOUBLE AS d FROM {entries})",
        (),
    ),
    (
        "* | stats uniq(trace_id)",
        "SELECT count(DISTINCT fields.trace_id::VARCHAR) FROM {entries}",
        (),
    ),
    (
        "* | top 10 host",
        "SELECT fields.host::VARCHAR AS h, count(*) AS n FROM {entries} WHERE fields.host IS NOT NULL GROUP BY 1 ORDER BY n DESC, h LIMIT 10",
        (),
    ),
    (
        "* | where duration_ms > 500 | stats count()",
        "SELECT count(*) FROM {entries} WHERE fields.duration_ms::DOUBLE > 500",
        (),
    ),
    (
        "* | eval s = duration_ms / 1000 | stats sum(s)",
        "SELECT sum(fields.duration_ms::DOUBLE / 1000) FROM {entries}",
        (),
    ),
    (
        "level:error | sort by duration_ms desc | head 10 | fields message, duration_ms",
        "SELECT message, fields.duration_ms::DOUBLE AS d FROM {entries} WHERE level = 'error' ORDER BY d DESC LIMIT 10",
        (),
    ),
    (
        "level:error | head 100 | fields message",
        "SELECT message FROM {entries} WHERE level = 'error' ORDER BY timestamp DESC LIMIT 100",
        (),
    ),
    (
        "level:error | dedup host | stats count()",
        "SELECT count(*) FROM (SELECT DISTINCT ON (fields.host::VARCHAR) 1 FROM {entries} WHERE level = 'error' ORDER BY fields.host::VARCHAR, timestamp DESC)",
        (),
    ),
)


def median_ms(run: Callable[[], object], rounds: int) -> float:
    spent = []
    for _ in range(rounds):
        started = time.perf_counter()
        run()
        spent.append((time.perf_counter() - started) * 1000)
    return statistics.median(spent)


def compare(bench: Any, statements: Statements, rounds: int) -> None:
    def rows(result: Any) -> int:
        return sum(len(batch) for batch in result.batches())

    for text, sql, params in QUERIES:
        plan = compile_query(text).plan(limit=10_000)

        def ours(plan: Any = plan) -> int:
            return statements.run(plan, rows)

        def theirs(sql: str = sql, params: tuple[object, ...] = params) -> int:
            return len(bench.plain(sql, *params))

        ours()
        theirs()
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds):
            times[0].append(median_ms(ours, 1))
            times[1].append(median_ms(theirs, 1))
        fast, slow = (statistics.median(spent) for spent in times)
        print(f"{text[:64]:64} {fast:8.1f} ms {slow:8.1f} ms {fast / slow:6.2f}")


def compiling(rounds: int) -> None:
    terms = " OR ".join(f"(service:web-{at} status:>={at})" for at in range(25))
    text = f"({terms}) | stats count() as n, avg(took) by host | sort by n desc | head"
    text += " | where n > 5"
    spent = median_ms(lambda: compile_query(text), rounds * 20)
    print(f"parse and compile {len(text)} bytes: {spent:.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2_000_000)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    compiling(asked.rounds)
    with tempfile.TemporaryDirectory() as made:
        bench = Bench(Path(made) / "one", asked.rounds)
        if asked.file:
            with asked.file.open("rb") as file:
                bench.load(iter(file))
        else:
            start = datetime(2026, 10, 1, tzinfo=UTC)
            bench.load(numbered(generated(asked.count, start)))
        for day in bench.partitions.days():
            bench.compactor.compact(day)
        compare(
            bench, Statements(bench.hub, bench.partitions, timeout_s=300), asked.rounds
        )


if __name__ == "__main__":
    main()
