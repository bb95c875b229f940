"""A store on a folder, and batches to load into it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logstream.config.settings import StorageConfig
from logstream.plugins.contracts import Rewrite
from logstream.storage.batch import Batch
from logstream.storage.hub import Hub
from logstream.storage.loader import Loader
from logstream.storage.partitions import Partitions
from logstream.storage.reader import Reader
from logstream.storage.rows import Page
from logstream.storage.selection import Selection


class Store:
    """Hub, partitions, loader and reader over one folder."""

    def __init__(self, folder: Path | None, scratch: Path) -> None:
        self.folder = folder
        self._scratch = scratch
        self._segments = 0
        self.hub = Hub(StorageConfig(threads=2), tmp=None)
        self.partitions = Partitions(self.hub, folder)
        self.loader = Loader(self.hub, self.partitions, max_entry_bytes=100_000)
        self.reader = Reader(self.hub, self.partitions, timeout_s=150)

    def batch(
        self,
        *entries: Any,
        segment: int | None = None,
        rewrites: tuple[Rewrite, ...] = (),
    ) -> Batch:
        """A batch of entries, or of lines of bytes as they stand."""
        if segment is None:
            self._segments += 1
            segment = self._segments
        lines = [
            entry if isinstance(entry, bytes) else json.dumps(entry).encode()
            for entry in entries
        ]
        path = self._scratch / f"batch-{segment}.ndjson"
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        return Batch(
            segment=segment,
            path=path,
            size=path.stat().st_size,
            entries=len(entries),
            rewrites=rewrites,
        )

    def load(self, *entries: Any, segment: int | None = None) -> int:
        return self.loader.load(self.batch(*entries, segment=segment)).entries

    def page(self, limit: int = 100, **options: Any) -> Page:
        selection = options.pop("selection", Selection())
        return self.reader.entries(selection, limit=limit, **options)

    def messages(self, limit: int = 100, **options: Any) -> list[str]:
        return [row.message for row in self.page(limit, **options).rows]

    def files(self) -> list[str]:
        assert self.folder is not None
        return sorted(path.name for path in self.folder.iterdir())

    def close(self) -> None:
        self.hub.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "partitions"
    path.mkdir()
    return path


@pytest.fixture
def store(folder: Path, tmp_path: Path) -> Iterator[Store]:
    made = Store(folder, tmp_path)
    yield made
    made.close()
