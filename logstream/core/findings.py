"""What a check of the store found: the report of `logstream verify`."""

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    where: str
    """A file, below the folder that was checked."""
    what: str


class Report(msgspec.Struct, kw_only=True):
    """Filled while the check goes on; for one thread."""

    partitions: int = 0
    entries: int = 0
    indexes: int = 0
    """Of compacted days."""
    segments: int = 0
    """Of the journal."""
    journal_entries: int = 0
    """Acked and not in the store yet; some may be."""
    positions: int = 0
    answers: int = 0
    """To requests with a key."""
    dead_letters: int = 0
    files: int = 0
    """Of a backup, whose checksums were compared."""
    problems: list[Finding] = []
    notes: list[Finding] = []
    """What is no damage, and good to know."""

    def problem(self, where: str, what: str) -> None:
        self.problems.append(Finding(where=where, what=what))

    def note(self, where: str, what: str) -> None:
        self.notes.append(Finding(where=where, what=what))
