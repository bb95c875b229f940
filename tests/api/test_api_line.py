"""The line of queries: fair between clients, bounded, and never losing a turn."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstream.api.line import FairLine
from logstream.core.errors import TooManyQueries


async def _breathe() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Clients:
    """Who has a turn, in the order in which the turns came."""

    def __init__(self, line: FairLine) -> None:
        self.line = line
        self.turns: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def ask(self, *clients: str) -> None:
        for client in clients:
            self.tasks.append(asyncio.create_task(self._enter(client)))
        await _breathe()

    async def leave(self, client: str) -> None:
        self.line.leave(client)
        await _breathe()

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _enter(self, client: str) -> None:
        await self.line.enter(client)
        self.turns.append(client)


def _run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 150))


def test_turns_go_round_between_clients_that_wait() -> None:
    async def scenario() -> None:
        clients = Clients(FairLine(max_running=1, max_waiting=10))
        await clients.ask("a", "a", "a", "a", "b", "c", "b")
        for _ in range(6):
            await clients.leave(clients.turns[-1])
        assert clients.turns == ["a", "a", "b", "c", "a", "b", "a"]
        await clients.end()

    _run(scenario())


def test_one_client_never_has_every_turn() -> None:
    async def scenario() -> None:
        clients = Clients(FairLine(max_running=3, max_waiting=10))
        await clients.ask("a", "a", "a", "a", "b")
        assert clients.turns == ["a", "a", "b"]
        await clients.leave("b")
        assert clients.line.running == 2
        await clients.end()

    _run(scenario())


def test_the_client_with_the_fewest_running_is_next() -> None:
    async def scenario() -> None:
        clients = Clients(FairLine(max_running=3, max_waiting=10))
        await clients.ask("a", "a", "b", "a", "c")
        await clients.leave("b")
        assert clients.turns == ["a", "a", "b", "c"]
        await clients.end()

    _run(scenario())


def test_a_line_that_is_full_refuses() -> None:
    async def scenario() -> None:
        clients = Clients(FairLine(max_running=1, max_waiting=1))
        await clients.ask("a", "a")
        with pytest.raises(TooManyQueries, match=r"query\.max_waiting"):
            await clients.line.enter("b")
        await clients.leave("a")
        await clients.ask("b")
        assert clients.line.waiting == 1
        await clients.end()

    _run(scenario())


def test_no_line_at_all_takes_what_can_run_at_once() -> None:
    async def scenario() -> None:
        line = FairLine(max_running=1, max_waiting=0)
        await line.enter("a")
        with pytest.raises(TooManyQueries):
            await line.enter("a")
        line.leave("a")
        await line.enter("b")

    _run(scenario())


def test_a_turn_that_comes_as_its_client_goes_is_passed_on() -> None:
    async def scenario() -> None:
        clients = Clients(FairLine(max_running=1, max_waiting=10))
        await clients.ask("a", "b", "c")
        clients.line.leave("a")
        clients.tasks[1].cancel()  # its turn is there, and it does not know yet
        await _breathe()
        assert clients.turns == ["a", "c"]
        await clients.end()

    _run(scenario())


@given(st.lists(st.tuples(st.sampled_from("aebdc"), st.booleans()), max_size=60))
def test_whatever_comes_and_goes_no_turn_is_lost(
    steps: list[tuple[str, bool]],
) -> None:
    """Never more than allowed run, nobody waits beside room, and all ends empty."""

    async def scenario() -> None:
        line = FairLine(max_running=3, max_waiting=100)
        clients = Clients(line)
        for client, asks in steps:
            if asks or not clients.tasks:
                await clients.ask(client)
            elif client == "c":  # somebody hangs up
                clients.tasks.pop().cancel()
                await _breathe()
            elif line.running:
                await clients.leave(next(iter(line._running)))
            assert line.running <= 3
            able = [one for one in line._waiting if line._may_run(one)]
            assert not able
        await clients.end()
        while line.running:
            await clients.leave(next(iter(line._running)))
        assert line.waiting == 0
        assert not line._running

    _run(scenario())
