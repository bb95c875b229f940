"""Where collectors stand: kept in the journal's frames, and here once those go.

A position is durable with the frame that carries it. Before a segment is deleted its
positions are written to one small file. After a crash the file is read first, then the
frames that are still there, in order, so the newest wins.
"""

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from logstream.core.errors import StorageError
from logstream.journal.files import write_durably


class Positions:
    """Thread-safe. A value of None removes its name.

    Args:
        path: None keeps them in memory only.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._current: dict[str, Any] = self._read()
        self._saved = dict(self._current)

    def note(self, positions: Mapping[str, Any]) -> None:
        """These became durable, in a frame."""
        with self._lock:
            _merge(self._current, positions)

    def save(self, positions: Mapping[str, Any]) -> None:
        """The frames with these are about to be deleted. Raises OSError."""
        if not positions:
            return
        with self._lock:
            _merge(self._saved, positions)
            if self._path is not None:
                write_durably(self._path, msgspec.json.encode(self._saved))

    def get(self, names: Iterable[str]) -> dict[str, Any]:
        with self._lock:
            return {
                name: self._current[name] for name in names if name in self._current
            }

    def _read(self) -> dict[str, Any]:
        if self._path is None or not self._path.exists():
            return {}
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise StorageError(
                f"{self._path} is damaged ({error}). Remove it, and collectors read "
                "their inputs again from the start."
            ) from None


def _merge(into: dict[str, Any], positions: Mapping[str, Any]) -> None:
    for name, value in positions.items():
        if value is None:
            into.pop(name, None)
        else:
            into[name] = value
