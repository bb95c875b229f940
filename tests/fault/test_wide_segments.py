"""A batch with entries of 400 days: all of them, and each once."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.fault.server_process import ServerProcess

PLUGINS = Path(__file__).parent / "plugin_folder"
DAYS = 400
_NDJSON = {"Content-Type": "application/x-ndjson"}
_FIRST = date(2025, 1, 1)


def _serve(folder: Path, point: str = "") -> ServerProcess:
    config = {
        "plugins": {"folder": str(PLUGINS)},
        "storage": {"min_free_bytes": 0, "compact_after_s": 0},
    }
    faults = {"FAULT_POINT": point, "FAULT_ARMED": str(folder / "armed")}
    return ServerProcess(folder, config=config, environment=faults)


def _body(batch: int) -> bytes:
    lines = []
    for number in range(2 * DAYS):
        day = _FIRST + timedelta(days=number * 7 % DAYS)
        entry = {"timestamp": f"{day}T12:00:00Z", "message": f"{batch} of {number}"}
        lines.append(json.dumps(entry))
    return "\n".join(lines).encode()


def _check(server: ServerProcess, batches: int) -> None:
    counted = b'{"filter": "* | timechart span=1d count() as n", "format": "table"}'
    headers = {"Content-Type": "application/json"}
    answer = server.ask("POST", "/api/v1/query", counted, headers)
    assert answer.status == 200, answer
    assert [row[-1] for row in answer.json()["rows"]] == [2 * batches] * DAYS
    assert len({row["message"] for row in server.query("")}) == 2 * DAYS * batches
    assert server.total() == 2 * DAYS * batches


@pytest.mark.timeout(900)
def test_a_kill_between_400_days_of_one_batch_leaves_each_entry_once(
    tmp_path: Path,
) -> None:
    (tmp_path / "armed").touch()
    path = "/api/v1/logs/batch"
    for batch, nth in enumerate((150, 399)):
        point = f"load-between-days:{nth}"
        with _serve(tmp_path, point).wait_until_serving() as server:
            answer = server.ask("POST", path, _body(batch), _NDJSON)
            assert answer.status == 200, answer
            assert server.wait() == -9, f"{point} was not reached"
        with _serve(tmp_path).wait_until_serving() as server:
            _check(server, batch + 1)
            assert server.terminate() == 0
