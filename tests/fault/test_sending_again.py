"""A sender that got no answer sends again, with the key of the first time: whatever
moment the server was killed at, its entries are there exactly once.
"""

import contextlib
import http.client
import json
from pathlib import Path

import pytest

from tests.fault.server_process import Answer, ServerProcess, ask

PLUGINS = Path(__file__).parent / "plugin_folder"
NDJSON = {"Content-Type": "application/x-ndjson"}
NO_ANSWER = (OSError, http.client.HTTPException)

SMALL, LARGE = 20, 1100
POINTS = [
    ("frame-torn:1", SMALL),
    ("frame-written:1", SMALL),
    ("frame-synced:1", SMALL),
    ("segment-closed:1", SMALL),
    ("load-remembered:1", SMALL),
    ("load-committed:1", SMALL),
    ("retire-saved:1", SMALL),
    ("answers-torn:1", SMALL),
    ("retire-deleted:1", SMALL),
    ("stage-written:2", LARGE),
    ("stage-before-rename:1", LARGE),
    ("stage-after-rename:1", LARGE),
    ("retire-deleted:1", LARGE),
]


def _serve(folder: Path, point: str = "") -> ServerProcess:
    config = {
        "plugins": {"folder": str(PLUGINS)},
        "journal": {"linger_ms": 0, "segment_bytes": 1_000_000},
        "storage": {"min_free_bytes": 0},
    }
    faults = {"FAULT_POINT": point, "FAULT_ARMED": str(folder / "armed")}
    server = ServerProcess(folder, config=config, environment=faults)
    try:
        server.wait_until_serving()
    except BaseException as error:
        server.__exit__(type(error), error, None)
        raise
    return server


def _send(server: ServerProcess, body: bytes) -> Answer:
    connection = server.connect()
    headers = {**NDJSON, "Idempotency-Key": "the one"}
    try:
        return ask(connection, "POST", "/api/v1/logs/batch", body, headers)
    finally:
        connection.close()


@pytest.mark.parametrize(("point", "lines"), POINTS)
def test_what_is_sent_again_after_a_kill_is_there_once(
    tmp_path: Path, point: str, lines: int
) -> None:
    padding = "x" * (5000 if lines == LARGE else 10)
    entry = {"timestamp": "2026-11-20T10:00:00Z", "message": padding}
    body = b"".join(
        json.dumps({**entry, "fields": {"n": n}}).encode() + b"\n" for n in range(lines)
    )
    acked = False
    with _serve(tmp_path, point) as server:
        (tmp_path / "armed").touch()
        with contextlib.suppress(*NO_ANSWER):
            acked = _send(server, body).status == 200
        assert server.wait() == -9, f"{point} was not reached"
    (tmp_path / "armed").unlink()
    for again in (False, True):
        with _serve(tmp_path) as server:
            answer = _send(server, body)
            assert answer.json() == {"status": "ok", "count": str(lines)}
            replayed = answer.headers.get("idempotency-replayed") == "true"
            assert replayed or not (acked or again)
            assert server.total() == lines
            assert server.terminate() == 0
