"""What is exported comes back: the same entries, whatever the file is."""

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import duckdb
import pytest

import logstream

Run = Callable[..., CompletedProcess[bytes]]
ROOT = Path(__file__).resolve().parents[2]

ENTRIES: list[dict[str, Any]] = [
    {
        "timestamp": f"2026-01-0{n % 3 + 1}T00:00:{n:02d}.{n:09d}Z",
        "source": "web, or \"so\"" if n % 2 else "auth",
        "level": "info",
        "message": f"line {n}\nand, \"more\" ü {'x' * n}" if n else "",
        "fields": {"n": n, "nested": {"a": [1, "b", None, True]}, "no": None},
    }
    for n in range(40)
]  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    with logstream.open(path) as db:
        db.add(ENTRIES)
    return path


def entries_of(folder: Path) -> list[dict[str, Any]]:
    with logstream.open(folder) as db:
        rows = db.query("*").rows()
    return sorted(rows, key=lambda row: row["fields"]["n"])


NAMES = (
    *("a.parquet", "a.csv", "a.csv.gz", "a.ndjson", "a.ndjson.gz", "a.ndjson.zst"),
    *("a.duckdb", "a.arrow", "a.arrows", "A.ARROW"),
)


@pytest.mark.parametrize("name", NAMES)
def test_there_and_back(run: Run, tmp_path: Path, data: Path, name: str) -> None:
    file = tmp_path / name
    written = file.with_name(name.lower())
    out = run("export", "--to", str(written), "--data", str(data))
    assert out.returncode == 0, out.stderr
    written.rename(file)
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []
    other = tmp_path / "other"
    back = run("import", str(file), "--data", str(other))
    assert back.returncode == 0, back.stderr
    assert entries_of(other) == entries_of(data)


def test_rows_of_pipes_are_exported(run: Run, tmp_path: Path, data: Path) -> None:
    file = tmp_path / "a.csv"
    query = "* | stats count() as n by source"
    out = run("export", "--query", query, "--to", str(file), "--data", str(data))
    assert out.returncode == 0, out.stderr
    assert file.read_bytes() == b'source,n\r\nauth,20\r\n"web, or ""so""",20\r\n'


def test_a_database_can_be_asked_by_anybody(
    run: Run, tmp_path: Path, data: Path
) -> None:
    file = tmp_path / "it's.duckdb"
    assert run("export", "--to", str(file), "--data", str(data)).returncode == 0
    with duckdb.connect(str(file), read_only=True) as db:
        found = db.execute("SELECT count(*), sum(fields.n::INT) FROM logs").fetchall()
    assert found == [(40, 780)]


def test_a_file_that_is_there_stays(run: Run, tmp_path: Path, data: Path) -> None:
    file = tmp_path / "a.ndjson"
    file.write_text("mine")
    out = run("export", "--to", str(file), "--data", str(data))
    assert out.returncode != 0
    assert b"--force" in out.stderr
    assert file.read_text() == "mine"
    again = run("export", "--force", "--to", str(file), "--data", str(data))
    assert again.returncode == 0, again.stderr
    assert len(file.read_text().splitlines()) == 40


def test_a_query_that_fails_leaves_no_file(
    run: Run, tmp_path: Path, data: Path
) -> None:
    file = tmp_path / "a.csv"
    out = run("export", "-q", "* | nothing", "--to", str(file), "--data", str(data))
    assert out.returncode == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_a_folder_that_is_missing_is_said(run: Run, tmp_path: Path, data: Path) -> None:
    file = tmp_path / "none" / "a.csv"
    out = run("export", "--to", str(file), "--data", str(data))
    assert out.returncode == 2
    assert out.stderr.decode().startswith(f"logstream: --to {file}: there is no folder")


def test_a_full_disk_is_one_message(data: Path) -> None:
    for how in ("ndjson", "table", "parquet"):
        script = 'exec "$@" > /dev/full'
        query = ("query", "*", "-o", how, "--data", str(data))
        command = ("sh", "-c", script, "-", sys.executable, "-m", "logstream", *query)
        done = subprocess.run(
            command, capture_output=True, check=False, timeout=150, cwd=ROOT
        )
        assert done.returncode == 4, done.stderr
        assert done.stderr == b"logstream: No space left on device.\n"


def test_an_unknown_ending_is_refused(run: Run, tmp_path: Path, data: Path) -> None:
    out = run("export", "--to", str(tmp_path / "a.xlsx"), "--data", str(data))
    assert out.returncode == 2
    assert b".parquet" in out.stderr


def test_any_table_becomes_entries(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "hosts.csv"
    file.write_text("timestamp,host,message\n2026-01-01T00:00:00Z,h1,up\n,h2,down\n")
    other = tmp_path / "other"
    back = run("import", str(file), "--data", str(other))
    assert back.returncode == 0, back.stderr
    with logstream.open(other) as db:
        rows = db.query("* | fields host, message | sort by host").rows()
    assert rows == [{"host": "h1", "message": "up"}, {"host": "h2", "message": "down"}]


def test_log_files_are_read_as_collect_reads_them(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "app.log"
    file.write_text("2026-01-01 00:00:00 ERROR it broke\n")
    other = tmp_path / "other"
    for _ in range(2):
        back = run("import", str(file), "--data", str(other))
        assert back.returncode == 0, back.stderr
    with logstream.open(other) as db:
        assert [row["level"] for row in db.query("*")] == ["error"]


def test_what_is_damaged_is_said(run: Run, tmp_path: Path) -> None:
    other = tmp_path / "other"
    packed = tmp_path / "a.ndjson.gz"
    packed.write_bytes(gzip.compress(json.dumps(ENTRIES[1]).encode())[:-9])
    parquet = tmp_path / "a.parquet"
    parquet.write_bytes(b"PAR1 no")
    arrow = tmp_path / "a.arrow"
    arrow.write_bytes(b"no arrow at all, whatever its name says")
    cut = tmp_path / "b.arrows"
    with logstream.open(tmp_path / "data") as db:
        db.add(ENTRIES)
        cut.write_bytes(db.query("*")._stream[:-300])
    for file in (packed, parquet, arrow, cut):
        out = run("import", str(file), "--data", str(other))
        assert out.returncode == 2
        assert file.name.encode() in out.stderr
        assert b"Traceback" not in out.stderr
    with logstream.open(other) as db:
        assert db.query("*").rows() == []


@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
@pytest.mark.parametrize("kind", ["file", "stream"])
def test_arrow_of_others_is_read(
    run: Run, tmp_path: Path, kind: str, compression: str | None
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table(
        {
            "timestamp": pyarrow.array([1, 2], pyarrow.timestamp("ms", "UTC")),
            "message": ["a", "b"],
            "host": pyarrow.array(["h1", None]),
            "deep": [{"a": 1}, {"a": 2}],
        }
    )
    make = pyarrow.ipc.new_file if kind == "file" else pyarrow.ipc.new_stream
    options = pyarrow.ipc.IpcWriteOptions(compression=compression)
    file = tmp_path / "a.arrow"
    with make(file, table.schema, options=options) as writer:
        writer.write_table(table)
        writer.write_table(table)
    other = tmp_path / "other"
    back = run("import", str(file), "--data", str(other))
    assert back.returncode == 0, back.stderr
    with logstream.open(other) as db:
        found = db.query("* | sort by timestamp").rows()
    assert len(found) == 4
    assert found[0] == {
        "timestamp": "1970-01-01T00:00:00.001Z",
        "source": found[0]["source"],
        "level": found[0]["level"],
        "message": "a",
        "fields": {"deep": {"a": 1}, "host": "h1"},
    }
    assert found[3]["fields"] == {"deep": {"a": 2}}
