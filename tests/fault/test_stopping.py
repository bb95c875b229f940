"""SIGTERM: what was accepted is stored within the time limit, or kept for later."""

from pathlib import Path
from typing import Any

from tests.fault.server_process import ServerProcess

PLUGINS = Path(__file__).parent / "plugin_folder"
ENTRIES = 4000
_NDJSON = {"Content-Type": "application/x-ndjson"}


def _config(*, shutdown_timeout_s: float, slow_s: float = 0.0) -> dict[str, Any]:
    return {
        "plugins": {"folder": str(PLUGINS)},
        "processors": [{"type": "slow", "options": {"seconds": slow_s}}],
        "journal": {"linger_ms": 60_000, "segment_bytes": 64_000},
        "workers": {"shutdown_timeout_s": shutdown_timeout_s, "count": 1},
    }


def _fill(server: ServerProcess) -> None:
    for at in range(0, ENTRIES, 500):
        lines = (b'{"message":"entry %d"}' % n for n in range(at, at + 500))
        answer = server.ask("POST", "/api/v1/logs/batch", b"\n".join(lines), _NDJSON)
        assert answer.status == 200, answer
    assert server.get("/api/v1/queue")["entries"] > 0


def test_a_stop_stores_what_was_accepted_and_says_so(tmp_path: Path) -> None:
    config = _config(shutdown_timeout_s=300, slow_s=1)
    with ServerProcess(tmp_path, config=config).wait_until_serving() as server:
        _fill(server)
        assert server.terminate() == 0
        assert "none are left" in server.output()
    assert {path.name for path in (server.data / "journal").iterdir()} == {"next"}
    with ServerProcess(tmp_path, config=config).wait_until_serving() as server:
        assert server.metrics()["logstream_journal_replayed_entries_total"] == 0
        assert server.total() == ENTRIES


def test_a_stop_in_no_time_leaves_the_rest_in_the_journal_for_the_next_start(
    tmp_path: Path,
) -> None:
    config = _config(shutdown_timeout_s=0, slow_s=2)
    with ServerProcess(tmp_path, config=config).wait_until_serving() as server:
        _fill(server)
        assert server.terminate() == 0
        said = server.wait_for("Stopped with ")
    left = int(said.split()[2])
    assert 0 < left <= ENTRIES
    quick = _config(shutdown_timeout_s=60)
    with ServerProcess(tmp_path, config=quick).wait_until_serving() as server:
        assert server.total() == ENTRIES
        assert server.metrics()["logstream_journal_replayed_entries_total"] == left


def test_a_request_that_is_under_way_when_the_stop_comes_is_not_half_stored(
    tmp_path: Path,
) -> None:
    config = _config(shutdown_timeout_s=60)
    with ServerProcess(tmp_path, config=config).wait_until_serving() as server:
        connection = server.connect()
        connection.putrequest("POST", "/api/v1/logs/batch")
        connection.putheader("Content-Type", "application/x-ndjson")
        connection.putheader("Content-Length", "1000000")
        connection.endheaders()
        connection.send(b'{"message":"half"}\n' * 100)
        assert server.terminate() == 0
        connection.close()
    with ServerProcess(tmp_path, config=config).wait_until_serving() as server:
        assert server.total() == 0
