"""Positions: as durable as the entries that they stand behind, and never older."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstream.core.errors import StorageError
from logstream.journal.files import DiskFiles
from logstream.journal.journal import Journal
from logstream.journal.positions import MAX_REMOVED, Positions
from logstream.journal.recovery import recover
from logstream.journal.segment import Segment
from logstream.journal.tickets import Ticket


class Run:
    """One life of a journal on a folder; ended by `close`, or by nothing at all."""

    def __init__(self, folder: Path) -> None:
        files = DiskFiles(folder / "journal")
        self.positions = Positions(folder / "positions.json")
        for number, path in files.existing():
            self.positions.note(recover(number, path).positions)
        self.closed: list[Segment] = []
        self.acked = 0
        self.journal = Journal(
            files,
            self.positions,
            segment_bytes=1,
            linger_s=3600,
            on_segment=self.closed.append,
            on_group=lambda *_: None,
        )

    def send(self, positions: dict[str, Any], lines: int = 1) -> None:
        payload = b'{"message":"m"}\n' * lines
        self.journal.append(
            Ticket(payload=payload, lines=lines, positions=positions, done=None)
        )


def stored(folder: Path, *names: str) -> dict[str, Any]:
    """What the next start would know."""
    run = Run(folder)
    run.journal.close()
    return run.positions.get(names)


def test_positions_are_there_with_their_entries_after_a_crash(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.send({"a": 1, "b": {"inode": 7}})
    run.journal.close()
    assert stored(tmp_path, "a", "b", "c") == {"a": 1, "b": {"inode": 7}}


def test_a_torn_frame_takes_its_positions_with_it(tmp_path: Path) -> None:
    """Both are there or neither is."""
    run = Run(tmp_path)
    run.send({"a": 1})
    run.journal.close()
    run = Run(tmp_path)
    run.send({"a": 2})
    run.journal.close()
    path = run.closed[0].file.path
    path.write_bytes(path.read_bytes()[:-1])
    assert stored(tmp_path, "a") == {"a": 1}


def test_positions_without_entries_outlive_their_segment(tmp_path: Path) -> None:
    """Such a segment is deleted when it closes, since nobody has to load it."""
    run = Run(tmp_path)
    run.send({"a": 5}, lines=0)
    run.journal.close()
    assert run.closed == []
    assert not [*(tmp_path / "journal").glob("*.ndjson")]
    assert stored(tmp_path, "a") == {"a": 5}


@given(st.permutations([0, 1, 2, 3]), st.integers(0, 4))
def test_the_newest_wins_in_whatever_order_segments_go(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], retired: int
) -> None:
    """Workers finish in any order, and a crash may come between any two of them."""
    folder = tmp_path_factory.mktemp("journal")
    for value in range(4):
        run = Run(folder)
        run.send({"a": value})
        run.journal.close()
    run = Run(folder)
    found = sorted((folder / "journal").glob("*.ndjson"))
    for at in order[:retired]:
        whole = recover(at, found[at])
        run.positions.save(whole.positions)
        found[at].unlink()
    run.journal.close()
    assert stored(folder, "a") == {"a": 3}


def test_a_staged_batch_is_newer_than_what_was_acked_while_it_came(
    tmp_path: Path,
) -> None:
    """Its files have lower numbers; that does not make its positions older."""
    run = Run(tmp_path)
    staging = run.journal.stage()
    staging.write(b'{"message":"m"}\n', lines=1)
    run.send({"a": "while it came"})
    run.journal.close()
    staging.write(b"", lines=0, positions={"a": "behind it"})
    staging.commit()
    assert run.positions.get(["a"]) == {"a": "behind it"}
    assert stored(tmp_path, "a") == {"a": "behind it"}


def test_a_removed_name_stays_removed(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.send({"a": 1, "b": 1})
    run.journal.close()
    run = Run(tmp_path)
    run.send({"a": None})
    run.journal.close()
    assert stored(tmp_path, "a", "b") == {"b": 1}


def test_names_that_were_removed_are_not_remembered_for_ever(tmp_path: Path) -> None:
    """A file's name is removed with the file: a busy server removes many."""
    positions = Positions(tmp_path / "positions.json")
    for n in range(MAX_REMOVED + 50):
        positions.save(positions.stamp({f"f{n}": None}) if n % 100 == 0 else {})
        positions.note(positions.stamp({f"f{n}": None}))
    assert len(positions._current) == MAX_REMOVED
    assert positions.get(["f0", "f1049"]) == {}


def test_a_damaged_file_of_positions_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "positions.json").write_text("{")
    with pytest.raises(StorageError, match="Remove it"):
        Positions(tmp_path / "positions.json")
