"""While a query waits for what was acked, more is acked a little later."""

import asyncio
from collections.abc import Iterator

import pytest

from logstream.config.settings import IntakeConfig
from logstream.pipeline import intake as intake_module
from logstream.pipeline.gate import Gate
from logstream.pipeline.intake import Intake
from logstream.pipeline.settler import Settler

MUCH = 64 * 1_048_576


def a_gate(queued: int, waited_for: Iterator[bool]) -> Gate:
    return Gate(
        queued_bytes=lambda: queued,
        has_room=lambda: True,
        closed=lambda: "",
        capacity_bytes=MUCH * 2,
        is_waited_for=lambda: next(waited_for),
    )


def asked(queued: int, *answers: bool) -> int:
    """How often it was asked whether a query waits."""
    left = iter(answers)
    asyncio.run(Intake(IntakeConfig(), a_gate(queued, left)).pace())
    return len(answers) - len(list(left))


def test_an_ack_waits_until_no_query_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "_PACE_S", 60)
    monkeypatch.setattr(intake_module, "_PACE_STEP_S", 0)
    assert asked(MUCH, True, True, True, False, True) == 4


def test_it_does_not_wait_when_there_is_little_to_wait_for() -> None:
    assert asked(1000, True, True) == 1


def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "_PACE_S", 0)
    assert asked(MUCH, True, True) == 1


def test_a_settler_knows_whether_a_query_waits() -> None:
    settler = Settler()
    assert not settler.is_waited_for()
    waiter = settler.expect({1})
    assert settler.is_waited_for()
    settler.gone({1})
    assert not settler.is_waited_for()
    settler.forget(waiter)
