"""A day whose file is damaged, locked or gone is told of, and everything else works."""

import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from tests.fault.server_process import WAIT_S, Answer, ServerProcess, run_cli

DAYS = ("2026-11-18", "2026-11-19", "2026-11-20")
LOST = "2026-11-19"
PER_DAY = 2000
_NDJSON = {"Content-Type": "application/x-ndjson"}
_JSON = {"Content-Type": "application/json"}


def _send(server: ServerProcess, day: str, count: int = PER_DAY) -> None:
    chance = random.Random(day)
    lines = [
        json.dumps(
            {"timestamp": f"{day}T12:00:00Z", "message": chance.randbytes(40).hex()}
        )
        for _ in range(count)
    ]
    answer = server.ask(
        "POST", "/api/v1/logs/batch", "\n".join(lines).encode(), _NDJSON
    )
    assert answer.status == 200, answer


def _serve(folder: Path) -> ServerProcess:
    # No day is compacted meanwhile: its file would have another name.
    config = {"storage": {"compact_after_s": 0}, "journal": {"linger_ms": 0}}
    return ServerProcess(folder, config=config).wait_until_serving()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with three days, in use by nobody."""
    with _serve(tmp_path) as server:
        for day in DAYS:
            _send(server, day)
        assert server.total() == 3 * PER_DAY
        assert server.terminate() == 0
    return server.data


@pytest.fixture
def file(data: Path) -> Path:
    return data / "partitions" / f"{LOST}.duckdb"


@pytest.fixture
def server(data: Path) -> Iterator[ServerProcess]:
    with _serve(data.parent) as server:
        yield server


def _until(check: Callable[[], bool], why: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not check():
        assert time.monotonic() < deadline, why
        time.sleep(0.1)


def _count(server: ServerProcess, query: str = "* | stats count() as n") -> Answer:
    body = json.dumps({"filter": query, "format": "table"}).encode()
    return server.ask("POST", "/api/v1/query", body, _JSON)


def _is_told(server: ServerProcess, entries: int, says: str) -> None:
    """Answers lack the day and say so; so do the listing, the metrics, and the CLI."""
    answer = _count(server)
    assert answer.status == 200, answer
    assert answer.json()["rows"] == [[entries]]
    assert answer.headers["logstream-left-out"] == LOST
    for path in ("/api/v1/logs?limit=1", "/api/v1/logs/stats", "/api/v1/logs/sources"):
        assert server.ask("GET", path).headers["logstream-left-out"] == LOST
    for path, body in (
        ("/api/v1/sql", {"sql": "SELECT count(*) FROM logs"}),
        (
            "/api/v1/query/analyze",
            {"analysis": {"type": "frequency", "group_by": "level"}},
        ),
        ("/api/v1/query", {"filter": "", "format": "csv", "limit": 0}),
        ("/api/v1/query", {"filter": "", "format": "ndjson", "limit": 0}),
    ):
        answer = server.ask("POST", path, json.dumps(body).encode(), _JSON)
        assert answer.status == 200, answer
        assert answer.headers["logstream-left-out"] == LOST
    other = _count(server, f"timestamp:{DAYS[0]} | stats count() as n")
    assert other.json()["rows"][0][0] >= PER_DAY
    assert "logstream-left-out" not in other.headers
    listed = server.get("/api/v1/storage")
    (broken,) = [one for one in listed["partitions"] if one["broken"]]
    assert broken["day"] == LOST
    assert says in broken["broken"]
    assert listed["totals"]["broken"] == 1
    assert server.metrics()["logstream_partitions_broken"] == 1
    ready = server.ask("GET", "/readyz")
    assert (ready.status, ready.json()) == (200, {"status": "ok", "left_out": [LOST]})
    asked = run_cli(["stats", "--server", f"http://{server.address}"], cwd=server.data)
    assert asked.returncode == 0
    assert f"left out: {LOST}" in asked.stderr


def _goes_on(server: ServerProcess, entries: int) -> None:
    """Ingest, of that day too, is stored and found."""
    for day in DAYS:
        _send(server, day, 10)
    assert _count(server).json()["rows"] == [[entries + 30]]


def test_a_day_whose_file_is_gone_at_start_is_missed(file: Path) -> None:
    file.unlink()
    with _serve(file.parents[2]) as server:
        _is_told(server, 2 * PER_DAY, "its file is gone")
        _goes_on(server, 2 * PER_DAY)
        server.kill()
        server.wait()
    verified = run_cli(["verify", str(server.data)], cwd=server.data)
    assert "its file is gone" in verified.stderr
    with _serve(file.parents[2]) as server:
        _is_told(server, 2 * PER_DAY + 20 + 10, "its file is gone")
        whole = f"/api/v1/logs?all=true&from={LOST}&to={DAYS[2]}"
        assert server.ask("DELETE", whole).json()["entries"] == 10
        assert "logstream-left-out" not in _count(server).headers
        assert server.get("/api/v1/storage")["totals"]["broken"] == 0


def test_a_file_that_is_brought_back_is_not_missed_any_more(file: Path) -> None:
    away = file.with_name("away")
    file.rename(away)
    with _serve(file.parents[2]) as server:
        _is_told(server, 2 * PER_DAY, "its file is gone")
        assert server.terminate() == 0
    away.rename(file)
    with _serve(file.parents[2]) as server:
        answer = _count(server)
        assert answer.json()["rows"] == [[3 * PER_DAY]]
        assert "logstream-left-out" not in answer.headers


@pytest.mark.parametrize("opened", [True, False], ids=["open", "not-opened-yet"])
def test_a_file_that_is_taken_away_while_the_server_runs_is_missed(
    server: ServerProcess, file: Path, opened: bool
) -> None:
    if opened:
        assert server.total() == 3 * PER_DAY
    file.unlink()
    _until(lambda: "logstream-left-out" in _count(server).headers, "never missed")
    _is_told(server, 2 * PER_DAY, "its file is gone")
    _goes_on(server, 2 * PER_DAY)


def test_entries_that_come_as_a_file_is_taken_away_are_not_lost_with_it(
    server: ServerProcess, file: Path
) -> None:
    """They would go to a file that nobody can open again."""
    assert server.total() == 3 * PER_DAY
    file.unlink()
    _send(server, LOST, 10)
    _until(lambda: server.get("/api/v1/queue")["entries"] == 0, "never stored")
    server.kill()
    server.wait()
    with _serve(file.parents[2]) as again:
        assert _count(again).json()["rows"] == [[2 * PER_DAY + 10]]


def _damage(file: Path) -> bytes:
    """Turn bits where a query finds them, and the file opens all the same."""
    sound = file.read_bytes()
    for at in range(0x3000 + 0x1000, len(sound), 0x8000):
        turned = bytes(byte ^ 255 for byte in sound[at : at + 64])
        content = sound[:at] + turned + sound[at + 64 :]
        file.write_bytes(content)
        try:
            day = duckdb.connect(str(file), read_only=True)
        except duckdb.Error:
            continue
        with day:
            try:
                day.execute("SELECT max(length(message)) FROM entries").fetchall()
            except duckdb.Error:
                return content
    raise AssertionError("no place was found")


def test_damage_that_a_query_meets_takes_its_day_aside(file: Path, data: Path) -> None:
    content = _damage(file)
    with _serve(data.parent) as server:
        query = "* | stats max(length(message)) as n, count() as c"
        first = _count(server, query)
        if first.status != 200:
            assert first.status == 503, first
            assert first.headers["retry-after"]
            assert LOST in first.json()["detail"]
        second = _count(server, query)
        assert second.json()["rows"] == [[80.0, 2 * PER_DAY]]
        assert second.headers["logstream-left-out"] == LOST
        _is_told(server, 2 * PER_DAY, "broken-1")
        _goes_on(server, 2 * PER_DAY)
        assert server.terminate() == 0
    assert file.with_name(f"{file.name}.broken-1").read_bytes() == content


def test_a_file_that_does_not_open_is_left_out(file: Path, data: Path) -> None:
    file.write_bytes(b"rubbish" * 9999)
    with _serve(data.parent) as server:
        assert _count(server).status == 200
        _is_told(server, 2 * PER_DAY, "not a valid DuckDB database")
        for ending in ("&dry_run=true", ""):
            refused = server.ask("DELETE", f"/api/v1/logs?all=true{ending}")
            assert refused.status == 503
            assert refused.json()["type"] == "urn:logstream:unreadable_days"
            assert f"{2 * PER_DAY} entries" in refused.json()["detail"]
            assert LOST in refused.json()["detail"]


def _is_stuck(server: ServerProcess, entries: int, stuck: int) -> None:
    """Answers do not wait for entries of the day, and say how many they lack."""
    answer = _count(server)
    assert answer.json()["rows"] == [[entries]]
    assert answer.headers["logstream-left-out"] == LOST
    for path in ("/api/v1/logs?limit=1", "/api/v1/logs/stats", "/api/v1/storage"):
        headers = server.ask("GET", path).headers
        assert headers["logstream-stuck-entries"] == str(stuck)
    assert server.ask("GET", "/readyz").json()["stuck_entries"] == stuck
    assert server.get("/api/v1/queue")["stuck_entries"] == stuck
    assert server.get("/api/v1/storage")["stuck_entries"] == stuck
    gauge = "logstream_queue_stuck_entries"
    _until(lambda: server.metrics()[gauge] == stuck, "never in the metrics")
    where = ["--server", f"http://{server.address}"]
    listed = run_cli(["storage", *where], cwd=server.data)
    assert f"{stuck} entries cannot be stored just now: The partition" in listed.stderr
    asked = run_cli(["query", "*", "-n", "1", *where], cwd=server.data)
    assert f"left out: {stuck} entries that cannot be stored" in asked.stderr


def test_a_day_that_another_process_holds_is_left_out_until_it_is_free(
    file: Path, data: Path
) -> None:
    with duckdb.connect(str(file)):
        with _serve(data.parent) as server:
            assert _count(server).status == 200
            _is_told(server, 2 * PER_DAY, "lock")
            for day in DAYS:
                _send(server, day, 10)
            _until(lambda: bool(server.get("/api/v1/queue")["stuck"]), "never stuck")
            _is_stuck(server, 2 * PER_DAY + 20, 10)
            server.kill()
            server.wait()
        with _serve(data.parent) as server:  # all but that day is replayed
            _until(lambda: server.ask("GET", "/readyz").status == 200, "never ready")
            _is_stuck(server, 2 * PER_DAY + 20, 10)
    with _serve(data.parent) as server:
        _until(lambda: server.get("/api/v1/queue")["entries"] == 0, "never stored")
        assert _count(server).json()["rows"] == [[3 * PER_DAY + 30]]
