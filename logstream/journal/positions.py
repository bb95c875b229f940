"""Where collectors stand: kept in the journal's frames, and here once those go.

A position is durable with the frame that carries it. Before a segment is deleted its
positions are written to one small file. After a crash the file is read first, then the
frames that are still there.

Segments are retired in any order, and a staged batch has a number lower than that of
segments acked before it. So each position is stamped with a count that only grows, and
the highest stamp wins, wherever it is found.
"""

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from logstream.core.durable import write_durably
from logstream.core.errors import StorageError

Stamped = tuple[int, Any]
"""A stamp and a position; the position None says that the name was removed."""

MAX_REMOVED = 1000
"""Removed names that are remembered, so that no older frame brings one back."""


class Positions:
    """Thread-safe.

    Args:
        path: None keeps them in memory only.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._current: dict[str, Stamped] = self._read()
        self._saved = dict(self._current)
        self._last = max((stamp for stamp, _ in self._saved.values()), default=0)

    def stamp(self, positions: Mapping[str, Any]) -> dict[str, Stamped]:
        """The form in which a frame carries them; newer than all stamped before."""
        with self._lock:
            self._last += 1
            return {name: (self._last, value) for name, value in positions.items()}

    def note(self, positions: Mapping[str, Stamped]) -> None:
        """These became durable, in a frame."""
        with self._lock:
            _merge(self._current, positions)
            stamps = [stamp for stamp, _ in positions.values()]
            self._last = max(self._last, *stamps, 0)

    def save(self, positions: Mapping[str, Stamped]) -> None:
        """The frames with these are about to be deleted. Raises OSError."""
        if not positions:
            return
        with self._lock:
            _merge(self._saved, positions)
            if self._path is not None:
                write_durably(self._path, msgspec.json.encode(self._saved))

    def get(self, names: Iterable[str]) -> dict[str, Any]:
        with self._lock:
            found = {
                name: self._current[name][1]
                for name in self._current.keys() & set(names)
            }
        return {name: value for name, value in found.items() if value is not None}

    def _read(self) -> dict[str, Stamped]:
        if self._path is None or not self._path.exists():
            return {}
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Stamped])
        except msgspec.MsgspecError as error:
            raise StorageError(
                f"{self._path} is damaged ({error}). Remove it, and collectors read "
                "their inputs again from the start."
            ) from None


def _merge(into: dict[str, Stamped], positions: Mapping[str, Stamped]) -> None:
    for name, stamped in positions.items():
        if name not in into or stamped[0] > into[name][0]:
            into[name] = stamped
    if len(into) <= MAX_REMOVED:
        return
    removed = [name for name, (_, value) in into.items() if value is None]
    if len(removed) > MAX_REMOVED:
        removed.sort(key=lambda name: into[name][0])
        for name in removed[:-MAX_REMOVED]:
            del into[name]
