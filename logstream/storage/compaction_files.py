"""The files of a compaction, told apart by their endings; see `compaction`."""

from pathlib import Path

from logstream.storage.partition import Partition, wal_of


class CompactionFiles:
    """Of one compaction of one partition. Leave nothing behind: `clean_up`."""

    def __init__(self, partition: Partition, old: Path) -> None:
        generation = partition.generation + 1
        stem = f"{partition.key}.g{generation}"
        self.key = partition.key
        self.old = old
        self.copy = old.with_name(f"{stem}.copy")
        self.new = old.with_name(f"{stem}.new")
        self.new_index = old.with_name(f"{stem}.index.new")
        self.index = old.with_name(f"{stem}.index")
        self.path = old.with_name(f"{stem}.duckdb")
        self.clean_up()

    def clean_up(self) -> None:
        for path in (self.copy, self.new, self.new_index):
            wal_of(path).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
        if not self.path.exists():
            self.index.unlink(missing_ok=True)
