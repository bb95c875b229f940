"""A disk that fails for files of one kind while it is told to: `failing_disk.c`."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

_SOURCE = Path(__file__).parent / "failing_disk.c"


class Case(NamedTuple):
    operation: Literal["write", "sync", "kill"]
    """`kill` the process in the middle of a write."""
    error: int
    """Of `errno`; in which write it is killed."""
    pattern: str
    """Of the path, as of a shell, but that `*` is for slashes too."""


class Disk:
    """How it fails, and what it told of that."""

    def __init__(self, folder: Path, shim: Path, case: Case) -> None:
        self._hits = folder / "hits"
        self._armed = folder / "armed"
        self.environment = {
            "LD_PRELOAD": str(shim),
            "FAULT_DISK": ":".join(map(str, case)),
            "FAULT_ARMED": str(self._armed),
            "FAULT_HITS": str(self._hits),
        }

    def hits(self) -> list[str]:
        return self._hits.read_text().splitlines() if self._hits.exists() else []

    @contextmanager
    def failing(self) -> Iterator[None]:
        self._armed.touch()
        try:
            yield
        finally:
            self._armed.unlink()


def build_library(folder: Path) -> Path | None:
    """What is preloaded; None: there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = folder / "failing_disk.so"
    command = [compiler, "-shared", "-fPIC", "-o", str(library), str(_SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return library
