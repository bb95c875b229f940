"""The real server as a child process, and plain HTTP to it. For tests of faults.

Waits are for something to be said or to end, each with a generous time limit.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 150.0
PYTHON = (sys.executable, "-X", "faulthandler", "-m", "logstream")


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class ServerProcess:
    """`logstream serve` on a free port. Use as a context manager: it is killed.

    Args:
        config: The config file, as a JSON value (YAML reads it).
        environment: Added to this process's.
    """

    def __init__(
        self,
        folder: Path,
        *,
        config: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        port: int = 0,
    ) -> None:
        self.data = folder / "data"
        path = folder / "config.yaml"
        path.write_text(json.dumps(config or {}))
        self._said = threading.Condition()
        self._lines: list[str] = []
        self._ended = False
        command = ["serve", "--port", str(port), "--data", str(self.data)]
        self.process = subprocess.Popen(
            [*PYTHON, *command, "--config", str(path)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment_of(environment),
            cwd=folder,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.wait()
        if error is not None:
            error.add_note("The server said:\n" + "".join(self._lines[-50:]))

    def wait_until_serving(self) -> Self:
        self.address = urlsplit(self.wait_for("Serving on ").split()[-1]).netloc
        return self

    def wait_for(self, text: str) -> str:
        """The message of the first line of its log whose message has this text."""

        def find() -> str | None:
            found = (message_of(line) for line in self._lines)
            return next((message for message in found if text in message), None)

        with self._said:
            self._said.wait_for(lambda: find() or self._ended, WAIT_S)
            message = find()
        assert message is not None, f"never said {text!r}: {self.output()}"
        return message.rstrip(".")

    def output(self) -> str:
        return "".join(self._lines)

    def terminate(self) -> int:
        """SIGTERM, and its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        self.process.kill()

    def wait(self) -> int:
        """Until it has ended by itself; its exit code."""
        code = self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        return code

    def peak_bytes(self) -> int:
        """The largest resident size so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(x for x in status.splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            for line in stream:
                with self._said:
                    self._lines.append(line)
                    self._said.notify_all()
        with self._said:
            self._ended = True
            self._said.notify_all()

    # ---- HTTP ----

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.address, timeout=WAIT_S)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """On a connection of its own. Raises OSError, HTTPException."""
        connection = self.connect()
        try:
            return ask(connection, method, path, body, headers)
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status == 200, answer
        return answer.json()

    def query(self, text: str, **more: Any) -> list[dict[str, Any]]:
        """All entries of a filter, over as many pages as it takes."""
        body = {"filter": text, "limit": 10_000, "sort_by": "id", **more}
        rows: list[dict[str, Any]] = []
        path = "/api/v1/query"
        while path:
            answer = self.ask(
                "POST",
                path,
                json.dumps(body).encode(),
                {"Content-Type": "application/json"},
            )
            assert answer.status == 200, answer
            rows += answer.json()
            link = answer.headers.get("link", "")
            path = link.partition("<")[2].partition(">")[0]
        return rows

    def total(self) -> int:
        return int(self.get("/api/v1/logs/stats")["TotalEntries"])

    def metrics(self) -> dict[str, float]:
        """Every sample by its name with labels."""
        text = self.ask("GET", "/metrics").body.decode()
        samples = (x.rpartition(" ") for x in text.splitlines() if x[:1] != "#")
        return {name: float(value) for name, _, value in samples}


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    connection.request(method, path, body, dict(headers or {}))
    answer = connection.getresponse()
    named = {name.lower(): value for name, value in answer.getheaders()}
    return Answer(answer.status, named, answer.read())


def message_of(line: str) -> str:
    try:
        return str(json.loads(line)["message"])
    except (ValueError, KeyError, TypeError):
        return line


def environment_of(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Of a child. It keeps what it compiles: without, each start takes 2.7 s of CPU
    instead of 0.8.
    """
    kept = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPATH": str(ROOT)}
    return {**os.environ, **kept, **(more or {})}


def run_cli(
    arguments: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """A command of the real command line, to its end."""
    return subprocess.run(
        [*PYTHON, *arguments],
        cwd=cwd,
        env=environment_of(environment),
        capture_output=True,
        text=True,
        timeout=WAIT_S * 2,
        check=False,
    )
