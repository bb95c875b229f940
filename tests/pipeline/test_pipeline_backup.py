"""Backups: all that was acked, each entry once, of a store that is in use."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from logstream.config.settings import Settings
from logstream.core.errors import BadRequest, NotReady, StorageError
from logstream.core.timestamps import now_ns
from logstream.journal.answers import Answer
from logstream.pipeline.decode import decode_lines
from logstream.pipeline.engine import Engine
from logstream.pipeline.verification import verify_folder
from logstream.plugins.manager import load_plugins
from logstream.runtime import building
from logstream.runtime.builtins import BUILTINS
from logstream.storage.backup import restore
from logstream.storage.dead_letters import DeadLetter
from logstream.storage.loader import Loader
from logstream.storage.manifest import read_manifest
from logstream.storage.partition import Key
from logstream.storage.selection import Selection

PLUGINS = load_plugins(Settings().plugins, builtins=BUILTINS)


@contextmanager
def an_engine(path: Path) -> Iterator[Engine]:
    sections: dict[str, Any] = {
        "storage": {"path": str(path), "min_free_bytes": 0, "threads": 1},
        "journal": {"linger_ms": 60_000},
    }
    settings = msgspec.convert(sections, Settings)
    with building.open_engine(settings, plugins=PLUGINS) as (engine, _):
        yield engine


def send(engine: Engine, *messages: str, day: str, **positions: int) -> None:
    lines = [
        json.dumps({"timestamp": f"{day}T12:00:00Z", "message": message})
        for message in messages
    ]
    decoded = decode_lines(
        "\n".join(lines).encode() + b"\n",
        limits=engine.settings.intake,
        received_ns=now_ns(),
    )
    asyncio.run(engine.intake.append(decoded, positions=positions))


def found(engine: Engine) -> list[str]:
    engine.settle_now()
    rows = engine.reader.entries(Selection(), limit=100_000).rows
    return sorted(row.message for row in rows)


def backed_up(engine: Engine, folder: Path) -> list[str]:
    """What changed."""
    before = {one.stored for one in read_manifest(folder).files}
    engine.settle_now()
    engine.keeper.backup(folder)
    return [one.path for one in read_manifest(folder).files if one.stored not in before]


def test_a_backup_of_a_store_in_use_restores_to_the_same(tmp_path: Path) -> None:
    with an_engine(tmp_path / "data") as engine:
        send(engine, "a", "b", day="2026-01-01", reader=2)
        send(engine, "c", day="2026-01-02", reader=3)
        backed_up(engine, tmp_path / "backup")
        send(engine, "later", day="2026-01-02", reader=4)
    assert verify_folder(tmp_path / "backup").problems == []
    restore(tmp_path / "backup", tmp_path / "restored")
    assert verify_folder(tmp_path / "restored").problems == []
    with an_engine(tmp_path / "restored") as engine:
        assert found(engine) == ["a", "b", "c"]
        assert engine.positions(["reader"]) == {"reader": 3}
        send(engine, "new", day="2026-01-02")
        assert found(engine) == ["a", "b", "c", "new"]


def test_a_backup_has_the_dead_letters_that_are_in_their_log(tmp_path: Path) -> None:
    letter = DeadLetter(
        id=7,
        failed_at="2026-01-01T00:00:00Z",
        processor="parse",
        reason="processor_error",
        detail="boom",
        entry=msgspec.Raw(b"{}"),
    )
    with an_engine(tmp_path / "data") as engine:
        send(engine, "a", day="2026-01-01")
        engine.dead_letters.put(1, [letter])
        backed_up(engine, tmp_path / "backup")
    assert verify_folder(tmp_path / "backup").problems == []
    restore(tmp_path / "backup", tmp_path / "restored")
    report = verify_folder(tmp_path / "restored")
    assert (report.dead_letters, report.problems) == (1, [])
    with an_engine(tmp_path / "restored") as engine:
        assert engine.dead_letters.list(limit=10) == [letter]


def test_a_backup_knows_which_keys_were_answered(tmp_path: Path) -> None:
    """A request that is sent again to the restored store stores nothing."""
    answer = Answer(at_ns=now_ns(), digest="d", result="r")
    with an_engine(tmp_path / "data") as engine:
        decoded = decode_lines(
            b'{"message":"a"}\n', limits=engine.settings.intake, received_ns=now_ns()
        )
        remember = {"key": answer}
        asyncio.run(engine.intake.append(decoded, remember=lambda _: remember))
        backed_up(engine, tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "restored")
    with an_engine(tmp_path / "restored") as engine:
        assert engine.answered("key") == answer


def test_a_day_that_has_not_changed_is_not_copied_again(tmp_path: Path) -> None:
    with an_engine(tmp_path / "data") as engine:
        send(engine, "a", day="2026-01-01")
        send(engine, "b", day="2026-01-02")
        first = backed_up(engine, tmp_path / "backup")
        assert "partitions/2026-01-01.duckdb" in first
        assert backed_up(engine, tmp_path / "backup") == []
        send(engine, "c", day="2026-01-02")
        assert "partitions/2026-01-01.duckdb" not in (
            again := backed_up(engine, tmp_path / "backup")
        )
        assert "partitions/2026-01-02.duckdb" in again
    with an_engine(tmp_path / "data") as engine:  # nor after a restart
        again = backed_up(engine, tmp_path / "backup")
        assert [path for path in again if path.startswith("partitions/")] == []
    kept = {one.stored for one in read_manifest(tmp_path / "backup").files}
    there = {f"files/{path.name}" for path in (tmp_path / "backup/files").iterdir()}
    assert there == kept  # what no backup needs any more is gone


def test_a_compacted_day_takes_the_place_of_its_first_file(tmp_path: Path) -> None:
    with an_engine(tmp_path / "data") as engine:
        send(engine, *map(str, range(50)), day="2026-01-01")
        backed_up(engine, tmp_path / "backup")
        assert engine.compactor is not None
        assert engine.compactor.compact(Key(date(2026, 1, 1))) is not None
        backed_up(engine, tmp_path / "backup")
        everything = found(engine)
    paths = {one.path for one in read_manifest(tmp_path / "backup").files}
    assert {path for path in paths if path.startswith("partitions/")} == {
        "partitions/2026-01-01.g1.duckdb",
        "partitions/2026-01-01.g1.index",
    }
    restore(tmp_path / "backup", tmp_path / "restored")
    report = verify_folder(tmp_path / "restored")
    assert (report.problems, report.notes, report.indexes) == ([], [], 1)
    with an_engine(tmp_path / "restored") as engine:
        assert found(engine) == everything


def test_what_cannot_be_stored_just_now_is_in_the_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the journal, which is copied too."""
    with an_engine(tmp_path / "data") as engine:
        send(engine, "stored", day="2026-01-01", reader=1)
        engine.settle_now()

        def fail(*_: object) -> None:
            raise StorageError("not now")

        with monkeypatch.context() as patch:
            patch.setattr(Loader, "load", fail)
            send(engine, "stuck", day="2026-01-01", reader=2)
            engine.settle_now()
            engine.keeper.backup(tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "restored")
    with an_engine(tmp_path / "restored") as engine:
        assert found(engine) == ["stored", "stuck"]
        assert engine.positions(["reader"]) == {"reader": 2}


def test_a_backup_under_load_has_positions_that_fit_its_entries(tmp_path: Path) -> None:
    """A reader that goes on from the restored position repeats and misses nothing."""
    stop = threading.Event()
    with an_engine(tmp_path / "data") as engine:

        def load() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                day = f"2026-01-0{1 + number % 3}"
                send(engine, f"{number:06d}", day=day, reader=number)
                if number % 5 == 0:
                    engine.settle_now()

        thread = threading.Thread(target=load)
        thread.start()
        try:
            for turn in range(3):
                engine.settle_now()
                engine.keeper.backup(tmp_path / "backup")
                restore(tmp_path / "backup", tmp_path / f"restored-{turn}")
        finally:
            stop.set()
            thread.join()
    for turn in range(3):
        with an_engine(tmp_path / f"restored-{turn}") as engine:
            messages = found(engine)
            position = engine.positions(["reader"]).get("reader", 0)
            assert messages == [f"{number:06d}" for number in range(1, position + 1)]


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("x")
    with an_engine(tmp_path / "data") as engine:
        with pytest.raises(BadRequest, match=r"thesis\.txt"):
            engine.keeper.backup(tmp_path / "home")
        with pytest.raises(BadRequest, match="in the data folder"):
            engine.keeper.backup(tmp_path / "data" / "backup")


def test_one_backup_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with an_engine(tmp_path / "data") as engine:
        seen: list[str] = []

        def again(*_: object, **__: object) -> Any:
            with pytest.raises(NotReady):
                engine.keeper.backup(tmp_path / "second")
            seen.append("refused")

        monkeypatch.setattr(engine.keeper, "_make_backup", again)
        engine.keeper.backup(tmp_path / "first")
        assert seen == ["refused"]


def test_a_backup_that_fails_leaves_the_one_before_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with an_engine(tmp_path / "data") as engine:
        send(engine, "a", day="2026-01-01")
        backed_up(engine, tmp_path / "backup")
        send(engine, "b", day="2026-01-01")
        engine.settle_now()
        from logstream.storage import backup as module

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(module, "write_durably", fail)
            with pytest.raises(StorageError, match="No space"):
                engine.keeper.backup(tmp_path / "backup")
    assert verify_folder(tmp_path / "backup").problems == []
    restore(tmp_path / "backup", tmp_path / "restored")
    with an_engine(tmp_path / "restored") as engine:
        assert found(engine) == ["a"]


def test_damage_in_a_backup_is_found_and_not_restored(tmp_path: Path) -> None:
    with an_engine(tmp_path / "data") as engine:
        send(engine, "a", day="2026-01-01")
        backed_up(engine, tmp_path / "backup")
    day = next((tmp_path / "backup" / "files").glob("*2026-01-01.duckdb"))
    content = bytearray(day.read_bytes())
    content[5000] ^= 1
    day.write_bytes(content)
    (problem,) = verify_folder(tmp_path / "backup").problems
    assert problem.where == f"files/{day.name}"
    with pytest.raises(StorageError, match="damaged"):
        restore(tmp_path / "backup", tmp_path / "restored")
    assert not (tmp_path / "restored").exists()


def test_restoring_needs_an_empty_place_and_a_backup(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="no backup"):
        restore(tmp_path, tmp_path / "restored")
    with an_engine(tmp_path / "data") as engine:
        backed_up(engine, tmp_path / "backup")
    with pytest.raises(BadRequest, match="not empty"):
        restore(tmp_path / "backup", tmp_path / "data")
    (tmp_path / "empty").mkdir()
    restore(tmp_path / "backup", tmp_path / "empty")
    with an_engine(tmp_path / "empty") as engine:
        assert found(engine) == []


def test_a_manifest_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    one = {"path": "../x", "stored": "files/x", "bytes": 1, "sha256": ""}
    manifest = {"format": 1, "made_at": "", "files": [one]}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StorageError, match="outside"):
        restore(tmp_path, tmp_path / "restored")


def test_a_day_that_does_not_open_stays_as_it_was_backed_up(tmp_path: Path) -> None:
    with an_engine(tmp_path / "data") as engine:
        send(engine, "a", day="2026-01-01")
        send(engine, "b", day="2026-01-02")
        backed_up(engine, tmp_path / "backup")
    day = tmp_path / "data" / "partitions" / "2026-01-01.duckdb"
    day.write_bytes(b"x" * 20_000)
    with an_engine(tmp_path / "data") as engine:
        done = engine.keeper.backup(tmp_path / "backup")
        assert done.skipped == ["2026-01-01"]
    restore(tmp_path / "backup", tmp_path / "restored")
    with an_engine(tmp_path / "restored") as engine:
        assert found(engine) == ["a", "b"]
