"""A day with entries of several kinds, and its compaction."""

from datetime import date
from typing import Any

from logstream.config.settings import StorageConfig
from logstream.storage.compaction import Compactor
from logstream.storage.partition import Key

DAY = date(2026, 1, 1)


def entry(at: int, source: str, **fields: Any) -> dict[str, Any]:
    return {
        "timestamp": f"2026-01-01T00:{at // 60 % 60:02}:{at % 60:02}Z",
        "source": source,
        "message": f"entry {at}",
        "fields": fields,
    }


def compact(store: Any) -> None:
    settings = StorageConfig(min_free_bytes=0)
    done = Compactor(store.hub, store.partitions, settings, tmp=None).compact(Key(DAY))
    assert done is not None
