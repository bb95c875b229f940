"""What `query` and `sql` print for programs: every format, all of it or an error."""

import io
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import msgspec
import polars
import pytest

import logstream
from tests.fault.server_process import ServerProcess

Run = Callable[..., CompletedProcess[bytes]]
COUNT = 40
MOST = 30
CONFIG = {"query": {"max_limit": 25, "max_stream_rows": MOST, "default_limit": 10}}
ENTRIES = [
    {
        "timestamp": f"2026-01-01T00:00:{n:02d}Z",
        "source": "web" if n % 2 else "auth",
        "level": "info",
        "message": f"m{n}",
        "fields": {"n": n, "path": f'/a"{n}'},
    }
    for n in range(COUNT)
]


@pytest.fixture(scope="module", params=["folder", "server"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, ...]]:
    """The options that lead to 40 entries; a server gives 30 of them at a time."""
    folder = tmp_path_factory.mktemp("work")
    with logstream.open(folder / "data") as db:
        db.add(ENTRIES)
    if request.param == "folder":
        yield ("--data", str(folder / "data"))
        return
    with ServerProcess(folder, config=CONFIG).wait_until_serving() as server:
        yield ("--server", f"http://{server.address}")


def rows_of(output: bytes, how: str) -> list[dict[str, Any]]:
    if how == "arrow":
        return polars.read_ipc_stream(output).to_dicts()
    if how == "parquet":
        return polars.read_parquet(io.BytesIO(output)).to_dicts()
    if how == "ndjson":
        return [msgspec.json.decode(line) for line in output.splitlines()]
    raise AssertionError(how)


@pytest.mark.parametrize("how", ["arrow", "parquet"])
def test_entries_as_a_file(run: Run, place: tuple[str, ...], how: str) -> None:
    out = run("query", "source:web", "-n", "3", "--ids", "-o", how, *place)
    assert out.returncode == 0, out.stderr
    found = rows_of(out.stdout, how)
    assert [row["message"] for row in found] == ["m39", "m37", "m35"]
    assert all(row["id"] for row in found)


@pytest.mark.parametrize("how", ["arrow", "parquet", "ndjson"])
def test_rows_of_pipes_as_a_file(run: Run, place: tuple[str, ...], how: str) -> None:
    text = "n:<30 | fields n | sort by n"
    for limit, count in ((("-n", "3"), 3), ((), MOST), (("-n", "0"), MOST)):
        out = run("query", text, *limit, "-o", how, *place)
        assert out.returncode == 0, out.stderr
        found = rows_of(out.stdout, how)
        assert [int(row["n"]) for row in found] == list(range(count))


@pytest.mark.parametrize("how", ["arrow", "parquet"])
def test_sql_as_a_file(run: Run, place: tuple[str, ...], how: str) -> None:
    text = "SELECT fields.n::INT AS n FROM logs ORDER BY n"
    out = run("sql", text, "-n", "20", "-o", how, *place)
    assert out.returncode == 0, out.stderr
    assert [row["n"] for row in rows_of(out.stdout, how)] == list(range(20))
    assert b"There are more" in out.stderr
    exact = run("sql", f"{text} LIMIT 20", "-n", "20", "-o", how, *place)
    assert exact.stdout == out.stdout or how == "parquet"
    assert exact.stderr == b""


def test_all_is_all_or_an_error(run: Run, place: tuple[str, ...]) -> None:
    is_server = place[0] == "--server"
    for text in ("*", "* | fields message"):
        for how in ("ndjson", "csv", "arrow", "parquet"):
            out = run("query", text, "-n", "0", "-o", how, *place)
            if is_server and (how in ("arrow", "parquet") or "|" in text):
                assert (out.returncode, out.stdout) == (2, b"")
                assert b"query.max_stream_rows" in out.stderr
            else:
                assert out.returncode == 0, out.stderr
                header = how == "csv"
                if how in ("ndjson", "csv"):
                    assert len(out.stdout.splitlines()) == COUNT + header


@pytest.mark.parametrize("ending", ["ndjson", "csv", "arrow", "parquet", "duckdb"])
def test_an_export_is_whole_or_none(
    run: Run, place: tuple[str, ...], tmp_path: Path, ending: str
) -> None:
    for name, query in (("a", "*"), ("b", "* | fields message")):
        file = tmp_path / f"{name}.{ending}"
        out = run("export", "-q", query, "--to", str(file), *place)
        if place[0] == "--server":
            assert out.returncode == 2
            assert b"query.max_stream_rows" in out.stderr
            assert list(tmp_path.iterdir()) == []
        else:
            assert out.returncode == 0, out.stderr
            assert file.exists()


@pytest.mark.parametrize("how", ["arrow", "parquet"])
def test_binary_is_not_for_a_terminal(
    run_on_terminal: Callable[..., str], place: tuple[str, ...], how: str
) -> None:
    for command in (["query"], ["query", "* | head"], ["sql", "SELECT 1"]):
        shown = run_on_terminal(*command, "-o", how, *place)
        assert f"> rows.{how}" in shown
        assert len(shown.splitlines()) <= 2


def test_an_order_does_not_go_with_a_file(run: Run, place: tuple[str, ...]) -> None:
    out = run("query", "--sort", "n", "-o", "arrow", *place)
    assert out.returncode == 2
    assert b"| sort by" in out.stderr


def test_how_long_it_may_take(run: Run, place: tuple[str, ...], stub: Any) -> None:
    endless = "SELECT count(*) FROM range(100000000000) t(i) WHERE sqrt(i) = -1"
    out = run("sql", endless, "--timeout", "0.2", *place)
    assert out.returncode == 4
    assert b"longer than 0.2 s" in out.stderr
    stub.on("POST /api/v1/query", [])
    for command in (["query", "x"], ["query", "x", "-o", "arrow"]):
        run(*command, "--timeout", "250", "--server", stub.url)
    run("export", "--timeout", "250", "--to", "a.csv", "--server", stub.url)
    assert [body["timeout_s"] for _, body in stub.asked] == [250] * 3


def test_a_line_that_is_an_error_is_no_row(run: Run, stub: Any, tmp_path: Path) -> None:
    """A server tells so what went wrong behind the first rows."""
    row = b'{"n":1}\n'
    told = b'{"error":{"type":"urn:logstream:query_timeout","status":504,"detail":"d"}}'
    stub.on("POST /api/v1/query", row * 3 + told + b"\n")
    out = run("query", "| fields n", "-o", "ndjson", "--server", stub.url)
    assert (out.returncode, out.stdout) == (4, row * 3)
    assert b"logstream: d" in out.stderr
    file = tmp_path / "a.ndjson"
    out = run("export", "--to", str(file), "--server", stub.url)
    assert out.returncode == 4
    assert not file.exists()


def test_an_answer_that_breaks_off_is_an_error(
    run: Run, stub: Any, tmp_path: Path
) -> None:
    def cut(_body: Any, _path: str) -> Any:
        return 200, {"Transfer-Encoding": "chunked"}, b"3\r\nabc\r\nno\r\n"

    stub.answers["POST /api/v1/query"] = cut
    file = tmp_path / "a.csv"
    out = run("export", "--to", str(file), "--server", stub.url)
    assert out.returncode == 4
    assert b"broke its answer off" in out.stderr
    assert b"Traceback" not in out.stderr
    assert not file.exists()


def test_entries_are_printed_before_the_next_page_is_read(
    stub: Any, tmp_path: Path
) -> None:
    page = [{**ENTRIES[0], "fields": {}, "message": "x" * 100}] * 500
    read = threading.Event()
    waited: list[bool] = []

    def answer(_body: Any, path: str) -> Any:
        if "cursor" in path:
            waited.append(read.wait(150))
            return 200, {}, page
        return 200, {"Link": '</api/v1/query?cursor=c>; rel="next"'}, page

    stub.answers["POST /api/v1/query"] = answer
    command = [sys.executable, "-m", "logstream", "query", "-n", "0", "-o", "ndjson"]
    with subprocess.Popen(
        [*command, "--server", stub.url], cwd=tmp_path, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        read.set()
        rest = process.stdout.readlines()
    assert waited == [True]
    assert [first, *rest] == [first] * 1000


def test_entries_behind_pipes_are_printed_as_entries(
    run: Run, place: tuple[str, ...]
) -> None:
    plain = run("query", "web", "-n", "2", *place).stdout
    assert plain == b""
    plain = run("query", "source:web", "-n", "2", *place).stdout
    assert plain.startswith(b"2026-01-01T00:00:39Z INFO web m39 n=39 ")
    assert run("query", "source:web | head 2", *place).stdout == plain
    added = run("query", "source:web | head 1 | eval x = n + 1", *place).stdout
    assert b" n=39 " in added
    assert added.endswith(b" x=40.0\n")
    rows = run("query", "source:web | head 1 | fields timestamp, message", *place)
    assert rows.stdout == b"2026-01-01T00:00:39Z\tm39\n"
