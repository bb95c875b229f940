"""The clock jumps back and forth: nothing is lost, nothing goes, nothing is doubled."""

import json
import time
from pathlib import Path

import pytest

from tests.fault.load import Batch
from tests.fault.server_process import WAIT_S, ServerProcess
from tests.fault.story import PLUGINS, SEED, Story, told

_DAY_S = 86_400
_NOON = 1_795_176_000
"""2026-11-20T12:00:00Z, in the last of the days that entries are of."""
_JUMPS = (0, 400 * _DAY_S, -400 * _DAY_S, 3 * _DAY_S, -3600, 40 * 365 * _DAY_S, 0)
_JSON = {"Content-Type": "application/json"}


class Clock:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "clock"
        self._real = _NOON - int(time.time())
        self.set(0)

    def set(self, ahead_s: int) -> None:
        """As if it were noon of that day, and so much later."""
        new = self.path.with_name("clock.new")
        new.write_text(str(self._real + ahead_s))
        new.replace(self.path)


def _day_after(ahead_s: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(_NOON + ahead_s))


def _send_without_a_time(story: Story, server: ServerProcess, day: str) -> None:
    """It is of the day that the server's clock has, and found at once."""
    (number,) = numbers = story.ledger.take(1)
    entry = {"message": f"good entry-{number} ", "fields": {"n": number}}
    answer = server.ask("POST", "/api/v1/logs", json.dumps(entry).encode(), _JSON)
    assert answer.status == 200, answer
    story.ledger.note(Batch(numbers, "acked", None))
    (found,) = server.query(f"n:{number}")
    assert found["timestamp"].startswith(day)


@pytest.mark.timeout(900)
def test_a_clock_that_jumps_under_load_loses_nothing_and_deletes_nothing(
    tmp_path: Path,
) -> None:
    clock = Clock(tmp_path)
    story = Story(
        tmp_path,
        SEED,
        environment={"FAULT_CLOCK": str(clock.path)},
        config={"retention": {"max_age_days": 7}},
    )
    try:
        for jumps in (_JUMPS[:4], _JUMPS[4:]):
            with story.serve() as server:
                for ahead_s in jumps:
                    with story.load(server, enough=200) as load:
                        clock.set(ahead_s)
                        _send_without_a_time(story, server, _day_after(ahead_s))
                        assert load.reached.wait(WAIT_S)
                        # It looks at once for what is too old.
                        policy = b'{"max_age_days": 7}'
                        answer = server.ask("PUT", "/api/v1/retention", policy)
                        assert answer.status == 200, answer
                story.check(server)
                server.kill()
                server.wait()
            story.kills += 1
        clock.set(0)
        story.end()
    except BaseException as error:
        error.add_note(told(SEED, story))
        raise


def _send_again(server: ServerProcess) -> bool:
    """The one request with its key. Whether it was taken for the one before."""
    body = b'{"message": "only once"}'
    headers = {**_JSON, "Idempotency-Key": "the one"}
    answer = server.ask("POST", "/api/v1/logs", body, headers)
    assert answer.status == 200, answer
    return answer.headers.get("idempotency-replayed") == "true"


@pytest.mark.timeout(900)
def test_a_request_that_is_sent_again_is_known_whatever_the_clock_did(
    tmp_path: Path,
) -> None:
    clock = Clock(tmp_path)

    def serve() -> ServerProcess:
        server = ServerProcess(
            tmp_path,
            config={"plugins": {"folder": str(PLUGINS)}},
            environment={"FAULT_CLOCK": str(clock.path)},
        )
        return server.wait_until_serving()

    with serve() as server:
        assert not _send_again(server)
        for ahead_s in _JUMPS:
            clock.set(ahead_s)
            assert _send_again(server)
        server.kill()
        server.wait()
    clock.set(-400 * _DAY_S)
    with serve() as server:  # set back while no server ran
        assert _send_again(server)
        clock.set(400 * _DAY_S)
        assert _send_again(server)
        assert server.total() == 1
        assert server.terminate() == 0
    with serve() as server:  # a start 400 days later: the key means nothing any more
        assert not _send_again(server)
        assert _send_again(server)
        assert server.total() == 2
