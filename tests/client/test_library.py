"""The Python library: on a folder, and on a real server; both answer the same."""

import contextlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import logstream
from logstream.client import Answer, Database, IncompleteAnswer
from logstream.core.errors import (
    BadRequest,
    EntryRejected,
    FolderInUse,
    LogStreamError,
    QuerySyntaxError,
    ServerUnreachable,
)

ENTRIES = [
    {
        "timestamp": f"2026-01-01T00:00:{second:02d}Z",
        "source": "web" if second % 3 else "auth",
        "level": "error" if second % 4 == 0 else "info",
        "message": f"<b>request {second}</b>",
        "fields": {"took": second * 1.5, "tags": ["a", second]},
    }
    for second in range(30)
]
BY_SOURCE = "level:error | stats count() as n, max(took) as longest by source"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("library") / "data"
    with logstream.open(path) as db:
        assert db.add(ENTRIES) == 30
    return path


@pytest.fixture(scope="module")
def db(folder: Path) -> Iterator[Database]:
    with logstream.open(folder) as opened:
        yield opened


def test_pipes_give_rows(db: Database) -> None:
    found = db.query(BY_SOURCE)
    assert found.rows() == [
        {"source": "auth", "n": 3, "longest": 36.0},
        {"source": "web", "n": 5, "longest": 42.0},
    ]
    assert [column.name for column in found.columns] == ["source", "n", "longest"]
    assert len(found) == 2
    assert next(iter(found))["source"] == "auth"
    assert not found.truncated


def test_entries_are_rows_too_the_newest_first(db: Database) -> None:
    found = db.query("level:error", limit=2)
    assert found.rows()[0] == ENTRIES[28]
    assert found.truncated


def test_a_span_bounds(db: Database) -> None:
    found = db.query(
        "| stats count() as n", from_="2026-01-01T00:00:10Z", to="2026-01-01T00:00:20Z"
    )
    assert found.rows() == [{"n": 10}]


def test_sql_takes_parameters(db: Database) -> None:
    found = db.sql("SELECT count(*) AS n FROM logs WHERE source = ?", ["web"])
    assert found.rows() == [{"n": 20}]


def test_it_prints_as_a_table(db: Database) -> None:
    assert repr(db.query(BY_SOURCE)).splitlines() == [
        "source  n  longest",
        "──────  ─  ───────",
        "auth    3     36.0",
        "web     5     42.0",
        "2 rows",
    ]


def test_in_a_notebook_text_is_no_markup(db: Database) -> None:
    shown = db.query("*")._repr_html_()
    assert "<b>" not in shown
    assert "&lt;b&gt;request 29&lt;/b&gt;" in shown
    assert "30 rows, the first 20 shown" in shown


def test_pandas(db: Database) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    frame = db.query("* | stats sum(took) as t by _time(10s)").df()
    assert list(frame["t"]) == [67.5, 217.5, 367.5]
    assert str(frame["timestamp"].dtype) == "datetime64[ns, UTC]"


def test_polars(db: Database) -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed")
    frame = db.query(BY_SOURCE).pl()
    assert isinstance(frame, polars.DataFrame)
    assert frame["n"].to_list() == [3, 5]


def test_arrow(db: Database) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    table = db.query(BY_SOURCE).arrow()
    assert table.column("source").to_pylist() == ["auth", "web"]
    assert db.query(BY_SOURCE + " | where n > 99").arrow().num_rows == 0


def test_mistakes_are_told_in_python_too(db: Database) -> None:
    with pytest.raises(QuerySyntaxError, match="did you mean stats") as caught:
        db.query("* | stast count()").rows()
    assert caught.value.offset == 4
    with pytest.raises(QuerySyntaxError):
        db.sql("DROP TABLE logs").rows()
    with pytest.raises(BadRequest, match="write a time back"):
        db.query(from_="soon")
    with pytest.raises(EntryRejected):
        db.add([{"message": "fine"}, {"message": "no time", "timestamp": "soon"}])


def test_a_folder_has_one_owner(folder: Path, db: Database) -> None:
    assert str(folder) in repr(db)
    with pytest.raises(FolderInUse):
        logstream.open(folder)


def test_what_is_closed_says_so(tmp_path: Path) -> None:
    with logstream.open(tmp_path / "data") as opened:
        found = opened.query("*")
    opened.close()
    with pytest.raises(BadRequest, match="is closed"):
        found.rows()
    assert "closed" in repr(opened)


def test_nobody_there(tmp_path: Path) -> None:
    with (
        logstream.connect("http://127.0.0.1:9") as remote,
        pytest.raises(ServerUnreachable, match="logstream serve"),
    ):
        remote.query("*").rows()
    with pytest.raises(LogStreamError, match="no address"):
        logstream.connect("127.0.0.1:8000")


def test_a_server_answers_the_same(tmp_path: Path) -> None:
    process = _server_process()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(process.ServerProcess(tmp_path))
        server.wait_until_serving()
        remote = stack.enter_context(logstream.connect(f"http://{server.address}"))
        assert remote.add(ENTRIES) == 30
        with logstream.open(tmp_path / "other") as local:
            local.add(ENTRIES)
            for text in (BY_SOURCE, "level:error", "* | top 3 took"):
                ours: Answer = remote.query(text)
                assert ours.rows() == local.query(text).rows()
                assert ours.columns == local.query(text).columns
            sql = "SELECT source, count(*) AS n FROM logs GROUP BY 1 ORDER BY 1"
            assert remote.sql(sql).rows() == local.sql(sql).rows()
        with pytest.raises(QuerySyntaxError, match="did you mean stats"):
            remote.query("* | stast count()").rows()


def test_an_answer_that_lacks_a_day_warns(tmp_path: Path) -> None:
    days = ("2026-01-01", "2026-01-02")
    with logstream.open(tmp_path / "data") as local:
        local.add([{"timestamp": f"{day}T00:00:00Z", "message": day} for day in days])
    (tmp_path / "data" / "partitions" / f"{days[0]}.duckdb").write_bytes(b"x" * 20_000)
    with logstream.open(tmp_path / "data") as local:
        _expect_warnings(local, days)
    process = _server_process()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(process.ServerProcess(tmp_path))
        server.wait_until_serving()
        _expect_warnings(
            stack.enter_context(logstream.connect(f"http://{server.address}")), days
        )


def _expect_warnings(db: Database, days: tuple[str, str]) -> None:
    with pytest.warns(IncompleteAnswer, match=f"cannot be read of {days[0]}"):
        assert [row["message"] for row in db.query().rows()] == [days[1]]
    with pytest.warns(IncompleteAnswer, match=days[0]):
        assert db.sql("SELECT count(*) AS n FROM logs").rows() == [{"n": 1}]
    assert len(db.query(from_=days[1]).rows()) == 1  # that day was not asked about


def _server_process() -> Any:
    """The harness of the fault tests: a server process on a folder."""
    path = Path(__file__).parents[1] / "fault" / "server_process.py"
    spec = importlib.util.spec_from_file_location("client_server_process", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
