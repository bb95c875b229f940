"""A store with a few entries, and queries with pipes over it."""

import json
from pathlib import Path
from typing import Any

from logstream.config.settings import StorageConfig
from logstream.query.query import compile_query
from logstream.storage.batch import Batch
from logstream.storage.hub import Hub
from logstream.storage.loader import Loader
from logstream.storage.partitions import Partitions
from logstream.storage.results import json_value
from logstream.storage.statements import Statements


class Asked:
    """Answers queries over the entries that it was given."""

    def __init__(self, folder: Path, entries: list[dict[str, Any]]) -> None:
        self.hub = Hub(StorageConfig(threads=2), tmp=None)
        (folder / "partitions").mkdir()
        partitions = Partitions(self.hub, folder / "partitions")
        self.partitions = partitions
        self._loader = Loader(self.hub, partitions, max_entry_bytes=1 << 20)
        self._folder = folder
        self._segments = 0
        self.load(entries)
        self.statements = Statements(self.hub, partitions, timeout_s=150)

    def load(self, entries: list[dict[str, Any]]) -> None:
        self._segments += 1
        path = self._folder / f"{self._segments}.ndjson"
        path.write_bytes(b"".join(json.dumps(one).encode() + b"\n" for one in entries))
        self._loader.load(
            Batch(
                segment=self._segments,
                path=path,
                size=path.stat().st_size,
                entries=len(entries),
            )
        )

    def __call__(
        self,
        text: str,
        *,
        from_ns: int | None = None,
        to_ns: int | None = None,
        limit: int | None = None,
    ) -> list[dict[str, Any]]:
        """The rows, as JSON has them."""
        plan = compile_query(text).plan(from_ns=from_ns, to_ns=to_ns, limit=limit)
        kinds = [column.kind for column in plan.columns]
        names = [column.name for column in plan.columns]

        def rows(result: Any) -> list[tuple[Any, ...]]:
            return [row for batch in result.batches() for row in batch]

        found = self.statements.run(plan, rows, from_ns=from_ns, to_ns=to_ns)
        return [
            {
                name: json.loads(bytes(json_value(value) or b"null"))
                if kind == "json"
                else value
                for name, kind, value in zip(names, kinds, row, strict=True)
            }
            for row in found
        ]

    def column(self, text: str) -> list[Any]:
        """The first column."""
        return [next(iter(row.values())) for row in self(text)]

    def close(self) -> None:
        self.hub.close()
