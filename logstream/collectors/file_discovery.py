"""Finding files: what the patterns match, and rests of rotated files beside it."""

import logging
import os
import stat
import zlib
from collections.abc import Container, Iterator, Sequence

from logstream.collectors.file_paths import expand, folder_of
from logstream.collectors.file_source import (
    Identity,
    Source,
    is_compressed,
    open_source,
)
from logstream.collectors.file_tail import Position
from logstream.telemetry.metrics import COLLECTOR_ERRORS

_log = logging.getLogger(__name__)

_BESIDE = 10_000
"""Files in one folder that are looked at for rests."""


class Found:
    """A file on disk that is not followed yet."""

    __slots__ = ("identity", "matched", "path", "stored")

    def __init__(self, path: str, identity: Identity, *, matched: bool) -> None:
        self.path = path
        self.identity = identity
        self.matched = matched
        self.stored: list[tuple[str, Position]] = []
        """Positions under the names that this file may have."""

    def names(self, collector: str) -> tuple[str, str]:
        name = f"file:{collector}:{self.identity[1]}"
        folder = folder_of(self.path).encode(errors="surrogateescape")
        return name, f"{name}@{zlib.crc32(folder):08x}"


class Discovery:
    """Looks at the disk, opens files, and remembers only what could not be opened.

    Args:
        compressed: Take gzip files too.
    """

    def __init__(self, patterns: Sequence[str], *, compressed: bool) -> None:
        self.unreadable: set[str] = set()
        """Paths that a pattern matches and that could not be opened."""
        self._patterns = tuple(patterns)
        self._compressed = compressed

    def matched(self) -> dict[Identity, str]:
        """Each file that the patterns match now, with the first path that led to it."""
        found: dict[Identity, str] = {}
        for path in expand(self._patterns):
            identity = self.identity(path)
            if identity is not None:
                found.setdefault(identity, path)
        return found

    def beside(self, known: Container[Identity]) -> Iterator[Found]:
        """Other files in the folders of the patterns.

        After a restart they may be what was rotated away meanwhile, with a rest.
        """
        patterns = self._patterns
        for place in sorted(
            {folder_of(path) for path in (*patterns, *expand(patterns))}
        ):
            for path in files_in(place):
                identity = self.identity(path)
                if identity is not None and identity not in known:
                    yield Found(path, identity, matched=False)

    def identity(self, path: str) -> Identity | None:
        if is_compressed(path) and not self._compressed:
            return None
        try:
            status = os.stat(path)  # noqa: PTH116 - ten thousand times a scan
        except OSError:
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        return status.st_dev, status.st_ino

    def open(self, found: Found) -> Source | None:
        """None: it is gone, is another file by now, or may not be read."""
        try:
            source = open_source(found.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            if found.path not in self.unreadable:
                self.unreadable.add(found.path)
                report("A file can not be opened.", found.path, error)
            return None
        self.unreadable.discard(found.path)
        if source.identity != found.identity:
            source.close()
            return None
        return source


def files_in(folder: str) -> list[str]:
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - of thousands
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names[:_BESIDE]]  # noqa: PTH118 - of thousands


def report(event: str, path: str, error: Exception) -> None:
    COLLECTOR_ERRORS.inc()
    _log.warning(event, extra={"file": path, "error": str(error)})
