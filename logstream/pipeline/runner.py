"""Runners: where a chain runs, so that a processor that hangs can be given up.

A thread that hangs cannot be ended: it is left behind, and a new chain takes its
place. A process is killed. Both take one chunk at a time.

A process reads its chunk from the segment's file, and leaves the result in memory that
both share: only a few words go through the pipe, which costs 2 µs CPU a kilobyte.
"""

import contextlib
import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.reduction import DupFd
from queue import SimpleQueue
from typing import Any, Protocol

import msgspec

from logstream.core.rejections import DeadReason
from logstream.journal.files import anonymous_file
from logstream.pipeline.chain import Chain, ChunkResult, describe
from logstream.pipeline.chunk import Chunk

ChainFactory = Callable[[], Chain]


class ChainGone(Exception):
    """The chain did not answer in time, or its process ended; make a new runner."""

    def __init__(
        self, detail: str, *, reason: DeadReason, killed: bool = False
    ) -> None:
        super().__init__(detail)
        self.killed = killed
        """Its process ended, and somebody else may have done that."""
        self.reason: DeadReason = reason
        """Of an entry that it was about alone."""


def _too_slow(timeout_s: float) -> ChainGone:
    return ChainGone(
        f"did not finish within {timeout_s:g} s", reason="processor_timeout"
    )


class ChainRunner(Protocol):
    def run(self, chunk: Chunk, *, timeout_s: float) -> ChunkResult:
        """Raises ChainGone: this runner is of no more use."""
        ...

    def close(self) -> None: ...


class ThreadRunner:
    """A chain in a thread of its own."""

    def __init__(self, make_chain: ChainFactory) -> None:
        self._tasks: SimpleQueue[Chunk | None] = SimpleQueue()
        self._answer: ChunkResult | BaseException | None = None
        self._answered = threading.Event()
        self._chain = make_chain()
        self._thread = threading.Thread(
            target=self._work, name="processors", daemon=True
        )
        self._thread.start()

    def run(self, chunk: Chunk, *, timeout_s: float) -> ChunkResult:
        self._answered.clear()
        self._tasks.put(chunk)
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
        while (chunk := self._tasks.get()) is not None:
            try:
                self._answer = self._chain.run(chunk.read(), chunk.first_id)
            except BaseException as error:  # noqa: BLE001 - delivered by `run`
                self._answer = error
            self._answered.set()


class ProcessRunner:
    """A chain in a process of its own, for processors that use much CPU in Python.

    The process starts at once; the first chunk waits for it.
    """

    def __init__(self, make_chain: ChainFactory) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._shared = anonymous_file("processed")
        self._process = context.Process(
            target=_serve_chain,
            args=(theirs, _Inherited(self._shared), make_chain),
            name="processors",
            daemon=True,
        )
        self._process.start()
        theirs.close()
        self._ready = False

    def run(self, chunk: Chunk, *, timeout_s: float) -> ChunkResult:
        try:
            if not self._ready:
                self._receive(timeout_s + _START_GRACE_S)
                self._ready = True
            # It waits for this, so a pipe that is full does not stay full.
            self._connection.send(chunk.to_send())
            answer = self._receive(timeout_s)
        except (EOFError, OSError) as error:
            self.close()
            code = self._process.exitcode
            raise ChainGone(
                f"its process ended (exit {code})",
                reason="processor_error",
                killed=True,
            ) from error
        assert isinstance(answer, _Answer)
        payload = os.pread(self._shared, answer.size, 0)
        return msgspec.structs.replace(answer.result, payload=payload)

    def _receive(self, timeout_s: float) -> object:
        if not self._connection.poll(timeout_s):
            self.close()
            raise _too_slow(timeout_s)
        return self._connection.recv()

    def close(self) -> None:
        self._connection.close()
        self._process.kill()
        self._process.join(5)
        if self._shared >= 0:
            os.close(self._shared)
            self._shared = -1


_START_GRACE_S = 10.0
"""The first chunk may wait for the interpreter to start and plugins to load."""
_YOUNG_OBJECTS = 200_000
"""The fields of a chunk's entries live no longer than the chunk. Looking for cycles
among them at Python's usual pace costs a quarter of the whole."""


class _Answer(msgspec.Struct, frozen=True):
    result: ChunkResult
    """Without its payload, which is in the shared memory."""
    size: int


class _Inherited:
    """An open file that a process which is being started gets from its parent."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __getstate__(self) -> Any:
        return DupFd(self.fd)

    def __setstate__(self, passed: Any) -> None:
        self.fd = passed.detach()


def _serve_chain(
    connection: Connection, shared: _Inherited, make_chain: ChainFactory
) -> None:
    # Ctrl-C goes to all processes of a terminal: ours ends when its parent is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    chain = make_chain()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)
    with contextlib.suppress(EOFError, OSError):
        connection.send(None)
        while True:
            chunk = connection.recv()
            result = chain.run(chunk.read(), chunk.first_id)
            size = _write_at_start(shared.fd, result.payload)
            bare = msgspec.structs.replace(result, payload=b"")
            connection.send(_Answer(bare, size))


def _write_at_start(fd: int, data: bytes) -> int:
    view, at = memoryview(data), 0
    while at < len(view):
        at += os.pwrite(fd, view[at:], at)
    return at
