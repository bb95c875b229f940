"""What is longer than the screen goes through a pager, while it is being made.

Output is held back until it fills the screen; only then is there a pager, which gets it
as it comes. Whoever leaves the pager wants no more: the rest is not even read. What
goes to standard error meanwhile is shown behind it.
"""

import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import BinaryIO

from logstream.cli.output import is_terminal

_ESCAPE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
_PROMPT_LINES = 1
"""That the shell's prompt needs below what is shown."""


@contextmanager
def paged(*, wanted: bool = True) -> Iterator[None]:
    """Standard output of the block goes through a pager when that makes sense.

    Args:
        wanted: There may be one.

    Raises:
        KeyboardInterrupt: once the pager was left, too.
    """
    command = _pager() if wanted and is_terminal() else ()
    if not command:
        yield
        return
    screen = _Screen(sys.stdout.buffer, command)
    kept_out, kept_err = sys.stdout, sys.stderr
    said = io.StringIO()
    encoding = kept_out.encoding
    sys.stdout = io.TextIOWrapper(screen, encoding, kept_out.errors, write_through=True)
    sys.stderr = said
    try:
        with suppress(BrokenPipeError):
            yield
    finally:
        with _interrupts_are_the_pagers():
            with suppress(BrokenPipeError):
                sys.stdout.flush()
            sys.stdout, sys.stderr = kept_out, kept_err
            screen.end()
            kept_err.write(said.getvalue())
            kept_err.flush()


@contextmanager
def _interrupts_are_the_pagers() -> Iterator[None]:
    """A terminal sends Ctrl-C to both: this process goes on until the pager is left."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, kept)


def _pager() -> Sequence[str]:
    """The command; empty: there is none, or none is wanted."""
    if os.environ.get("TERM") == "dumb":
        return ()
    named = os.environ.get("PAGER")
    if named is None:
        return ("less",) if shutil.which("less") else ()
    try:
        command = shlex.split(named)
    except ValueError:
        return ()
    if not command or command == ["cat"] or shutil.which(command[0]) is None:
        return ()
    return command


class _Screen(io.RawIOBase):
    """Holds back as much as the screen shows; hands on to a pager what is more.

    Args:
        terminal: Where it goes when it is not more.
    """

    def __init__(self, terminal: BinaryIO, command: Sequence[str]) -> None:
        super().__init__()
        self._terminal = terminal
        self._command = command
        self._size = shutil.get_terminal_size()
        self._held: list[bytes] = []
        self._lines = 0
        self._pager: subprocess.Popen[bytes] | None = None

    def isatty(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._terminal.fileno()

    def write(self, data: object) -> int:
        """Raises BrokenPipeError: the pager was left."""
        part = bytes(data)  # type: ignore[call-overload]
        if self._pager is not None:
            self._send(part)
            return len(part)
        self._held.append(part)
        self._lines += sum(map(self._height, part.split(b"\n")[:-1]))
        if self._lines + _PROMPT_LINES > self._size.lines:
            self._start()
        return len(part)

    def end(self) -> None:
        """Show the rest, and wait until the pager is left."""
        if self._pager is None:
            self._terminal.write(b"".join(self._held))
            self._terminal.flush()
            return
        assert self._pager.stdin is not None
        with suppress(BrokenPipeError):
            self._pager.stdin.close()
        self._pager.wait()

    def _start(self) -> None:
        less = {"LESS": "FRX", "LESSCHARSET": "utf-8"}
        self._terminal.flush()
        self._pager = subprocess.Popen(  # noqa: S603 - the user's own command
            self._command, stdin=subprocess.PIPE, env={**less, **os.environ}
        )
        held = b"".join(self._held)
        self._held.clear()
        self._send(held)

    def _send(self, part: bytes) -> None:
        assert self._pager is not None
        assert self._pager.stdin is not None
        self._pager.stdin.write(part)
        self._pager.stdin.flush()

    def _height(self, line: bytes) -> int:
        """Of a line on the screen, about: what is not ASCII counts as one cell."""
        shown = len(_ESCAPE.sub(b"", line).decode(errors="replace"))
        return max(1, -(-shown // self._size.columns))
