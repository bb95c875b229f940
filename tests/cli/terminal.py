"""The real program on a terminal of its own, and a person who types. For tests.

What is waited for is text on the screen, each time with a generous limit.
"""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

WAIT_S = 150.0
_AGAIN_S = 0.2
CTRL_C, CTRL_D, TAB, UP = "\x03", "\x04", "\t", "\x1b[A"
_WHERE_IS_THE_CURSOR, _THERE = b"\x1b[6n", b"\x1b[1;1R"


class Terminal:
    """Use as a context manager: what still runs is killed.

    Args:
        lines: How high it is; 100 cells wide.
    """

    def __init__(
        self,
        *args: str,
        folder: Path,
        environment: Mapping[str, str],
        lines: int = 30,
    ) -> None:
        self._terminal, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", lines, 100, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", _ON_ITS_TERMINAL, *args],
            cwd=folder,
            env=environment,
            stdin=child,
            stdout=child,
            stderr=child,
            start_new_session=True,
        )
        os.close(child)
        self._shown = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait(WAIT_S)
        os.close(self._terminal)
        if error is not None:
            error.add_note(f"Still to be read on the screen: {self._shown[-3000:]!r}")

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def until(self, text: str) -> str:
        """What is shown up to this text, behind what was waited for before."""
        wanted = text.encode()
        while wanted not in self._shown:
            assert self._read(), f"never shown: {text!r}"
        seen, _, self._shown = self._shown.partition(wanted)
        return (seen + wanted).decode(errors="replace")

    def insist(self, key: str, text: str) -> None:
        """Type a key again and again until a text is shown: it may come too early."""
        for _ in range(round(WAIT_S / _AGAIN_S)):
            self.type(key)
            while select.select([self._terminal], [], [], _AGAIN_S)[0]:
                self._read()
            if text.encode() in self._shown:
                self.until(text)
                return
        raise AssertionError(f"never shown: {text!r}")

    def end(self) -> tuple[int, str]:
        """Wait until it has ended by itself: its exit code, and the rest."""
        while self._read():
            pass
        return self.process.wait(WAIT_S), self._shown.decode(errors="replace")

    def _read(self) -> bool:
        ready, _, _ = select.select([self._terminal], [], [], WAIT_S)
        assert ready, "nothing is shown any more"
        try:
            data = os.read(self._terminal, 65_536)
        except OSError:  # Linux says so when the other end is closed
            return False
        if _WHERE_IS_THE_CURSOR in self._shown[-3:] + data:
            os.write(self._terminal, _THERE)
        self._shown += data
        return bool(data)


_ON_ITS_TERMINAL = """
import fcntl, os, runpy, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C is a signal
sys.argv[0] = "logstream"
runpy.run_module("logstream", run_name="__main__")
"""
