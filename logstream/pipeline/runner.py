"""Runners: where a chain runs, so that a processor that hangs can be given up.

A thread that hangs cannot be ended: it is left behind, and a new chain takes its
place. A process is killed. Both take one chunk at a time.
"""

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Protocol

from logstream.core.rejections import DeadReason
from logstream.pipeline.chain import Chain, ChunkResult, describe

ChainFactory = Callable[[], Chain]


class ChainGone(Exception):
    """The chain did not answer in time, or its process ended; make a new runner."""

    def __init__(self, detail: str, *, reason: DeadReason) -> None:
        super().__init__(detail)
        self.reason: DeadReason = reason
        """Of an entry that it was about alone."""


def _too_slow(timeout_s: float) -> ChainGone:
    return ChainGone(
        f"did not finish within {timeout_s:g} s", reason="processor_timeout"
    )


class ChainRunner(Protocol):
    def run(self, lines: bytes, *, timeout_s: float) -> ChunkResult:
        """Raises ChainGone: this runner is of no more use."""
        ...

    def close(self) -> None: ...


class ThreadRunner:
    """A chain in a thread of its own."""

    def __init__(self, make_chain: ChainFactory) -> None:
        self._tasks: SimpleQueue[bytes | None] = SimpleQueue()
        self._answer: ChunkResult | BaseException | None = None
        self._answered = threading.Event()
        self._chain = make_chain()
        self._thread = threading.Thread(
            target=self._work, name="processors", daemon=True
        )
        self._thread.start()

    def run(self, lines: bytes, *, timeout_s: float) -> ChunkResult:
        self._answered.clear()
        self._tasks.put(lines)
        if not self._answered.wait(timeout_s):
            self.close()  # should it ever come back, it ends
            raise _too_slow(timeout_s)
        answer = self._answer
        if isinstance(answer, ChunkResult):
            return answer
        self.close()
        assert answer is not None
        raise ChainGone(describe(answer), reason="processor_error")

    def close(self) -> None:
        self._tasks.put(None)

    def _work(self) -> None:
        while (lines := self._tasks.get()) is not None:
            try:
                self._answer = self._chain.run(lines)
            except BaseException as error:  # noqa: BLE001 - delivered by `run`
                self._answer = error
            self._answered.set()


class ProcessRunner:
    """A chain in a process of its own, for processors that use much CPU in Python."""

    def __init__(self, make_chain: ChainFactory) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve_chain,
            args=(theirs, make_chain),
            name="processors",
            daemon=True,
        )
        self._process.start()
        theirs.close()
        self._ready = False

    def run(self, lines: bytes, *, timeout_s: float) -> ChunkResult:
        try:
            if not self._ready:
                self._receive(timeout_s + _START_GRACE_S)
                self._ready = True
            # It waits for this, so a pipe that is full does not stay full.
            self._connection.send_bytes(lines)
            answer = self._receive(timeout_s)
        except (EOFError, OSError) as error:
            self.close()
            code = self._process.exitcode
            raise ChainGone(
                f"its process ended (exit {code})", reason="processor_error"
            ) from error
        assert isinstance(answer, ChunkResult)
        return answer

    def _receive(self, timeout_s: float) -> object:
        if not self._connection.poll(timeout_s):
            self.close()
            raise _too_slow(timeout_s)
        return self._connection.recv()

    def close(self) -> None:
        self._connection.close()
        self._process.kill()
        self._process.join(5)


_START_GRACE_S = 10.0
"""The first chunk may wait for the interpreter to start and plugins to load."""


def _serve_chain(connection: Connection, make_chain: ChainFactory) -> None:
    # Ctrl-C goes to all processes of a terminal: ours ends when its parent is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    chain = make_chain()
    with contextlib.suppress(EOFError, OSError):
        connection.send(None)
        while True:
            connection.send(chain.run(connection.recv_bytes()))
