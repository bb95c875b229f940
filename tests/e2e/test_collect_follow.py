"""`logstream collect` follows a file: nothing is lost or doubled, whoever is killed."""

import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.fault.server_process import PYTHON, WAIT_S, ServerProcess, environment_of

pytestmark = pytest.mark.timeout(600)


@contextmanager
def _collecting(
    folder: Path, source: Path, port: int
) -> Iterator[subprocess.Popen[str]]:
    command = [*PYTHON, "collect", "--sources", str(source), "--parser", "text"]
    with (folder / "collect.log").open("a") as log:
        process = subprocess.Popen(
            [*command, "--server", f"http://127.0.0.1:{port}"],
            cwd=folder,
            env=environment_of(),
            stdout=subprocess.DEVNULL,
            stderr=log,
            text=True,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(WAIT_S)


class _Writer:
    """An application that logs: it never stops, and knows what it wrote."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.written = 0
        self._file = path.open("a", buffering=1)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def rotate(self) -> None:
        with self._lock:
            self._file.close()
            self._path.rename(self._path.with_name(self._path.name + ".1"))
            self._file = self._path.open("a", buffering=1)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._file.close()

    def _run(self) -> None:
        while not self._stop.wait(0.005):
            with self._lock:
                for _ in range(20):
                    self.written += 1
                    self._file.write(f"line {self.written} of the log\n")


def _until(check: Callable[[], bool], why: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not check():
        assert time.monotonic() < deadline, why
        time.sleep(0.1)


def _until_it_has_more(server: ServerProcess) -> None:
    before = server.total()
    _until(lambda: server.total() > before + 200, "nothing comes")


def _numbers(server: ServerProcess) -> list[int]:
    return [int(row["message"].split()[1]) for row in server.query("")]


def _is_whole(server: ServerProcess, written: int) -> None:
    times = Counter(_numbers(server))
    doubled = [number for number, count in times.items() if count > 1]
    assert not doubled, f"twice: {doubled[:10]} of {len(doubled)}"
    lost = set(range(1, written + 1)) - times.keys()
    assert not lost, f"lost: {sorted(lost)[:10]} of {len(lost)}"


def test_a_server_that_is_killed_and_comes_back_has_every_line_once(
    tmp_path: Path, port: int
) -> None:
    log = tmp_path / "app.log"
    log.touch()
    writer = _Writer(log)
    try:
        with _collecting(tmp_path, log, port) as collector:
            for _ in range(3):
                with ServerProcess(tmp_path, port=port).wait_until_serving() as server:
                    _until_it_has_more(server)
                    server.kill()
                    server.wait()
            writer.close()
            with ServerProcess(tmp_path, port=port).wait_until_serving() as server:
                _until(lambda: server.total() >= writer.written, "not all comes")
                collector.send_signal(signal.SIGTERM)
                assert collector.wait(WAIT_S) == 130
                _is_whole(server, writer.written)
                assert server.terminate() == 0
    finally:
        writer.close()


def test_a_collector_that_is_killed_goes_on_where_it_was(
    tmp_path: Path, port: int
) -> None:
    log = tmp_path / "app.log"
    log.touch()
    writer = _Writer(log)
    try:
        with ServerProcess(tmp_path, port=port).wait_until_serving() as server:
            for _ in range(3):
                with _collecting(tmp_path, log, port) as collector:
                    _until_it_has_more(server)
                    collector.kill()
                    collector.wait(WAIT_S)
            with _collecting(tmp_path, log, port):
                writer.rotate()
                before = writer.written
                _until(lambda: writer.written > before + 200, "the writer stopped")
                writer.close()
                _until(lambda: server.total() >= writer.written, "not all comes")
                _is_whole(server, writer.written)
            assert server.terminate() == 0
    finally:
        writer.close()


def test_collecting_into_the_data_folder_itself_survives_a_kill(tmp_path: Path) -> None:
    """No server: the collector writes into the folder, is killed, and goes on."""
    log = tmp_path / "app.log"
    lines = 120_000
    with log.open("w") as file:
        file.writelines(f"line {n} of the log\n" for n in range(1, lines + 1))
    command = [*PYTHON, "collect", "--once", "--sources", str(log), "--parser", "text"]
    command += ["--data", "data"]
    environment = environment_of()
    for _ in range(3):
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _until(partial(_has_begun, tmp_path, process), "nothing was written")
        process.kill()
        process.wait(WAIT_S)
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done
    with ServerProcess(tmp_path).wait_until_serving() as server:
        _is_whole(server, lines)


def _has_begun(folder: Path, process: "subprocess.Popen[bytes]") -> bool:
    """It has written some of it, or has ended."""
    journal = folder / "data" / "journal"
    begun = any(path.stat().st_size for path in journal.glob("*.ndjson"))
    return begun or process.poll() is not None
