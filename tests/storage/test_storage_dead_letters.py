"""Dead letters: kept with their reason, once, and never without bound."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from logstream.config.settings import StorageConfig
from logstream.core.errors import FolderInUse, StorageError
from logstream.storage import dead_letters
from logstream.storage.dead_letters import DeadLetter, DeadLetterStore
from logstream.storage.folder import DataFolder, read_owner
from logstream.storage.hub import Hub
from logstream.storage.partition import wal_of


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = Hub(StorageConfig(threads=1), tmp=None)
    yield made
    made.close()


def a_letter(number: int, detail: str = "boom") -> DeadLetter:
    return DeadLetter(
        id=number,
        failed_at="2025-05-13T00:00:00Z",
        processor="parse",
        reason="processor_error",
        detail=detail,
        entry=msgspec.Raw(b'{"message":"m%d"}' % number),
    )


def ids(letters: list[DeadLetter]) -> list[int]:
    return [letter.id for letter in letters]


def test_letters_outlive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "it's dead.duckdb"
    for expected in (0, 1):
        hub = Hub(StorageConfig(threads=1), tmp=None)
        store = DeadLetterStore(hub, path, capacity_rows=10)
        assert store.count() == expected
        store.put(1, [a_letter(5)])
        hub.close()


def test_a_batch_worked_on_again_replaces_its_letters(hub: Hub) -> None:
    store = DeadLetterStore(hub, None, capacity_rows=100)
    store.put(1, [a_letter(1), a_letter(2)])
    store.put(2, [a_letter(7)])
    store.put(1, [a_letter(2)])
    assert ids(store.list(limit=10)) == [7, 2]
    store.put(1, [])
    assert ids(store.list(limit=10)) == [7]


def test_letters_are_listed_in_pages_and_found_by_id(hub: Hub) -> None:
    store = DeadLetterStore(hub, None, capacity_rows=5000)
    store.put(1, [a_letter(n) for n in range(1200)])
    assert ids(store.list(limit=3)) == [1199, 1198, 1197]
    assert ids(store.list(limit=2, before_id=2)) == [1, 0]
    assert store.get([7, 3, 99_999]) == [a_letter(3), a_letter(7)]
    store.remove([3])
    assert store.count() == 1199


def test_over_the_capacity_the_oldest_go(hub: Hub) -> None:
    store = DeadLetterStore(hub, None, capacity_rows=3)
    store.put(1, [a_letter(n) for n in range(2)])
    store.put(2, [a_letter(n) for n in range(2, 5)])
    assert ids(store.list(limit=10)) == [4, 3, 2]


def test_what_is_logged_is_checkpointed_once_it_is_long(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in memory as long, and a checkpoint of a few letters takes 256 KB."""
    monkeypatch.setattr(dead_letters, "_LONG_BYTES", 20_000)
    path = tmp_path / "dead.duckdb"
    store = DeadLetterStore(hub, path, capacity_rows=100)
    logged = []
    for segment in range(100):
        store.put(segment, [a_letter(segment, "x" * 1000)])
        wal = wal_of(path)
        logged.append(wal.stat().st_size if wal.exists() else 0)
    assert max(logged) < 20_000
    assert 4 <= logged.count(0) <= 8
    assert store.count() == 100


def test_what_stands_still_is_whole_with_its_log_and_takes_no_checkpoint(
    hub: Hub, tmp_path: Path
) -> None:
    store = DeadLetterStore(hub, tmp_path / "dead.duckdb", capacity_rows=100)
    for segment in range(3):
        store.put(segment, [a_letter(segment)])
        with store.standing_still():
            for path in tmp_path.glob("dead.duckdb*"):
                shutil.copyfile(path, tmp_path / f"copied-{segment}{path.suffix}")
    sizes = {path.stat().st_size for path in tmp_path.glob("copied-*.duckdb")}
    assert len(sizes) == 1
    for segment in range(3):
        other = Hub(StorageConfig(threads=1), tmp=None)
        copied = tmp_path / f"copied-{segment}.duckdb"
        shutil.move(tmp_path / f"copied-{segment}.wal", wal_of(copied))
        found = DeadLetterStore(other, copied, capacity_rows=100)
        assert ids(found.list(limit=10)) == [*range(segment, -1, -1)]
        other.close()


@pytest.mark.parametrize("free", [0, OSError(5, "Input/output error")])
def test_without_room_for_a_checkpoint_letters_stay_in_the_log(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: Any
) -> None:
    def usage(_: Path) -> Any:
        if isinstance(free, OSError):
            raise free
        return SimpleNamespace(free=free)

    monkeypatch.setattr(dead_letters, "_LONG_BYTES", 1)
    monkeypatch.setattr(shutil, "disk_usage", usage)
    store = DeadLetterStore(hub, tmp_path / "dead.duckdb", capacity_rows=100)
    store.put(1, [a_letter(1)])
    assert wal_of(tmp_path / "dead.duckdb").exists()
    monkeypatch.undo()
    monkeypatch.setattr(dead_letters, "_LONG_BYTES", 1)
    store.remove([])
    assert not wal_of(tmp_path / "dead.duckdb").exists()
    assert store.get([1]) == [a_letter(1)]


@pytest.mark.parametrize("detail", ["\ud800", "\x00", "x" * 10_000, "'; DROP TABLE"])
def test_whatever_was_raised_can_be_kept(hub: Hub, detail: str) -> None:
    """A detail that cannot be stored would hold up its whole segment for ever."""
    store = DeadLetterStore(hub, None, capacity_rows=3)
    store.put(1, [a_letter(1, detail)])
    assert len(store.list(limit=1)[0].detail) <= 2000


def test_a_file_that_does_not_open_says_what_to_do(hub: Hub, tmp_path: Path) -> None:
    path = tmp_path / "dead.duckdb"
    path.write_bytes(b"junk" * 5000)
    with pytest.raises(StorageError, match="move the file away"):
        DeadLetterStore(hub, path, capacity_rows=3)


def test_a_folder_has_one_owner(tmp_path: Path) -> None:
    """The second is told who the first is; when it is gone the folder is free."""
    import os

    first = DataFolder(tmp_path / "data")
    first.announce("http://127.0.0.1:8000")
    with pytest.raises(FolderInUse, match=str(os.getpid())) as caught:
        DataFolder(tmp_path / "data")
    assert caught.value.pid == os.getpid()
    owner = read_owner(tmp_path / "data")
    assert owner is not None
    assert owner.url == "http://127.0.0.1:8000"
    first.close()
    first.close()
    assert read_owner(tmp_path / "data") is None
    DataFolder(tmp_path / "data").close()


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        DataFolder(tmp_path / "file" / "data")


def test_a_folder_on_a_full_disk_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StorageError, match="No space"):
        DataFolder(tmp_path / "data")
    monkeypatch.undo()
    DataFolder(tmp_path / "data").close()
