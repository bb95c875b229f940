"""Durable ingest through processors, against one DuckDB statement on the same file.

    python benchmarks/processors.py [--count 500000] [--rounds 3]

Three ways: three built-in processors (filter, enrich, replace by a pattern), which need
no Python; a Python plugin that touches every entry; the same in processes.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from ingest import load_with_duckdb, measure
from rig import write_entries

_BUILT_IN = """
processors:
  - {type: filter, options: {drop: 'level:debug message:nothing'}}
  - {type: enrich, options: {add: {env: production, region: eu-1}}}
  - {type: replace, options: {pattern: 'user=\\w+', replacement: 'user=[user]'}}
"""
_PLUGIN = """
processors:
  - {type: touch}
workers: {kind: %s}
"""
WAYS = {
    "three built-in processors": _BUILT_IN,
    "a Python plugin, in threads": _PLUGIN % "thread",
    "a Python plugin, in processes": _PLUGIN % "process",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--body-mb", type=int, default=8)
    options = parser.parse_args()
    ratios: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(prefix="logstream-bench-") as name:
        folder = Path(name)
        file = folder / "entries.ndjson"
        write_entries(file, options.count)
        for turn in range(options.rounds):
            reference_s, _ = load_with_duckdb(file, folder)
            print(f"one DuckDB statement: {reference_s:.2f} s", flush=True)
            for number, (way, config) in enumerate(WAYS.items()):
                path = folder / f"config-{number}.yaml"
                path.write_text(config)
                seconds, used = measure(
                    file,
                    options.count,
                    body_bytes=options.body_mb << 20,
                    folder=folder / f"server-{turn}-{number}",
                    environment={
                        "LOGSTREAM_CONFIG": str(path),
                        "LOGSTREAM_PLUGINS_FOLDER": str(
                            Path(__file__).parent / "plugins"
                        ),
                    },
                )
                ratios[way].append(reference_s / seconds)
                print(
                    f"{way}: {seconds:.2f} s, {options.count / seconds:,.0f} rows/s, "
                    f"{used.cpu_s:.1f} CPU s, peak {used.peak_mb:.0f} MB",
                    flush=True,
                )
    for way, found in ratios.items():
        print(f"  ratio {statistics.median(found):.2f}  {way}")


if __name__ == "__main__":
    main()
