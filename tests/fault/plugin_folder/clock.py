"""A clock of day that a test sets, while the server runs. For tests only.

`FAULT_CLOCK` names a file with the seconds that it is ahead of the real one. What waits
goes by the steady clock, and is left alone.
"""

import os
import time
from pathlib import Path

from logstream.plugins import BuildContext, hookimpl

_NS_PER_S = 1_000_000_000


def _set_clock(ahead: Path) -> None:
    from logstream.journal.answers import Answers

    real_ns = time.time_ns

    def time_ns() -> int:
        try:
            return real_ns() + int(ahead.read_text()) * _NS_PER_S
        except (FileNotFoundError, ValueError):  # it is being written
            return real_ns()

    time.time_ns = time_ns
    time.time = lambda: time_ns() / _NS_PER_S
    defaults = Answers.__init__.__kwdefaults__
    assert defaults is not None
    assert defaults["now_ns"] is real_ns, "it has moved"
    defaults["now_ns"] = time_ns


class _Clock:
    def start(self) -> None:
        if path := os.environ.get("FAULT_CLOCK"):
            _set_clock(Path(path))

    def stop(self) -> None:
        pass


@hookimpl
def logstream_lifecycle(context: BuildContext) -> _Clock:
    return _Clock()
