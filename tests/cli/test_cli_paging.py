"""What is longer than the screen goes through a pager, and nothing else does."""

import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import CTRL_C, CTRL_D, Terminal

OnTerminal = Callable[..., str]
Environment = Callable[..., dict[str, str]]

PAGER = """
import sys
print("PAGED", flush=True)
lines = sys.stdin.readlines()
print(f"{len(lines)} LINES, {sum('it happened' in line for line in lines)} ENTRIES")
"""
LEFT_AT_ONCE = "import sys; sys.stdin.readline(); print('LEFT')"


@pytest.fixture
def pager(tmp_path: Path) -> str:
    path = tmp_path / "pager.py"
    path.write_text(PAGER)
    return f"{sys.executable} {path}"


def entries(count: int) -> list[dict[str, Any]]:
    entry = {"timestamp": "2026-01-01T00:00:00Z", "source": "a", "level": "info"}
    return [{**entry, "message": "it happened", "fields": {}}] * count


def test_only_what_is_longer_than_the_screen(
    run_on_terminal: OnTerminal, stub: Any, pager: str
) -> None:
    for count, is_paged in ((10, False), (22, False), (23, True), (100, True)):
        stub.on("POST /api/v1/query", entries(count))
        shown = run_on_terminal("query", "x", "--server", stub.url, PAGER=pager)
        assert ("PAGED" in shown) == is_paged, count
        if is_paged:
            assert f"{count + 1} LINES, {count} ENTRIES" in shown
        else:
            assert shown.count("it happened") == count
        if count == 100:
            # What is said about it comes behind the pager.
            assert shown.index("LINES") < shown.index("the limit")


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        (["--no-pager"], {}),
        ([], {"PAGER": "cat"}),
        ([], {"PAGER": ""}),
        ([], {"PAGER": "no-such-program --at-all"}),
        ([], {"PAGER": '"'}),
        ([], {"TERM": "dumb"}),
    ],
)
def test_no_pager(
    run_on_terminal: OnTerminal,
    stub: Any,
    pager: str,
    options: list[str],
    environment: dict[str, str],
) -> None:
    stub.on("POST /api/v1/query", entries(100))
    asked = ("query", "x", "--server", stub.url, *options)
    shown = run_on_terminal(*asked, **{"PAGER": pager, **environment})
    assert "PAGED" not in shown
    assert shown.count("it happened") == 100


def test_every_format_and_command(
    run_on_terminal: OnTerminal, stub: Any, pager: str
) -> None:
    stub.on("POST /api/v1/query", entries(100))
    rows = {"columns": [{"name": "n", "kind": "integer"}], "rows": [[1]] * 50}
    stub.on("POST /api/v1/sql", rows)
    analysis = {"frequency": {f"v{n}": n for n in range(50)}}
    stub.on("POST /api/v1/query/analyze", analysis)
    for asked in (
        *(["query", "x", "-o", how] for how in ("json", "ndjson", "csv")),
        ["sql", "SELECT 1"],
        ["analyze", "--top", "0"],
    ):
        shown = run_on_terminal(*asked, "--server", stub.url, PAGER=pager)
        assert "PAGED" in shown, asked
        assert "Traceback" not in shown


def test_paging_begins_before_all_is_read(
    stub: Any, tmp_path: Path, pager: str, clean_environment: Environment
) -> None:
    is_shown = threading.Event()
    waited: list[bool] = []

    def answer(_body: Any, path: str) -> Any:
        if "cursor" in path:
            waited.append(is_shown.wait(150))
            return 200, {}, entries(5)
        return 200, {"Link": '</api/v1/query?cursor=c>; rel="next"'}, entries(1000)

    stub.answers["POST /api/v1/query"] = answer
    environment = clean_environment(PAGER=pager)
    asked = ("query", "x", "-n", "0", "--server", stub.url)
    with Terminal(*asked, folder=tmp_path, environment=environment) as person:
        person.until("PAGED")
        is_shown.set()
        person.until("1007 LINES, 1005 ENTRIES")
        assert person.end()[0] == 0
    assert waited == [True]


@pytest.mark.parametrize("how", ["table", "ndjson"])
def test_who_leaves_the_pager_wants_no_more(
    stub: Any, tmp_path: Path, clean_environment: Environment, how: str
) -> None:
    """The server would go on for ever; the prompt does."""
    more = {"Link": '</api/v1/query?cursor=c>; rel="next"'}
    stub.answers["POST /api/v1/query"] = lambda *_: (200, more, entries(1000))
    (tmp_path / "left.py").write_text(LEFT_AT_ONCE)
    stub.on("GET /api/v1/logs/sources", [])
    environment = clean_environment(
        PAGER=f"{sys.executable} left.py", XDG_STATE_HOME=str(tmp_path)
    )
    asked = ("query", "-n", "0", "-o", how, "--server", stub.url)
    with Terminal(*asked, "x", folder=tmp_path, environment=environment) as person:
        person.until("LEFT")
        assert person.end() == (0, "\r\n")
    with Terminal(*asked, folder=tmp_path, environment=environment) as person:
        person.until("query>")
        for _ in range(2):
            person.type("x\r")
            person.until("LEFT")
            person.until("query>")
        person.type(CTRL_D)
        assert person.end()[0] == 0


@pytest.mark.skipif(shutil.which("less") is None, reason="there is no less")
def test_less_is_left_and_the_prompt_goes_on(
    stub: Any, tmp_path: Path, clean_environment: Environment
) -> None:
    stub.on("POST /api/v1/query", entries(100))
    environment = clean_environment(XDG_STATE_HOME=str(tmp_path))
    del environment["PAGER"]
    asked = ("query", "--server", stub.url)
    with Terminal(*asked, folder=tmp_path, environment=environment) as person:
        person.until("query>")
        for _ in range(2):
            person.type("x\r")
            person.until("it happened")
            person.until("\n:")
            person.type("G")
            person.until("(END)")  # all was sent: Ctrl-C stops nothing any more
            person.type(CTRL_C)
            person.insist("q", "100 entries, the limit")
            person.until("query>")
            person.type(CTRL_C)
            person.until("query>")
        person.type(CTRL_D)
        assert person.end()[0] == 0
