"""DuckDB fails for good: the server says so, ends, and the next one has all entries."""

from pathlib import Path

from tests.fault.server_process import ServerProcess

PLUGINS = Path(__file__).parent / "plugin_folder"


def _serve(folder: Path, point: str = "") -> ServerProcess:
    config = {
        "plugins": {"folder": str(PLUGINS)},
        "journal": {"linger_ms": 0},
        "storage": {"min_free_bytes": 0},
    }
    faults = {"FAULT_POINT": point, "FAULT_ARMED": str(folder / "armed")}
    return ServerProcess(folder, config=config, environment=faults)


def test_a_server_whose_duckdb_failed_ends_and_the_next_one_stores_what_was_acked(
    tmp_path: Path,
) -> None:
    with _serve(tmp_path, "duckdb-fatal:1") as server:
        server.wait_until_serving()
        (tmp_path / "armed").touch()
        answer = server.ask("POST", "/api/v1/logs", b'{"message":"kept"}')
        assert answer.status == 200
        assert server.wait() == 4
        output = server.output()
        assert "the disk is on fire" in output
        assert "start LogStream again" in output
    (tmp_path / "armed").unlink()
    (server.data / "tmp" / "duckdb_temp_storage-0.tmp").write_bytes(b"spilled")
    with _serve(tmp_path) as server:
        server.wait_until_serving()
        assert [row["message"] for row in server.query("")] == ["kept"]
        assert not list((server.data / "tmp").iterdir())
        assert server.terminate() == 0
