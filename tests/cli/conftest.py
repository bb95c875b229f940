"""A server that answers as it is told to, and a terminal to run the program in."""

import json
import os
import pty
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
Answer = tuple[int, dict[str, str], Any]


class Stub:
    """Answers by `METHOD /path`; remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[Any, str], Answer]] = {}
        self.asked: list[tuple[str, Any]] = []
        self.url = ""

    def on(self, call: str, answer: Any, *, status: int = 200, **headers: str) -> None:
        self.answers[call] = lambda _body, _path: (status, headers, answer)


@pytest.fixture
def stub() -> Iterator[Stub]:
    told = Stub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(raw) if raw else None
            told.asked.append((f"{self.command} {self.path}", body))
            call = f"{self.command} {self.path.partition('?')[0]}"
            missing: Answer = (
                404,
                {},
                {"type": "urn:logstream:not_found", "detail": call},
            )
            found = told.answers.get(call)
            status, headers, answer = found(body, self.path) if found else missing
            content = (
                answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            )
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with suppress(BrokenPipeError):  # whoever asked has given up
                self.wfile.write(content)

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}"
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(name="clean_environment")
def _clean_environment() -> Callable[..., dict[str, str]]:
    return clean_environment


def clean_environment(**more: str) -> dict[str, str]:
    """This one without variables that change what the program does or shows; a server
    that runs on this machine is not found.
    """
    dropped = ("LOGSTREAM_", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
    ours = {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "PAGER": "cat"}
    return {**kept, **ours, "LOGSTREAM_SERVER_PORT": "9", **more}


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run the real program, with pipes, in an empty folder."""

    def start(*args: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
        more.setdefault("env", clean_environment())
        return subprocess.run(
            [sys.executable, "-m", "logstream", *args],
            cwd=tmp_path,
            capture_output=True,
            timeout=150,
            check=False,
            **more,
        )

    return start


@pytest.fixture
def run_on_terminal(tmp_path: Path) -> Callable[..., str]:
    """Run the real program on a terminal of 100 cells; what is on the screen."""

    def start(*args: str, **environment: str) -> str:
        parent, child = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "logstream", *args],
            cwd=tmp_path,
            stdin=child,
            stdout=child,
            stderr=child,
            env=clean_environment(COLUMNS="100", **environment),
        )
        os.close(child)
        shown = b"".join(_read_all(parent))
        os.close(parent)
        process.wait(timeout=150)
        return shown.decode()

    return start


def _read_all(terminal: int) -> Iterator[bytes]:
    while select.select([terminal], [], [], 50)[0]:
        try:
            data = os.read(terminal, 65_536)
        except OSError:  # Linux says so when the other end is closed
            return
        if not data:
            return
        yield data
