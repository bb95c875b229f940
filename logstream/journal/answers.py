"""What requests with a key were answered, so that a repeated one changes nothing.

An answer is durable with the frame that carries its entries: after a crash both are
there or neither is. Before a segment is deleted, its answers are appended to one file,
which is written anew when most of it is out of date. Answers older than the window, and
the oldest ones above the limits, are forgotten.

How old one is goes by a clock that nobody sets, from when it was given or, of one that
an earlier process gave, from how old it was at the start. So a clock that leaps makes
none too old, but for what leaps ahead between two runs.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from logstream.core.durable import write_durably

_log = logging.getLogger(__name__)

MAX_BYTES = 64 * 1_048_576
"""Of keys and answers that are remembered, beside the limit of their number."""

_NS_PER_S = 1_000_000_000
_SPARE_LINES = 1000


class Answer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    at_ns: int
    """When it was given, since 1970."""
    digest: str
    """Of the request, to tell a repeated one from another with the same key."""
    result: str
    """The caller's own."""


class _Known(msgspec.Struct, frozen=True, gc=False):
    answer: Answer
    until_ns: int
    """By the steady clock."""


class _Line(msgspec.Struct, frozen=True, array_like=True, gc=False):
    key: str
    answer: Answer


_encode = msgspec.json.Encoder().encode
decode_line = msgspec.json.Decoder(_Line).decode


class Answers:
    """Thread-safe.

    Args:
        path: None keeps them in memory only.
        window_s: How long one is remembered; 0 = not at all.
        capacity: The most that are remembered.
        now_ns: The time, since 1970.
        steady_ns: A clock that nobody sets.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        window_s: float = 86_400,
        capacity: int = 100_000,
        now_ns: Callable[[], int] = time.time_ns,
        steady_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._path = path
        self._window_ns = int(window_s * _NS_PER_S)
        self._capacity = capacity
        self._now_ns = now_ns
        self._steady_ns = steady_ns
        self._lock = threading.Lock()
        self._current: dict[str, _Known] = {}
        self._bytes = 0
        self._lines = 0
        self._damaged = False
        """The file may end in a part of a line: it is written anew the next time."""
        self._read()

    def get(self, key: str) -> Answer | None:
        with self._lock:
            found = self._current.get(key)
        return None if found is None or self._is_old(found) else found.answer

    def note(self, answers: Mapping[str, Answer]) -> None:
        """These became durable, in a frame."""
        if answers:
            with self._lock:
                self._merge(answers)

    def save(self, answers: Mapping[str, Answer]) -> None:
        """The frames with these are about to be deleted. Raises OSError."""
        if not answers or self._path is None:
            return
        with self._lock:
            if self._damaged or self._lines > 2 * len(self._current) + _SPARE_LINES:
                self._merge(answers)
                self._rewrite(self._path)
                return
            lines = [_line(key, answer) for key, answer in answers.items()]
            self._damaged = True
            _append_durably(self._path, b"".join(lines))
            self._damaged = False
            self._lines += len(lines)

    def count(self) -> int:
        with self._lock:
            return len(self._current)

    def _is_old(self, known: _Known) -> bool:
        return self._steady_ns() >= known.until_ns

    def _merge(self, answers: Mapping[str, Answer]) -> None:
        for key, answer in answers.items():
            if (known := self._current.get(key)) is not None:
                same = known.answer.at_ns >= answer.at_ns
                if same and not self._is_old(known):
                    continue
                self._forget(key)
            age_ns = max(0, self._now_ns() - answer.at_ns)
            until_ns = self._steady_ns() + self._window_ns - age_ns
            self._current[key] = _Known(answer, until_ns)
            self._bytes += _size(key, answer)
        # The oldest stand first, but for those that come from frames at the start.
        while self._current:
            key = next(iter(self._current))
            full = len(self._current) > self._capacity or self._bytes > MAX_BYTES
            if not full and not self._is_old(self._current[key]):
                return
            self._forget(key)

    def _forget(self, key: str) -> None:
        self._bytes -= _size(key, self._current.pop(key).answer)

    def _rewrite(self, path: Path) -> None:
        lines = [_line(key, known.answer) for key, known in self._current.items()]
        write_durably(path, b"".join(lines))
        self._lines = len(lines)
        self._damaged = False

    def _read(self) -> None:
        if self._path is None or not self._path.exists():
            return
        found: list[_Line] = []
        with self._path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    self._damaged = True  # what is appended would go on in this line
                try:
                    found.append(decode_line(line))
                except msgspec.MsgspecError:
                    self._damaged = True
        if self._damaged:
            _log.warning("A part of %s cannot be read, and is left out.", self._path)
        self._lines = len(found)
        newest = {one.key: one for one in found}  # by place, since a clock may leap
        ordered = sorted(newest.values(), key=lambda one: one.answer.at_ns)
        self._merge({one.key: one.answer for one in ordered})


def _line(key: str, answer: Answer) -> bytes:
    return _encode(_Line(key, answer)) + b"\n"


def _size(key: str, answer: Answer) -> int:
    return len(key) + len(answer.digest) + len(answer.result)


def _append_durably(path: Path, content: bytes) -> None:
    if not path.exists():
        write_durably(path, content)
        return
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    finally:
        os.close(fd)
