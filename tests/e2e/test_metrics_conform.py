"""The metrics of a server that has done something pass Prometheus' own check."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fault.server_process import ServerProcess


@pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not installed (Debian's package prometheus)",
)
def test_promtool_finds_nothing_to_say(tmp_path: Path) -> None:
    with ServerProcess(tmp_path).wait_until_serving() as server:
        for body in (b'{"message":"a","source":"auth"}', b"{}"):
            server.ask("POST", "/api/v1/logs", body)
        assert server.total() == 1
        answer = server.ask("GET", "/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=")
        assert server.terminate() == 0
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=answer.body,
        capture_output=True,
        timeout=150,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
