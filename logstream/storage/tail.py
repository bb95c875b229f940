"""The tail of a day: the small row groups at its end, which `folding` makes one of.

It is what this process has seen of them. There may be more: from before a start.
"""

import threading

_MOST_GROUPS = 32
MOST_ROWS = 20_480
_MOST_BYTES = 8 << 20
"""A row group of so much is none of a tail, and a tail of so much is folded."""


class Tail:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups = 0
        self._rows = 0
        self._bytes = 0

    @property
    def rows(self) -> int:
        """In its row groups."""
        return self._rows

    @property
    def is_due(self) -> bool:
        """Whether it is to be folded."""
        with self._lock:
            return self._groups > 1 and (
                self._groups >= _MOST_GROUPS
                or self._rows >= MOST_ROWS
                or self._bytes >= _MOST_BYTES
            )

    def add(self, rows: int, size: int) -> None:
        """A checkpoint has made a row group of this.

        Args:
            size: Bytes of the write-ahead log.
        """
        with self._lock:
            if rows >= MOST_ROWS or size >= _MOST_BYTES:
                self._groups = self._rows = self._bytes = 0
            elif rows:
                self._groups += 1
                self._rows += rows
                self._bytes += size

    def clear(self) -> None:
        """It is not known any more where it begins."""
        with self._lock:
            self._groups = self._rows = self._bytes = 0
