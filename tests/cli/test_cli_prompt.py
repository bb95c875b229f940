"""The prompts of `query` and `sql`, on a real terminal, and what they complete."""

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

import logstream
from logstream.cli.configuration import plugins_of
from logstream.cli.interrupting import interruptibly
from logstream.cli.local_backend import open_local
from logstream.cli.prompt.state import history_file
from logstream.cli.prompt.words import Known, query_words, sql_words
from logstream.config.settings import Settings, StorageConfig
from tests.cli.terminal import CTRL_C, CTRL_D, TAB, UP, Terminal

Run = Callable[..., CompletedProcess[bytes]]
Environment = Callable[..., dict[str, str]]
KNOWN = Known(
    fields=["took", "http.path"], sources=["web", "auth"], tables=["logs", "hosts"]
)
ENDLESS = "SELECT count(*) FROM range(100000000000) t(i) WHERE sqrt(i) = -1;"


@pytest.mark.parametrize(
    ("text", "typed", "words"),
    [
        ("so", "so", ["source:"]),
        ("level:error http", "http", ["http.path:"]),
        ("level:er", "er", ["error"]),
        ("(source:", "", ["web", "auth"]),
        ("x | stat", "stat", ["stats"]),
        ("x | stats coun", "coun", ["count(", "count_if("]),
        ('"a | b" too', "too", ["took:"]),
        ("x | where to", "to", ["took"]),
        ("\\h", "\\h", ["\\help"]),
        ("nothing_such", "nothing_such", []),
    ],
)
def test_what_a_query_can_go_on_with(text: str, typed: str, words: list[str]) -> None:
    found = query_words(text, KNOWN)
    assert found.typed == typed
    assert [word for word in words if word in found.words] == words or not words
    assert all(word.casefold().startswith(typed) for word in found.words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sel", ["SELECT"]),
        ("SELECT * FROM ", ["logs", "hosts"]),
        ("SELECT * FROM logs JOIN h", ["hosts"]),
        ("SELECT fields.h", ["fields.http.path"]),
        ("SELECT tim", ["timestamp"]),
        ("SELECT 'FROM ", []),
    ],
)
def test_what_sql_can_go_on_with(text: str, words: list[str]) -> None:
    found = list(sql_words(text, KNOWN).words)
    assert found == words or not words


def test_a_history_is_for_its_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = history_file("query")
    assert path == tmp_path / "state" / "logstream" / "query_history"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    (tmp_path / "file").write_text("")
    assert history_file("query") is None


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("data")
    entries = [
        {
            "timestamp": f"2026-01-01T00:00:{n:02d}Z",
            "source": "web",
            "level": "error" if n % 3 else "info",
            "message": f"m{n}",
            "fields": {"took": n},
        }
        for n in range(30)
    ]
    with logstream.open(path) as db:
        db.add(entries)
    return str(path)


@pytest.fixture
def on_terminal(
    tmp_path: Path, clean_environment: Environment
) -> Callable[..., Terminal]:
    environment = clean_environment(XDG_STATE_HOME=str(tmp_path / "state"))

    def start(*args: str) -> Terminal:
        return Terminal(*args, folder=tmp_path, environment=environment)

    return start


def test_questions_are_asked_one_after_another(
    on_terminal: Callable[..., Terminal], data: str, tmp_path: Path
) -> None:
    with on_terminal("query", "--data", data) as person:
        person.until("Ctrl-D leaves")
        person.until("query>")
        person.type("level:error | sta")
        person.until("sta")
        person.type(TAB)
        person.until("ts")
        person.type(" count() as n\r")
        person.until("20")
        person.until("query>")
        person.type("level:\r")
        person.until("logstream: ")
        person.until("^")
        person.until("query>")
        person.type("thrown away" + CTRL_C)
        person.until("query>")
        person.type("\\help\r")
        person.until("docs/query.md")
        person.until("query>")
        person.type(CTRL_D)
        assert person.end()[0] == 0
    with on_terminal("query", "--data", data) as person:
        person.until("query>")
        person.type(UP)
        person.until("help")
        person.type(UP + UP)
        person.until("count()")
        person.type("\r")
        person.until("20")
        person.until("query>")
        person.type("\\quit\r")
        assert person.end()[0] == 0
    history = (tmp_path / "state" / "logstream" / "query_history").read_text()
    assert "+level:error | stats count() as n" in history
    assert "thrown away" not in history


def test_sql_goes_on_to_its_semicolon_and_is_cancelled(
    on_terminal: Callable[..., Terminal], data: str
) -> None:
    with on_terminal("sql", "--data", data) as person:
        person.until("sql>")
        person.type("SELECT 6 * 7 AS n\r")
        person.until("...>")
        person.type("FROM lo")
        person.until("lo")
        person.type(TAB)
        person.until("gs")
        person.type(" LIMIT 1;\r")
        person.until("42")
        person.until("sql>")
        person.type(ENDLESS + "\r")
        person.until("-1;")
        person.insist(CTRL_C, "Cancelled.")
        person.until("sql>")
        person.type("SELECT nothing;\r")
        person.until("logstream: ")
        person.until("sql>")
        person.type(CTRL_D)
        assert person.end()[0] == 0


def test_a_read_of_a_folder_ends_with_ctrl_c(data: str) -> None:
    """DuckDB itself would go on to the time limit."""
    main = threading.main_thread().ident
    assert main is not None
    assert threading.current_thread() is threading.main_thread()
    settings = Settings(storage=StorageConfig(path=data))
    with open_local(settings, plugins_of(settings)) as backend:
        sql = backend._engine.sql

        def run() -> Any:
            signal.pthread_kill(main, signal.SIGINT)
            return sql.run(ENDLESS.rstrip(";"), lambda _: None, limit=1)

        with pytest.raises(KeyboardInterrupt):
            interruptibly(run, timeout_s=150)
        assert backend.sources() == ["web"]
        with pytest.raises(ZeroDivisionError):
            interruptibly(lambda: 1 // 0, timeout_s=150)


def test_a_query_that_a_server_answers_is_cancelled(
    on_terminal: Callable[..., Terminal], stub: Any
) -> None:
    asked, answer = threading.Event(), threading.Event()

    def wait(body: Any, _path: str) -> Any:
        if "field_names" in body["filter"]:
            return 200, {}, {"columns": [], "rows": []}
        asked.set()
        answer.wait(150)
        return 200, {}, []

    stub.answers["POST /api/v1/query"] = wait
    stub.on("GET /api/v1/logs/sources", [])
    try:
        with on_terminal("query", "--server", stub.url) as person:
            person.until("query>")
            person.type("slow\r")
            assert asked.wait(150)
            person.type(CTRL_C)
            person.until("Cancelled.")
            person.until("query>")
            person.type(CTRL_D)
            assert person.end()[0] == 0
    finally:
        answer.set()


def test_without_a_terminal_standard_input_is_the_question(run: Run, data: str) -> None:
    text = b"level:error\n| stats count() as n\n"
    assert run("query", "--data", data, input=text).stdout == b"20\n"
    everything = run("query", "-n", "0", "--data", data, input=b"")
    assert len(everything.stdout.splitlines()) == 30
    for args in ((), ("-",)):
        found = run("sql", *args, "--data", data, input=b"SELECT 6 * 7 AS n")
        assert found.stdout == b"42\n"
    assert run("sql", "--data", data, input=b"").returncode == 2
