"""Another process that has a DuckDB file open, and so locks it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OPEN = (
    "import duckdb, sys; db = duckdb.connect(sys.argv[1]); "
    "print('open', flush=True); sys.stdin.read()"
)


@contextmanager
def locking(path: Path) -> Iterator[None]:
    with subprocess.Popen(
        [sys.executable, "-c", _OPEN, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline()
        try:
            yield
        finally:
            other.stdin.close()
            other.wait(150)
