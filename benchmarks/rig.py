"""What the benchmarks share: a real server process, and what it used."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Self
from urllib.request import urlopen

import msgspec

from logstream.collectors.traffic import generate

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6


class Used(msgspec.Struct, frozen=True):
    """What a process used between two moments."""

    cpu_s: float
    peak_mb: float


class ServerProcess:
    """`logstream serve` on a folder of its own and a free port."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._log = (folder / "server.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "logstream", "serve", "--port", "0"],
            env={
                **os.environ,
                "LOGSTREAM_STORAGE_PATH": str(folder / "data"),
                "LOGSTREAM_LOG_FORMAT": "text",
                **environment,
            },
            stderr=self._log,
            stdout=self._log,
        )
        self._peak_mb = 0.0
        self._watching = True
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        self.url = self._wait_for_url(folder / "server.log")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._watching = False
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)
        self._log.close()

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def get(self, path: str) -> Any:
        with urlopen(self.url + path, timeout=120) as answer:
            return json.load(answer)

    @contextmanager
    def measured(self) -> Iterator[dict[str, Used]]:
        """Fills in `used` at the end of the block."""
        found: dict[str, Used] = {}
        self._peak_mb = 0.0
        before = self._cpu_s()
        yield found
        found["used"] = Used(self._cpu_s() - before, self._peak_mb)

    def _cpu_s(self) -> float:
        """Of the server and the processes of its own, all of which go on."""
        pid = self._process.pid
        tasks = Path(f"/proc/{pid}/task").glob("*/children")
        children = [child for task in tasks for child in task.read_text().split()]
        return sum(_cpu_s(child) for child in (str(pid), *children))

    def _watch(self) -> None:
        while self._watching and self._process.poll() is None:
            self._peak_mb = max(self._peak_mb, self.resident_mb())
            time.sleep(0.02)

    def resident_mb(self) -> float:
        statm = Path(f"/proc/{self._process.pid}/statm").read_text()
        return int(statm.split()[1]) * _PAGE_MB

    def _wait_for_url(self, log: Path) -> str:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self._process.poll() is None:
            if found := re.search(
                r"Serving on (http://[^ \n]+?)\.?\n", log.read_text()
            ):
                return found[1]
            time.sleep(0.05)
        raise RuntimeError(f"The server did not start:\n{log.read_text()}")


def _cpu_s(pid: str) -> float:
    stat = Path(f"/proc/{pid}/stat").read_text()
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def write_entries(path: Path, count: int, *, seed: int = 7) -> None:
    """Generated entries as NDJSON, all of one day."""
    encode = msgspec.json.Encoder().encode_lines
    stream = generate(seed, 1_793_491_200_000_000_000, count / 80_000)
    with path.open("wb") as file:
        left = count
        while left:
            part = list(islice(stream, min(left, 50_000)))
            file.write(encode(part))
            left -= len(part)
