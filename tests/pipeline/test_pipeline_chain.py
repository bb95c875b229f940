"""The chain and its runners: a processor that fails costs the entries it touched."""

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstream.core.entry import Entry, make_id
from logstream.pipeline.chain import Chain, ChunkResult
from logstream.pipeline.chunk import Chunk
from logstream.pipeline.runner import ChainGone, ProcessRunner, ThreadRunner
from logstream.plugins.contracts import Processor

replace = msgspec.structs.replace


class Doing:
    """A processor that is one function."""

    def __init__(self, function: Callable[[Sequence[Entry]], Any]) -> None:
        self._function = function

    def process(self, batch: Sequence[Entry]) -> Sequence[Entry]:
        result: Sequence[Entry] = self._function(batch)
        return result


def each(function: Callable[[Entry], Any]) -> Processor:
    return Doing(lambda batch: [function(entry) for entry in batch])


def at_poison(function: Callable[[Entry], Any]) -> Processor:
    """Does this to the entry that says poison, and nothing to the others."""
    return each(lambda e: function(e) if e.message == "poison" else e)


def segment_of(*messages: str) -> bytes:
    return b"".join(
        msgspec.json.encode(
            {
                "timestamp": "2025-05-13T00:00:00Z",
                "source": "web",
                "level": "info",
                "message": message,
            }
        )
        + b"\n"
        for message in messages
    )


FIRST_ID = make_id(3, 0)


def chunk_of(*messages: str) -> Chunk:
    return Chunk(first_id=FIRST_ID, data=segment_of(*messages))


def run(processor: Processor, *messages: str) -> ChunkResult:
    result = Chain([("p", processor)]).run(segment_of(*messages), FIRST_ID)
    assert result.kept + result.filtered + len(result.dead) == len(messages)
    assert result.payload.count(b"\n") == result.kept
    return result


def kept(result: ChunkResult) -> list[str]:
    return [msgspec.json.decode(x)["message"] for x in result.payload.splitlines()]


def raising(error: BaseException) -> Callable[[Entry], Any]:
    def fail(_: Entry) -> Any:
        raise error

    return fail


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


def deep(levels: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return {"a": value}


def circular() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["self"] = value
    return value


CONTRACT: dict[str, Callable[[Entry], Any]] = {
    "none": lambda _: None,
    "text": lambda _: "poison",
    "a dict": msgspec.structs.asdict,
    "another's id": lambda e: replace(e, id=e.id + 1),
    "no id": lambda e: replace(e, id=0),
    "an id that is text": lambda e: replace(e, id="7"),
    "a number as message": lambda e: replace(e, message=5),
    "no message": lambda e: replace(e, message=None),
    "a level that is no text": lambda e: replace(e, level=None),
    "fields that are a list": lambda e: replace(e, fields=[]),
    "fields that are none": lambda e: replace(e, fields=None),
    "a value that is no json": lambda e: replace(e, fields={"a": object()}),
    "a surrogate": lambda e: replace(e, message="\ud800"),
    "an integer without end": lambda e: replace(e, fields={"a": 10**5000}),
    "fields in a circle": lambda e: replace(e, fields=circular()),
    "fields too deep": lambda e: replace(e, fields=deep(600)),
    "no timestamp": lambda e: replace(e, timestamp=""),
    "a word as timestamp": lambda e: replace(e, timestamp="noon"),
    "an offset": lambda e: replace(e, timestamp="2025-05-13T00:00:00+05:00"),
    "the year 3000": lambda e: replace(e, timestamp="3000-01-01T00:00:00Z"),
    "the year 1969": lambda e: replace(e, timestamp="1969-01-01T00:00:00Z"),
}


@pytest.mark.parametrize("name", CONTRACT)
def test_nonsense_costs_the_entry_it_is_about(name: str) -> None:
    """The others of the batch go on, and the dead one is kept as it came."""
    result = run(at_poison(CONTRACT[name]), "a", "poison", "b")
    assert kept(result) == ["a", "b"]
    (dead,) = result.dead
    assert dead.reason == "processor_contract"
    assert dead.id == 3 << 20 | 1
    assert dead.detail
    assert msgspec.json.decode(dead.entry)["message"] == "poison"
    assert "id" not in msgspec.json.decode(dead.entry)


@pytest.mark.parametrize(
    "error",
    [
        *(ValueError("x"), KeyError(), Unprintable(), MemoryError(), RecursionError()),
        *(SystemExit(1), KeyboardInterrupt(), GeneratorExit(), StopIteration()),
        ValueError("\ud800"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_is_raised_costs_the_entry_it_is_about(error: BaseException) -> None:
    result = run(at_poison(raising(error)), "a", "poison", "b")
    assert kept(result) == ["a", "b"]
    (dead,) = result.dead
    assert (dead.processor, dead.reason) == ("p", "processor_error")
    dead.detail.encode()


def test_an_entry_that_is_returned_twice_is_dead_once() -> None:
    twice = Doing(lambda batch: [*batch, *batch])
    result = run(twice, "a", "b")
    assert [dead.reason for dead in result.dead] == ["processor_contract"] * 2
    assert result.filtered == 0


@pytest.mark.parametrize("result", [None, 5, "no", {}, iter([]), [None]])
def test_what_is_no_sequence_of_entries_is_refused(result: Any) -> None:
    found = run(Doing(lambda _: result), "a", "b")
    if isinstance(result, str | dict) and not result:
        return
    assert [dead.reason for dead in found.dead] == ["processor_contract"] * 2


def test_what_is_left_out_is_filtered_and_not_dead() -> None:
    result = run(Doing(lambda batch: batch[1:]), "a", "b", "c")
    assert (kept(result), result.filtered, result.dead) == (["b", "c"], 1, ())


def test_a_tuple_in_another_order_is_fine() -> None:
    result = run(Doing(lambda batch: tuple(reversed(batch))), "a", "b")
    assert kept(result) == ["b", "a"]


def test_a_letter_holds_the_entry_as_it_came() -> None:
    """Before the first processor, so that a replay goes through all of them."""
    chain = Chain(
        [
            ("shout", each(lambda e: replace(e, message=e.message.upper()))),
            ("fail", each(raising(ValueError("x")))),
        ]
    )
    (dead,) = chain.run(segment_of("a"), FIRST_ID).dead
    assert dead.processor == "fail"
    assert msgspec.json.decode(dead.entry)["message"] == "a"


def test_a_batch_is_not_handed_to_a_processor_once_it_is_empty() -> None:
    calls: list[int] = []

    def count(batch: Sequence[Entry]) -> Sequence[Entry]:
        calls.append(len(batch))
        return batch

    Chain([("drop", Doing(lambda _: [])), ("count", Doing(count))]).run(
        segment_of("a"), FIRST_ID
    )
    assert calls == []


def test_lines_as_they_may_stand_in_the_journal_become_entries() -> None:
    """A sender may leave out what has a default; white space may be anywhere."""
    data = (
        b'{"_frame":{"crc":"0","bytes":1,"lines":1}}\n'
        b'{"timestamp":"2025-05-13T00:00:00Z","message":"plain"}\n'
        b' {"timestamp":"2025-05-13t00:00:00.120z",\r"message":"blanks"\t} \r\n'
        b'{"timestamp":"2025-05-13 00:00:00","message":"x",'
        b'"level":"WARNING","fields":null}\n'
        b'{"timestamp":"2025-05-13T00:00:00+00:00","message":"big","fields":{"a":1e999}}\n'
    )
    seen: list[Entry] = []

    def look(batch: Sequence[Entry]) -> Sequence[Entry]:
        seen.extend(batch)
        return batch

    result = Chain([("look", Doing(look))]).run(data, make_id(1, 0))
    assert (result.kept, result.dead) == (4, ())
    assert [entry.id & 0xFF for entry in seen] == [1, 2, 3, 4]
    assert {entry.source for entry in seen} == {"unknown"}
    assert [entry.level for entry in seen] == ["info", "info", "warn", "info"]
    assert [entry.timestamp for entry in seen] == [
        "2025-05-13T00:00:00Z",
        "2025-05-13T00:00:00.12Z",
        "2025-05-13T00:00:00Z",
        "2025-05-13T00:00:00Z",
    ]
    assert seen[2].fields == {}


behaviours = st.sampled_from(["keep", "drop", "raise", *CONTRACT])


@given(st.lists(behaviours, max_size=12), st.lists(behaviours, max_size=12))
def test_every_entry_is_kept_filtered_or_dead(
    first: list[str], second: list[str]
) -> None:
    """In exactly one of the three, whatever two processors do to each of them."""

    def step(plan: list[str]) -> Processor:
        def process(batch: Sequence[Entry]) -> list[Any]:
            out: list[Any] = []
            for entry in batch:
                number = entry.id & 0xFFFFF
                what = plan[number] if number < len(plan) else "keep"
                if what == "raise":
                    raise ValueError(what)
                if what != "drop":
                    out.append(CONTRACT[what](entry) if what in CONTRACT else entry)
            return out

        return Doing(process)

    messages = [f"m{n}" for n in range(12)]
    chain = Chain([("one", step(first)), ("two", step(second))])
    result = chain.run(segment_of(*messages), FIRST_ID)
    ids = [msgspec.json.decode(line)["id"] for line in result.payload.splitlines()]
    ids += [dead.id for dead in result.dead]
    assert len(ids) == len(set(ids))
    assert len(ids) + result.filtered == 12
    plans = [
        (
            first[n] if n < len(first) else "keep",
            second[n] if n < len(second) else "keep",
        )
        for n in range(12)
    ]
    assert result.kept == plans.count(("keep", "keep"))


def a_chain_that_does(what: str) -> Chain:
    """At module level: another process has to find it."""
    actions: dict[str, Callable[[Entry], Any]] = {
        "nothing": lambda e: e,
        "hang": lambda _: threading.Event().wait(600),
        "exit": lambda _: os._exit(3),
    }
    return Chain([("p", at_poison(actions[what]))])


class Make:
    def __init__(self, what: str) -> None:
        self._what = what

    def __call__(self) -> Chain:
        return a_chain_that_does(self._what)


@pytest.mark.parametrize("kind", [ThreadRunner, ProcessRunner])
def test_a_runner_hands_back_what_the_chain_did(
    kind: type[ThreadRunner | ProcessRunner],
) -> None:
    runner = kind(Make("nothing"))
    try:
        for _ in range(3):
            result = runner.run(chunk_of("a" * 100_000, "poison"), timeout_s=150)
            assert result.kept == 2
    finally:
        runner.close()


@pytest.mark.parametrize("kind", [ThreadRunner, ProcessRunner])
def test_a_chain_that_hangs_is_given_up(
    kind: type[ThreadRunner | ProcessRunner],
) -> None:
    """The first chunk is good, so what is given up is the hang and not the start."""
    runner = kind(Make("hang"))
    assert runner.run(chunk_of("a"), timeout_s=150).kept == 1
    with pytest.raises(ChainGone, match=r"0\.1 s") as caught:
        runner.run(chunk_of("poison"), timeout_s=0.1)
    assert caught.value.reason == "processor_timeout"
    runner.close()


def test_a_process_that_ends_is_told_from_one_that_hangs() -> None:
    runner = ProcessRunner(Make("exit"))
    with pytest.raises(ChainGone, match="exit 3") as caught:
        runner.run(chunk_of("poison"), timeout_s=150)
    assert caught.value.reason == "processor_error"


def test_a_chain_that_cannot_be_built_in_the_process_is_gone() -> None:
    runner = ProcessRunner(Make("what there is not"))
    with pytest.raises(ChainGone, match="its process ended"):
        runner.run(chunk_of("a"), timeout_s=150)
