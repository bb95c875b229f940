"""The query language against hand-written SQL for the same answer, over one sealed day.

    python benchmarks/query.py [--count 2000000] [--file FILE] [--rounds 5] [--only TEXT]

Every filter and every pipe. A ratio of 1 means: as fast as the best SQL that we could
write; above 1, so many times slower. What is beyond 1.3 and takes 5 ms or more is listed
once more, the worst first; below that, it is what a query costs before it begins. What
it costs to parse and compile a query of 1 KB is shown as well. All times are of CPU.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from query_cases import CASES, SAME_AS, Case
from search import Bench, generated, numbered

from logstream.query.pipes.registry import PIPES
from logstream.query.query import compile_query, parse_query
from logstream.storage.statements import Statements


def median_ms(run: Callable[[], object], rounds: int) -> float:
    """Of CPU time, of all threads together: other work on the machine hardly shows."""
    spent = []
    for _ in range(rounds):
        started = time.process_time()
        run()
        spent.append((time.process_time() - started) * 1000)
    return statistics.median(spent)


def compare(
    bench: Any, statements: Statements, cases: tuple[Case, ...], rounds: int
) -> None:
    found = []
    for case in cases:
        fast, slow = one(bench, statements, case, rounds)
        ratio = fast / slow
        found.append((ratio, fast, slow, case.text))
        print(f"{case.text[:64]:64} {fast:8.1f} ms {slow:8.1f} ms {ratio:6.2f}")
    print("\nbeyond 1.3:")
    for ratio, fast, slow, text in sorted(found, reverse=True):
        if ratio > 1.3 and fast >= 5:
            print(f"{text[:64]:64} {fast:8.1f} ms {slow:8.1f} ms {ratio:6.2f}")


def one(
    bench: Any, statements: Statements, case: Case, rounds: int
) -> tuple[float, float]:
    """Medians in ms, in turns: ours, and of the SQL by hand."""
    plan = compile_query(case.text).plan(limit=10_000)

    def ours() -> int:
        return statements.run(plan, lambda result: sum(map(len, result.batches())))

    def theirs() -> int:
        return len(bench.plain(case.sql, *case.params))

    ours()
    theirs()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for run, spent in zip((ours, theirs), times, strict=True):
            spent.append(median_ms(run, 1))
    return statistics.median(times[0]), statistics.median(times[1])


def missing() -> set[str]:
    """Pipes that nothing here asks for."""
    texts = " ".join(case.text for case in CASES).split("| ")
    return (
        set(PIPES)
        - {text.split(" ", 1)[0].split("(")[0] for text in texts}
        - {*SAME_AS}
    )


def _compile(text: str) -> None:
    parse_query(text).plan()


def compiling(rounds: int) -> None:
    pairs = " OR ".join(f"(service:web-{at} status:>={at})" for at in range(25))
    piped = f"({pairs}) | stats count() as n, avg(took) by host | sort by n desc | head"
    texts = {
        "50 terms": f"{piped} | where n > 5",
        "100 fields": " ".join(f"t{at}:a{at}" for at in range(100))[:1024],
        "150 words": " OR ".join(f"word{at}" for at in range(100)),
        "60 columns": "* | eval " + ", ".join(f"a{at} = b{at} * 2" for at in range(65)),
    }
    for name, text in texts.items():
        spent = median_ms(partial(_compile, text), rounds * 20)
        print(f"parse and compile {name}, {len(text)} bytes: {spent:.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2_000_000)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="cases that hold this text")
    asked = parser.parse_args()
    assert not missing(), missing()
    cases = tuple(case for case in CASES if asked.only in case.text)
    compiling(asked.rounds)
    with tempfile.TemporaryDirectory() as made:
        bench = Bench(Path(made) / "one", asked.rounds)
        if asked.file:
            with asked.file.open("rb") as file:
                bench.load(iter(file))
        else:
            start = datetime(2026, 10, 1, tzinfo=UTC)
            bench.load(numbered(generated(asked.count, start)))
        for key in bench.partitions.within():
            bench.compactor.compact(key)
        statements = Statements(bench.hub, bench.partitions, timeout_s=300)
        compare(bench, statements, cases, asked.rounds)


if __name__ == "__main__":
    main()
