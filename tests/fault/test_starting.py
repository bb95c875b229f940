"""What stops a start is one clear message on standard error, and its exit code."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.fault.load import Ledger, Load
from tests.fault.server_process import WAIT_S, ServerProcess, run_cli

USAGE, STORAGE = 2, 4


def _fails(cwd: Path, *arguments: str, code: int) -> str:
    done = run_cli(["serve", "--port", "0", *arguments], cwd=cwd)
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("logstream: ")
    return done.stderr


def test_a_second_server_on_one_folder_is_told_the_pid_of_the_first(
    tmp_path: Path,
) -> None:
    with ServerProcess(tmp_path).wait_until_serving() as first:
        said = _fails(tmp_path, "--data", str(first.data), code=STORAGE)
        assert str(first.process.pid) in said
        assert str(first.data) in said
        assert first.get("/api/v1/health")["status"] == "ok"


def test_a_second_server_takes_nothing_from_the_first_under_load(
    tmp_path: Path,
) -> None:
    ledger = Ledger()
    with ServerProcess(tmp_path).wait_until_serving() as first:
        with Load(first, ledger, seed=1) as load:
            for _ in range(2):
                _fails(tmp_path, "--data", str(first.data), code=STORAGE)
            assert load.reached.wait(WAIT_S)
        ledger.check(first.query(""))
        first.kill()
        first.wait()
    with ServerProcess(tmp_path).wait_until_serving() as again:
        ledger.check(again.query(""))


def test_a_folder_whose_owner_was_killed_is_free_again(tmp_path: Path) -> None:
    with ServerProcess(tmp_path).wait_until_serving() as first:
        first.kill()
        first.wait()
    with ServerProcess(tmp_path).wait_until_serving() as second:
        assert second.get("/api/v1/health")["status"] == "ok"


def test_a_data_folder_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "data"
    said = _fails(tmp_path, "--data", str(path), code=STORAGE)
    assert str(path) in said
    assert "--data" in said


def test_a_data_folder_on_a_read_only_disk_cannot_be_written(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("mounting needs root")
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        said = _fails(tmp_path, "--data", str(disk / "data"), code=STORAGE)
        assert str(disk / "data") in said
        assert "Read-only" in said
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run_cli(["serve", "--port", port, "--data", "data"], cwd=tmp_path)
    assert done.returncode == USAGE, done
    assert port in done.stderr
    assert "in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_config_key_is_refused_with_the_nearest_known_one(
    tmp_path: Path,
) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("intake:\n  capacity_byte: 5\n")
    said = _fails(tmp_path, "--config", str(config), code=USAGE)
    assert "mine.yaml" in said
    assert "capacity_byte" in said
    assert "capacity_bytes" in said.replace("capacity_byte'", "")


def test_a_config_that_is_not_there_is_named(tmp_path: Path) -> None:
    said = _fails(tmp_path, "--config", "nowhere.yaml", code=USAGE)
    assert "nowhere.yaml" in said


def test_an_unknown_environment_variable_is_refused(tmp_path: Path) -> None:
    done = run_cli(
        ["serve", "--port", "0"],
        cwd=tmp_path,
        environment={"LOGSTREAM_SERVER_PROT": "1"},
    )
    assert done.returncode == USAGE, done
    assert "LOGSTREAM_SERVER_PORT" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("processors: [{type: redcat}]", "redcat"),
        ("collectors: [{type: flie, name: a}]", "flie"),
        ("plugins: {folder: not-there}", "not-there"),
        ("plugins: {disabled: [nobody]}", "nobody"),
    ],
    ids=["processor", "collector", "folder", "disabled"],
)
def test_a_missing_plugin_is_named(tmp_path: Path, text: str, names: str) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(text)
    said = _fails(tmp_path, "--config", str(config), code=USAGE)
    assert names in said


def test_a_plugin_that_does_not_import_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "geo.py").write_text("\nimport not_a_module_of_anybody\n")
    config = tmp_path / "config.yaml"
    config.write_text("plugins: {folder: plugins}")
    said = _fails(tmp_path, "--config", str(config), code=USAGE)
    assert "geo.py:2" in said
    assert "not_a_module_of_anybody" in said


def test_a_partition_that_does_not_open_is_left_out_and_told(tmp_path: Path) -> None:
    with ServerProcess(tmp_path).wait_until_serving() as server:
        for day in ("2026-11-18", "2026-11-19"):
            body = b'{"timestamp":"%sT01:00:00Z","message":"m"}' % day.encode()
            assert server.ask("POST", "/api/v1/logs", body).status == 200
        assert server.total() == 2
        assert server.terminate() == 0
    (server.data / "partitions" / "2026-11-18.duckdb").write_bytes(b"rubbish" * 9999)
    with ServerProcess(tmp_path).wait_until_serving() as server:
        assert server.total() == 1
        assert server.metrics()["logstream_partitions_broken"] == 1
        body = b'{"timestamp":"2026-11-19T02:00:00Z","message":"goes on"}'
        assert server.ask("POST", "/api/v1/logs", body).status == 200
        assert server.total() == 2
