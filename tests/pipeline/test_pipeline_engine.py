"""The engine as a whole: what is acked is found, once, whatever happens in between."""

import asyncio
import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logstream.config.settings import Settings
from logstream.core.entry import Entry
from logstream.core.errors import (
    BadRequest,
    DiskFull,
    EntryRejected,
    FolderInUse,
    NotReady,
    Overloaded,
    StorageError,
    TooLarge,
)
from logstream.core.timestamps import now_ns
from logstream.journal.journal import Journal
from logstream.journal.segment import Segment
from logstream.pipeline import intake, intake_stream
from logstream.pipeline.chain import Chain
from logstream.pipeline.decode import Decoded, decode_lines
from logstream.pipeline.engine import Engine
from logstream.pipeline.pool import WorkerPool
from logstream.pipeline.worker import Worker
from logstream.plugins.manager import load_plugins
from logstream.runtime import building
from logstream.runtime.builtins import BUILTINS
from logstream.storage.partition import Partition
from logstream.storage.selection import Selection
from logstream.telemetry.metrics import REGISTRY

PLUGINS = load_plugins(Settings().plugins, builtins=BUILTINS)


def some_settings(path: Path | str, **sections: dict[str, Any]) -> Settings:
    given_sections: dict[str, Any] = {
        "storage": {"path": str(path), "min_free_bytes": 0, "threads": 1},
        "journal": {"linger_ms": 60_000},
        **sections,
    }
    return msgspec.convert(given_sections, Settings)


@contextmanager
def an_engine(path: Path | str, **sections: dict[str, Any]) -> Iterator[Engine]:
    with building.open_engine(some_settings(path, **sections), plugins=PLUGINS) as (
        engine,
        _,
    ):
        yield engine


def lines_of(*messages: str, day: str = "2025-05-13") -> bytes:
    return b"".join(
        b'{"timestamp":"%sT00:00:00Z","message":%s}\n'
        % (day.encode(), json.dumps(message).encode())
        for message in messages
    )


def decoded(engine: Engine, *messages: str, **options: Any) -> Decoded:
    body = lines_of(*messages, **options)
    return decode_lines(body, limits=engine.settings.intake, received_ns=now_ns())


async def send(engine: Engine, *messages: str, **options: Any) -> None:
    await engine.intake.append(decoded(engine, *messages, **options))


def found(engine: Engine) -> list[str]:
    engine.settle_now()
    page = engine.reader.entries(Selection(), limit=100_000)
    return sorted(row.message for row in page.rows)


class Failing:
    """A processor that fails on entries that say so, as long as it is told to."""

    def __init__(self) -> None:
        self.broken = True

    def process(self, batch: Sequence[Entry]) -> Sequence[Entry]:
        if self.broken and any("bad" in entry.message for entry in batch):
            raise ValueError("bad entry")
        return [entry for entry in batch if "drop" not in entry.message]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Failing:
    processor = Failing()
    monkeypatch.setattr(
        building, "build_chain", lambda *_: Chain([("failing", processor)])
    )
    return processor


class FailsWorker:
    """Makes `Worker.work` fail until it is told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.on = True
        real = Worker.work

        def work(worker: Worker, segment: Any) -> Any:
            if self.on:
                raise StorageError("not now")
            return real(worker, segment)

        monkeypatch.setattr(Worker, "work", work)


# ---- read your writes ----


@pytest.mark.parametrize("path", ["disk", ":memory:"])
def test_a_query_after_the_ack_sees_the_entry(tmp_path: Path, path: str) -> None:
    where = tmp_path / "data" if path == "disk" else path
    with an_engine(where) as engine:
        for n in range(5):
            asyncio.run(send(engine, f"m{n}"))
            assert len(found(engine)) == n + 1
        assert engine.queue().segments == 0
    if path == ":memory:":
        assert not [*tmp_path.iterdir()]


@settings(max_examples=4)
@given(st.integers(1, 3), st.lists(st.integers(1, 5), min_size=4, max_size=12))
def test_senders_side_by_side_each_see_what_they_sent(
    workers: int, sizes: list[int]
) -> None:
    """Each waits for its ack, settles, and looks for its own."""
    missing: list[str] = []

    async def sender(engine: Engine, name: int, size: int) -> None:
        for turn in range(2):
            mine = [f"{name}-{turn}-{n}" for n in range(size)]
            await send(engine, *mine, day=f"2025-05-1{name % 3}")
            await engine.settle()
            page = await asyncio.to_thread(
                engine.reader.entries, Selection(), limit=10_000
            )
            missing.extend(set(mine) - {row.message for row in page.rows})

    async def all_of_them(engine: Engine) -> None:
        await asyncio.gather(
            *(sender(engine, name, size) for name, size in enumerate(sizes))
        )

    with an_engine(":memory:", workers={"count": workers}) as engine:
        asyncio.run(all_of_them(engine))
        assert missing == []
        assert len(found(engine)) == 2 * sum(sizes)


def test_what_is_stuck_does_not_hold_up_queries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They go on without it, and the queue says why."""
    failure = FailsWorker(monkeypatch)
    with an_engine(tmp_path / "data") as engine:
        asyncio.run(send(engine, "stuck"))
        assert found(engine) == []
        assert engine.queue().stuck == "not now"
        assert engine.queue().entries == 1
        failure.on = False
        assert engine._pool.drain(20)
        assert found(engine) == ["stuck"]
        assert engine.queue().stuck == ""


def test_what_fails_behind_its_commit_is_not_stored_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second try looks for what the first one left."""
    real = Partition.mark_dirty
    failures = [OSError(5, "EIO")]

    def fail_once(*args: Any, **named: Any) -> None:
        real(*args, **named)
        if failures:
            raise failures.pop()

    with an_engine(tmp_path / "data") as engine:
        monkeypatch.setattr(Partition, "mark_dirty", fail_once)
        asyncio.run(send(engine, "once"))
        assert found(engine) == ["once"]
        assert not failures


# ---- life ----


def test_closing_stores_what_waits(tmp_path: Path) -> None:
    with an_engine(tmp_path / "data") as engine:
        asyncio.run(send(engine, "a", "b"))
        assert engine.close() == 0
        assert engine.close() == 0
        assert engine.readiness().reason == "stopping"
        with pytest.raises(NotReady, match="stopping"):
            asyncio.run(send(engine, "late"))
    assert not [*(tmp_path / "data" / "journal").rglob("*.ndjson")]
    with an_engine(tmp_path / "data") as engine:
        assert found(engine) == ["a", "b"]


def test_what_cannot_be_stored_is_reported_and_there_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = FailsWorker(monkeypatch)
    with an_engine(tmp_path / "data") as engine:
        asyncio.run(send(engine, "a", "b"))
        assert engine.close() == 2
    failure.on = False
    with an_engine(tmp_path / "data") as engine:
        assert found(engine) == ["a", "b"]
        assert engine.readiness().ready


def test_a_replay_that_is_over_at_once_does_not_stay_red(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers may be done before the start is."""
    failure = FailsWorker(monkeypatch)
    with an_engine(tmp_path / "data") as engine:
        asyncio.run(send(engine, "a"))
    failure.on = False
    real = WorkerPool.submit

    def slowly(pool: WorkerPool, segment: Segment) -> None:
        real(pool, segment)
        pool.drain(20)

    monkeypatch.setattr(WorkerPool, "submit", slowly)
    with an_engine(tmp_path / "data") as engine:
        assert found(engine) == ["a"]
        assert engine.readiness().ready


def test_a_torn_segment_is_repaired_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = FailsWorker(monkeypatch)
    with an_engine(tmp_path / "data") as engine:
        asyncio.run(send(engine, "whole"))
    (path,) = (tmp_path / "data" / "journal").glob("*.ndjson")
    with path.open("ab") as file:
        file.write(path.read_bytes()[:-9])
    failure.on = False
    with an_engine(tmp_path / "data") as engine:
        assert found(engine) == ["whole"]


def test_a_journal_that_was_deleted_gives_no_number_again(
    tmp_path: Path, failing: Failing
) -> None:
    """The partitions would take its entries for some that they have, and the dead
    letters of a new segment would replace those of an old one.
    """
    with an_engine(tmp_path / "data") as engine:
        asyncio.run(send(engine, "before"))
        engine.settle_now()
        asyncio.run(send(engine, "bad before"))
    for path in (tmp_path / "data" / "journal").iterdir():
        path.unlink()
    (tmp_path / "data" / "journal").rmdir()
    with an_engine(tmp_path / "data") as engine:
        asyncio.run(send(engine, "after", "bad after"))
        assert found(engine) == ["after", "before"]
        first, second = engine.dead_letters.list(limit=9)
        assert first.id >> 20 > second.id >> 20


def test_a_second_engine_on_the_folder_is_told_who_has_it(tmp_path: Path) -> None:
    with an_engine(tmp_path / "data"):
        second = an_engine(tmp_path / "data")
        with pytest.raises(FolderInUse, match=f"process {os.getpid()}") as caught:
            second.__enter__()
        assert caught.value.pid == os.getpid()
    with an_engine(tmp_path / "data") as engine:
        assert engine.readiness().ready


# ---- bounds ----


def test_over_the_capacity_is_refused_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that are queued count, not only those that are written."""
    failure = FailsWorker(monkeypatch)
    with an_engine(tmp_path / "data", intake={"capacity_bytes": 1_048_576}) as engine:
        big = ["x" * 400_000]
        asyncio.run(send(engine, *big))
        asyncio.run(send(engine, *big))
        with pytest.raises(Overloaded) as caught:
            asyncio.run(send(engine, *big))
        assert caught.value.queued_bytes > 800_000
        failure.on = False
        assert engine._pool.drain(20)
        assert len(found(engine)) == 2
        asyncio.run(send(engine, *big))
        assert len(found(engine)) == 3
        assert engine._journal.held_bytes() == 0


def test_a_full_disk_refuses_and_is_not_ready(tmp_path: Path) -> None:
    """Queries go on; with room again, so does all else."""
    with an_engine(tmp_path / "data") as engine:
        asyncio.run(send(engine, "before"))
        engine._disk_free = -1
        with pytest.raises(DiskFull, match="min_free_bytes"):
            asyncio.run(send(engine, "refused"))
        assert engine.readiness().reason == "disk_full"
        assert found(engine) == ["before"]
        engine._keep_up()
        assert engine.readiness().ready
        asyncio.run(send(engine, "after"))
        assert found(engine) == ["after", "before"]


def test_a_position_that_is_no_json_is_the_senders_fault(tmp_path: Path) -> None:
    with an_engine(tmp_path / "data") as engine:
        one = decoded(engine, "m")
        with pytest.raises(BadRequest):
            asyncio.run(engine.intake.append(one, positions={"a": object()}))
        asyncio.run(engine.intake.append(one, positions={"a": 1, "b": None}))
        assert engine.positions(["a", "b"]) == {"a": 1}
    with an_engine(tmp_path / "data") as engine:
        assert engine.positions(["a"]) == {"a": 1}


# ---- streams ----


async def stream(
    engine: Engine, *chunks: bytes, partial: bool = False
) -> tuple[int, list[int]]:
    async with engine.intake.stream(partial=partial) as one:
        for chunk in chunks:
            await one.feed(chunk)
        result = await one.commit()
    return result.entries, [rejection.index for rejection in result.rejected]


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_stream, "_PIECE_BYTES", 500)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("cut", [1, 7, 100, 499, 500, 501, 100_000])
def test_a_stream_may_be_cut_anywhere(tmp_path: Path, cut: int) -> None:
    messages = [f"m{n:03d}" for n in range(60)]
    body = lines_of(*messages)[:-1]
    chunks = [body[at : at + cut] for at in range(0, len(body), cut)]
    with an_engine(":memory:") as engine:
        assert asyncio.run(stream(engine, *chunks)) == (60, [])
        assert found(engine) == messages
        assert engine.intake.received == 60


@pytest.mark.usefixtures("small_pieces")
def test_a_bad_line_in_a_stream_discards_all_of_it(tmp_path: Path) -> None:
    body = lines_of(*[f"m{n}" for n in range(40)])
    with an_engine(tmp_path / "data") as engine:
        with pytest.raises(EntryRejected) as caught:
            asyncio.run(stream(engine, body, b"\n\n{}\n", body))
        assert caught.value.index == 40
        assert found(engine) == []
        assert engine._journal.held_bytes() == 0
        assert not [*(tmp_path / "data" / "journal").glob("staging-*")]
        assert asyncio.run(stream(engine, body, b"{}\n", body, partial=True)) == (
            80,
            [40],
        )
        assert len(found(engine)) == 80


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("size", [1023, 1500, 5000])
def test_a_line_that_is_too_long_costs_itself_with_partial(size: int) -> None:
    """However long it is: it is not held in memory to find its end."""
    long = b'{"message":"' + b"x" * size + b'"}\n'
    body = lines_of("a", "b") + long + lines_of("c") * 10 + long[:-1]
    chunks = [body[at : at + 300] for at in range(0, len(body), 300)]
    limits = {"max_entry_bytes": 1024}
    with an_engine(":memory:", intake=limits) as engine:
        assert asyncio.run(stream(engine, *chunks, partial=True)) == (12, [2, 13])
        assert len(found(engine)) == 12
        with pytest.raises(EntryRejected) as caught:
            asyncio.run(stream(engine, *chunks))
        assert (caught.value.index, caught.value.reason) == (2, "too_large")


def test_a_stream_over_the_limit_is_too_large() -> None:
    with an_engine(":memory:", intake={"max_batch_bytes": 1_048_576}) as engine:
        with pytest.raises(TooLarge, match="max_batch_bytes"):
            asyncio.run(stream(engine, *[lines_of("x" * 1000)] * 2000))
        assert found(engine) == []


def test_an_empty_stream_is_fine() -> None:
    with an_engine(":memory:") as engine:
        assert asyncio.run(stream(engine)) == (0, [])
        assert asyncio.run(stream(engine, b"\n\n")) == (0, [])
        assert asyncio.run(stream(engine, b"{}\n", partial=True)) == (0, [0])


def test_a_large_payload_is_staged_and_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (intake, intake_stream):
        monkeypatch.setattr(module, "LARGE_BYTES", 1000)
    messages = [f"m{n:04d}" for n in range(300)]
    with an_engine(":memory:", journal={"segment_bytes": 4096}) as engine:
        asyncio.run(send(engine, *messages))
        assert found(engine) == messages
        assert engine.intake.received == 300


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("held", ["write", "commit"])
def test_a_sender_that_goes_away_leaves_all_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: str
) -> None:
    """It is cancelled in the middle of a step that a thread does, which is let end
    before the files are closed.
    """
    from logstream.journal.staging import Staging

    inside, go = threading.Event(), threading.Event()
    real: Callable[..., None] = getattr(Staging, held)

    def slowly(staging: Staging, *args: Any, **options: Any) -> None:
        inside.set()
        assert go.wait(150)
        real(staging, *args, **options)

    async def leave(engine: Engine) -> None:
        task = asyncio.create_task(stream(engine, lines_of(*["m"] * 40)))
        await asyncio.to_thread(inside.wait, 20)
        task.cancel()
        asyncio.get_running_loop().call_later(0.01, go.set)
        with pytest.raises(asyncio.CancelledError):
            await task

    with an_engine(tmp_path / "data") as engine:
        monkeypatch.setattr(Staging, held, slowly)
        asyncio.run(leave(engine))
        monkeypatch.undo()
        assert len(found(engine)) in {0, 40}
        assert engine.intake.received == len(found(engine))
        assert engine._journal.held_bytes() == 0
        asyncio.run(send(engine, "next"))
        assert "next" in found(engine)


def test_entries_of_a_sender_that_went_away_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are stored, so they were received."""
    inside, go = threading.Event(), threading.Event()
    real = Journal._write_frame

    def slowly(journal: Journal, *args: Any) -> Any:
        inside.set()
        assert go.wait(150)
        return real(journal, *args)

    async def leave(engine: Engine) -> None:
        task = asyncio.create_task(send(engine, "m"))
        await asyncio.to_thread(inside.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go.set()

    monkeypatch.setattr(Journal, "_write_frame", slowly)
    with an_engine(":memory:") as engine:
        asyncio.run(leave(engine))
        asyncio.run(send(engine, "next"))
        assert found(engine) == ["m", "next"]
        assert engine.intake.received == 2


# ---- accounting and dead letters ----


def counted(name: str) -> float:
    total = 0.0
    for metric in REGISTRY.collect():
        total += sum(s.value for s in metric.samples if s.name == name)
    return total


COUNTERS = {
    "received": "logstream_logs_received_total",
    "processed": "logstream_logs_processed_total",
    "stored": "logstream_stored_entries_total",
    "filtered": "logstream_filtered_entries_total",
    "dead": "logstream_dead_letters_total",
}


@settings(max_examples=8)
@given(
    batches=st.lists(
        st.lists(st.sampled_from(["good", "bad", "drop"]), min_size=1, max_size=8),
        min_size=1,
        max_size=4,
    ),
    failures=st.lists(st.integers(1, 6), max_size=3),
)
def test_received_is_stored_filtered_dead_or_in_flight(
    batches: list[list[str]], failures: list[int]
) -> None:
    """Whatever fails on the way, and however often a step is done again."""
    before = {key: counted(name) for key, name in COUNTERS.items()}
    processor, calls = Failing(), 0
    real = Engine._segment_stored
    with pytest.MonkeyPatch.context() as patch:

        def stored(engine: Engine, *args: Any) -> None:
            nonlocal calls
            calls += 1
            if calls in failures:
                raise OSError(28, "No space left on device")
            real(engine, *args)

        patch.setattr(Engine, "_segment_stored", stored)
        patch.setattr(
            building, "build_chain", lambda *_: Chain([("failing", processor)])
        )
        with an_engine(":memory:") as engine:
            for messages in batches:
                asyncio.run(send(engine, *messages))
                engine._journal.cut()
            engine._journal.close()
            assert engine.queue().entries <= sum(map(len, batches))
            with engine._pool._wake:
                assert engine._pool._wake.wait_for(
                    lambda: engine._journal.held_bytes() == 0, 20
                )
    now = {key: counted(name) - before[key] for key, name in COUNTERS.items()}
    every = [message for messages in batches for message in messages]
    assert now == {
        "received": len(every),
        "processed": len(every),
        "stored": every.count("good"),
        "filtered": every.count("drop"),
        "dead": every.count("bad"),
    }


def test_dead_letters_are_replayed_once(tmp_path: Path, failing: Failing) -> None:
    """Still bad, they come back; good, they are stored, and none is left."""
    with an_engine(tmp_path / "data") as engine:
        asyncio.run(send(engine, "good", "bad 1", "bad 2"))
        assert found(engine) == ["good"]
        assert engine.dead_letters.count() == 2
        assert asyncio.run(engine.replay_dead_letters()) == 2
        assert found(engine) == ["good"]
        assert engine.dead_letters.count() == 2
        failing.broken = False
        first, second = engine.dead_letters.list(limit=9)
        assert asyncio.run(engine.replay_dead_letters([first.id, 12345])) == 1
        assert asyncio.run(engine.replay_dead_letters([first.id])) == 0
        assert asyncio.run(engine.replay_dead_letters()) == 1
        assert asyncio.run(engine.replay_dead_letters()) == 0
        assert found(engine) == ["bad 1", "bad 2", "good"]
        assert second.id != first.id


@pytest.mark.parametrize("crash", [True, False])
def test_letters_whose_removal_failed_are_not_replayed_twice(
    tmp_path: Path, failing: Failing, monkeypatch: pytest.MonkeyPatch, *, crash: bool
) -> None:
    """They were acked as new entries: the next call, or start, removes them."""
    path = tmp_path / "data"

    def fail(_: Any) -> None:
        raise StorageError("no space")

    with an_engine(path) as engine:
        asyncio.run(send(engine, "bad 1", "bad 2"))
        assert found(engine) == []
        failing.broken = False
        monkeypatch.setattr(engine.dead_letters, "remove", fail)
        with pytest.raises(StorageError):
            asyncio.run(engine.replay_dead_letters())
        monkeypatch.undo()
        if not crash:
            assert asyncio.run(engine.replay_dead_letters()) == 0
    monkeypatch.setattr(
        building, "build_chain", lambda *_: Chain([("failing", failing)])
    )
    with an_engine(path) as engine:
        assert engine.dead_letters.count() == 0
        assert found(engine) == ["bad 1", "bad 2"]


def test_two_replays_at_once_are_one(failing: Failing) -> None:
    async def both(engine: Engine) -> list[int | BaseException]:
        calls = [engine.replay_dead_letters() for _ in range(2)]
        return await asyncio.gather(*calls, return_exceptions=True)

    with an_engine(":memory:") as engine:
        asyncio.run(send(engine, "bad"))
        found(engine)
        failing.broken = False
        results = asyncio.run(both(engine))
        assert results[0] == 1
        assert isinstance(results[1], NotReady)
        assert found(engine) == ["bad"]
        assert engine.dead_letters.count() == 0


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_workers_of_both_kinds_run_the_configured_processors(
    tmp_path: Path, kind: str
) -> None:
    with an_engine(
        tmp_path / "data",
        workers={"kind": kind, "count": 1},
        processors=[
            {"type": "enrich", "options": {"add": {"env": "test"}}},
            {"type": "filter", "options": {"drop": "level:debug"}},
        ],  # type: ignore[arg-type]
    ) as engine:
        asyncio.run(send(engine, "a", "b"))
        assert found(engine) == ["a", "b"]
        (row, _) = engine.reader.entries(Selection(), limit=2).rows
        assert json.loads(bytes(row.fields))["env"] == "test"
