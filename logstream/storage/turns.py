"""Turns: many may share a thing, and now and then one has it alone.

Loads and deletes share a partition. What copies, replaces or removes its file has it
alone, since a commit to a file that is detached or copied meanwhile would be lost.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Thread-safe. One that waits to be alone is let in before new sharers."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._sharing = 0
        self._alone = False
        self._waiting = 0
        self._over = False

    def enter(self, *, wait: bool = True) -> bool:
        """Share it until `leave`. False: it is over (or, without waiting, taken)."""
        with self._changed:
            while not self._over and (self._alone or self._waiting):
                if not wait:
                    return False
                self._changed.wait()
            if self._over:
                return False
            self._sharing += 1
            return True

    def leave(self) -> None:
        with self._changed:
            self._sharing -= 1
            self._changed.notify_all()

    @contextmanager
    def alone(self, timeout_s: float) -> Iterator[bool]:
        """Have it alone. Yields False when that took too long, or it is over."""
        with self._changed:
            self._waiting += 1
            try:
                got = self._changed.wait_for(
                    lambda: self._over or not (self._sharing or self._alone), timeout_s
                )
                got = got and not self._over
                self._alone = self._alone or got
            finally:
                self._waiting -= 1
                self._changed.notify_all()
        try:
            yield got
        finally:
            if got:
                with self._changed:
                    self._alone = False
                    self._changed.notify_all()

    def end(self) -> None:
        """Nobody gets it any more; called by the one that has it alone."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
