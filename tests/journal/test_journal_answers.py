"""Answers: as durable as the entries they stand for, bounded, and forgotten in time."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstream.journal import answers as answers_module
from logstream.journal.answers import Answer, Answers
from logstream.journal.files import DiskFiles
from logstream.journal.journal import Journal
from logstream.journal.positions import Positions
from logstream.journal.recovery import recover
from logstream.journal.segment import Segment
from logstream.journal.tickets import Ticket

S = 1_000_000_000


def answer(at_s: int = 0, digest: str = "d", result: str = "{}") -> Answer:
    return Answer(at_s * S, digest, result)


class Clock:
    def __init__(self) -> None:
        self.s = 0

    def __call__(self) -> int:
        return self.s * S


class Run:
    """One life of a journal on a folder; it ends without a word."""

    def __init__(self, folder: Path, **options: Any) -> None:
        files = DiskFiles(folder / "journal")
        self.answers = Answers(folder / "idempotency.ndjson", **options)
        self.found: list[Segment] = []
        for number, path in files.existing():
            self.answers.note(recover(number, path).answers)
        self.closed: list[Segment] = []
        self.journal = Journal(
            files,
            Positions(folder / "positions.json"),
            segment_bytes=1,
            linger_s=3600,
            on_segment=self.closed.append,
            on_group=lambda *_: None,
            answers=self.answers,
        )

    def send(self, lines: int = 1, **answers: Answer) -> None:
        payload = b'{"message":"m"}\n' * lines
        self.journal.append(
            Ticket(payload=payload, lines=lines, answers=answers, done=None)
        )


def test_an_answer_is_there_with_its_entries_after_a_crash(tmp_path: Path) -> None:
    given_one = answer(5, "abc", '{"status":"ok"}')
    run = Run(tmp_path, now_ns=Clock())
    run.send(k=given_one)
    run.journal.close()
    later = Run(tmp_path, now_ns=Clock())
    later.journal.close()
    assert later.answers.get("k") == given_one
    assert later.answers.get("other") is None


def test_an_answer_outlives_its_segment(tmp_path: Path) -> None:
    run = Run(tmp_path, now_ns=Clock())
    run.send(k=answer(5))
    run.journal.close()
    for segment in run.closed:
        run.journal.retire(segment)
    assert not list((tmp_path / "journal").glob("*.ndjson"))
    later = Run(tmp_path, now_ns=Clock())
    later.journal.close()
    assert later.answers.get("k") == answer(5)


def test_an_answer_without_entries_is_kept(tmp_path: Path) -> None:
    run = Run(tmp_path, now_ns=Clock())
    run.send(lines=0, k=answer(5))
    run.journal.close()
    later = Run(tmp_path, now_ns=Clock())
    later.journal.close()
    assert later.answers.get("k") == answer(5)


def test_a_torn_frame_takes_its_answers_with_it(tmp_path: Path) -> None:
    run = Run(tmp_path, now_ns=Clock())
    run.send(k=answer(5))
    run.journal.close()
    path = run.closed[0].file.path
    path.write_bytes(path.read_bytes()[:-1])
    later = Run(tmp_path, now_ns=Clock())
    later.journal.close()
    assert later.answers.get("k") is None


def test_a_staged_batch_brings_its_answer(tmp_path: Path) -> None:
    run = Run(tmp_path, now_ns=Clock())
    staging = run.journal.stage()
    staging.write(b'{"message":"m"}\n', lines=1)
    staging.write(b"", lines=0, answers={"k": answer(5)})
    assert run.answers.get("k") is None
    staging.commit()
    assert run.answers.get("k") == answer(5)
    run.journal.close()
    later = Run(tmp_path, now_ns=Clock())
    later.journal.close()
    assert later.answers.get("k") == answer(5)


def test_an_answer_is_forgotten_after_its_window() -> None:
    clock = Clock()
    answers = Answers(window_s=10, now_ns=clock, steady_ns=clock)
    answers.note({"k": answer(0)})
    clock.s = 9
    assert answers.get("k") is not None
    clock.s = 10
    assert answers.get("k") is None
    answers.note({"other": answer(10)})
    assert answers.count() == 1


LEAPS = (400 * 86_400, -400 * 86_400)


@pytest.mark.parametrize("leap_s", LEAPS)
def test_a_clock_that_leaps_makes_no_answer_old(leap_s: int) -> None:
    clock, steady = Clock(), Clock()
    answers = Answers(window_s=10, now_ns=clock, steady_ns=steady)
    answers.note({"k": answer(0)})
    clock.s += leap_s
    answers.note({"other": answer(clock.s)})
    assert answers.get("k") == answer(0)
    clock.s -= leap_s
    assert answers.get("k") == answer(0)
    assert answers.get("other") is not None
    steady.s = 10
    assert answers.get("k") is None
    clock.s = -leap_s
    answers.note({"k": answer(-leap_s)})  # it was taken again, by whatever clock
    assert answers.get("k") == answer(-leap_s)


def test_an_answer_of_an_earlier_run_is_old_by_the_clock_at_the_start(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a"
    Answers(path, window_s=10, now_ns=Clock()).save({"k": answer(0)})
    clock, steady = Clock(), Clock()
    for leap_s in (-400 * 86_400, 9):
        clock.s = leap_s
        later = Answers(path, window_s=10, now_ns=clock, steady_ns=steady)
        assert later.get("k") == answer(0)
    clock.s = 10
    later = Answers(path, window_s=10, now_ns=clock, steady_ns=steady)
    assert later.get("k") is None


def test_of_two_answers_to_a_key_the_later_one_in_the_file_counts(
    tmp_path: Path,
) -> None:
    """The first was out of date, and the clock was set back in between."""
    path = tmp_path / "a"
    clock = Clock()
    answers = Answers(path, now_ns=clock)
    answers.save({"k": answer(1000)})
    answers.save({"k": answer(5)})
    assert Answers(path, now_ns=clock).get("k") == answer(5)


def test_the_oldest_go_above_the_capacity() -> None:
    answers = Answers(capacity=2, now_ns=Clock())
    for n in range(4):
        answers.note({f"k{n}": answer(n)})
    assert [answers.get(f"k{n}") is not None for n in range(4)] == [False] * 2 + [
        True
    ] * 2


def test_the_oldest_go_above_the_limit_of_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answers_module, "MAX_BYTES", 100)
    answers = Answers(now_ns=Clock())
    answers.note({"a": answer(0, result='"%s"' % ("x" * 80))})
    answers.note({"b": answer(1)})
    assert answers.get("a") is not None
    answers.note({"c": answer(2, result='"%s"' % ("x" * 80))})
    assert answers.get("a") is None
    assert answers.get("c") is not None


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_torn_end_of_the_file_costs_the_last_answer_only(
    tmp_path: Path, cut: int
) -> None:
    """That one is in its segment still, which is deleted only after the write."""
    path = tmp_path / "a"
    answers = Answers(path, now_ns=Clock())
    answers.save({"k1": answer(1)})
    answers.save({"k2": answer(2)})
    path.write_bytes(path.read_bytes()[:-cut])
    later = Answers(path, now_ns=Clock())
    assert later.get("k1") == answer(1)
    later.note({"k2": answer(2)})
    later.save({"k2": answer(2)})
    later.save({"k3": answer(3)})
    last = Answers(path, now_ns=Clock())
    assert [last.get(f"k{n}") for n in (1, 2, 3)] == [answer(n) for n in (1, 2, 3)]


def test_an_append_that_failed_midway_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    answers = Answers(path, now_ns=Clock())
    answers.note({"k1": answer(1)})
    answers.save({"k1": answer(1)})

    def half(file: Path, content: bytes) -> None:
        with file.open("ab") as out:
            out.write(content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(answers_module, "_append_durably", half)
        answers.note({"k2": answer(2)})
        with pytest.raises(OSError, match="No space"):
            answers.save({"k2": answer(2)})
    answers.save({"k2": answer(2)})
    later = Answers(path, now_ns=Clock())
    assert [later.get(f"k{n}") for n in (1, 2)] == [answer(1), answer(2)]


def test_the_file_does_not_grow_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers_module, "_SPARE_LINES", 10)
    path = tmp_path / "a"
    answers = Answers(path, capacity=5, now_ns=Clock())
    for n in range(300):
        one = {f"k{n}": answer(n)}
        answers.note(one)
        answers.save(one)
    assert path.read_bytes().count(b"\n") <= 2 * 5 + 10 + 1
    assert Answers(path, now_ns=Clock()).get("k299") == answer(299)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["note", "note+save", "restart", "wait"]),
            st.integers(0, 6),
        ),
        max_size=40,
    )
)
def test_what_is_remembered_is_what_a_plain_model_says(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """Through restarts: what was not saved is in frames, which are read again."""
    path = tmp_path_factory.mktemp("answers") / "a"
    clock = Clock()
    answers = Answers(path, window_s=10, now_ns=clock, steady_ns=clock)
    model: dict[str, int] = {}
    frames: dict[str, Answer] = {}
    for step, n in steps:
        name = f"k{n}"
        if step == "wait":
            clock.s += n
        elif step == "restart":
            answers = Answers(path, window_s=10, now_ns=clock, steady_ns=clock)
            answers.note(frames)
        elif answers.get(name) is None:
            one = {name: answer(clock.s)}
            answers.note(one)
            frames.update(one)
            model[name] = clock.s
            if step == "note+save":
                answers.save(one)
                del frames[name]
        for known, at_s in model.items():
            expected = answer(at_s) if clock.s - at_s < 10 else None
            assert answers.get(known) == expected
