"""The real program: exit codes, pipes, terminals, and how light it starts."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from logstream import __version__

Run = Callable[..., subprocess.CompletedProcess[bytes]]
OnTerminal = Callable[..., str]

ENTRIES = [
    {
        "timestamp": f"2025-05-13T00:01:{second:02d}.123456789Z",
        "source": "web",
        "level": level,
        "message": message,
        "fields": {"status": 500},
    }
    for second, level, message in (
        (1, "error", "it broke \x1b[2J badly"),
        (2, "info", "[bold]fine[/bold]"),
    )
]


def test_help_and_version_work(run: Run) -> None:
    assert b"query" in run("--help").stdout
    assert run("--version").stdout == f"logstream {__version__}\n".encode()
    assert f"logstream {__version__}".encode() in run("version").stdout


def test_help_loads_nothing_heavy() -> None:
    """In an interpreter that has loaded nothing else."""
    program = (
        "import sys\n"
        "sys.argv = ['logstream', '--help']\n"
        "from logstream.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = ('duckdb', 'litestar', 'granian', 'httpx', 'asyncio', 'numpy',\n"
        "         'prompt_toolkit')\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, timeout=150
    )
    assert done.stderr == b"[]\n"


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["query", "a"], 3, "logstream serve"),
        (["query", "--server", "http://127.0.0.1:9", "a"], 3, "No LogStream server"),
        (["query", "--server", "nonsense", "a"], 2, "http://"),
        (["query", "--from", "-15x"], 2, "-15m, -2h30m"),
        (["query", "--from", "now", "--to", "-1h"], 2, "swap them"),
        (["query", "--sort", ":asc"], 2, "--sort"),
        (["query", "--output", "xml"], 2, "ndjson"),
        (["query", "--limit", "-1"], 2, "--limit"),
        (["collect"], 2, "--sources"),
        (["generate", "--once"], 2, "--count"),
        (["generate", "--stdout", "--output", "json", "--count", "1"], 2, "ndjson"),
        (["dead-letters", "replay"], 2, "--all"),
        (["dead-letters", "replay", "x"], 2, "no id"),
        (["config", "check", "missing.yaml"], 2, "missing.yaml"),
        (["nonsense"], 2, "nonsense"),
        (["serve", "--port", "99999"], 2, "--port"),
    ],
)
def test_what_goes_wrong_is_told_with_a_code(
    run: Run, args: list[str], code: int, says: str
) -> None:
    done = run(*args)
    assert done.returncode == code
    assert says in done.stderr.decode()
    assert done.stdout == b""
    assert b"Traceback" not in done.stderr


def test_a_syntax_error_has_a_caret_below_its_place(run: Run, stub: Any) -> None:
    problem = {"type": "urn:logstream:query_syntax", "detail": "no value", "offset": 7}
    stub.on("POST /api/v1/query", problem, status=400)
    done = run("query", "--server", stub.url, "status:", "x")
    assert done.returncode == 2
    assert done.stderr.decode() == (
        "logstream: no value\n    status: x\n           ^\n"
    )


def test_a_pipe_gets_plain_lines_without_colours(run: Run, stub: Any) -> None:
    stub.on("POST /api/v1/query", ENTRIES)
    done = run("query", "--server", stub.url, "a")
    assert done.stdout.decode().splitlines() == [
        "2025-05-13T00:01:01.123456789Z ERROR web it broke \\x1b[2J badly status=500",
        "2025-05-13T00:01:02.123456789Z INFO web [bold]fine[/bold] status=500",
    ]
    assert done.stderr == b""


def test_a_terminal_gets_a_table_with_colours(
    run_on_terminal: OnTerminal, stub: Any
) -> None:
    stub.on("POST /api/v1/query", ENTRIES)
    shown = run_on_terminal("query", "--server", stub.url, "a")
    assert "\x1b[1;31m" in shown
    assert "\x1b[2J" not in shown
    assert "[bold]fine[/bold]" in shown
    assert "2 entries." in shown
    assert all(len(plain(line)) <= 100 for line in shown.splitlines())


@pytest.mark.parametrize("how", ["flag", "variable"])
def test_colours_can_be_turned_off(
    run_on_terminal: OnTerminal, stub: Any, how: str
) -> None:
    stub.on("POST /api/v1/query", ENTRIES)
    flags = ["--no-color"] if how == "flag" else []
    variables = {"NO_COLOR": "1"} if how == "variable" else {}
    shown = run_on_terminal("query", "--server", stub.url, "a", *flags, **variables)
    assert "\x1b[1;31m" not in shown
    assert "it broke" in shown


def test_nothing_found_is_told_to_a_person_only(
    run: Run, run_on_terminal: OnTerminal, stub: Any
) -> None:
    stub.on("POST /api/v1/query", [])
    assert "Nothing matches" in run_on_terminal("query", "--server", stub.url, "a")
    done = run("query", "--server", stub.url, "a")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def plain(line: str) -> str:
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", line)


def test_a_reader_that_stops_reading_is_no_error(tmp_path: Path) -> None:
    command = (
        f"{sys.executable} -m logstream generate --stdout --once --count 50000 "
        "--rate 1000 | head -n 1; echo ${PIPESTATUS[0]}"
    )
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, check=True, timeout=150
    )
    lines = done.stdout.splitlines()
    assert json.loads(lines[0])["message"]
    assert lines[1:] == [b"0"]
    assert done.stderr == b""


def test_the_server_may_be_named_by_a_variable(stub: Any, run: Run) -> None:
    stub.on("GET /api/v1/logs/sources", ["auth", "web"])
    environment = {**os.environ, "LOGSTREAM_SERVER": stub.url}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    assert run("sources", env=environment).stdout == b"auth\nweb\n"


def test_a_folder_that_is_named_wins_over_the_variable(
    stub: Any, run: Run, tmp_path: Path
) -> None:
    environment = {**os.environ, "LOGSTREAM_SERVER": stub.url}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    file = tmp_path / "a.ndjson"
    file.write_text('{"message": "one", "source": "mine"}\n')
    stored = run("import", str(file), "--data", "new", env=environment)
    assert stored.returncode == 0, stored.stderr
    assert run("sources", "--data", "new", env=environment).stdout == b"mine\n"
    missing = run("sources", "--data", "typo", env=environment)
    assert missing.returncode == 3
    assert b"no data folder 'typo': name yours with --data" in missing.stderr
    assert stub.asked == []


def test_the_server_that_has_the_data_folder_is_found(
    stub: Any, run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "lock").write_text(json.dumps({"pid": os.getpid(), "url": stub.url}))
    stub.on("GET /api/v1/health", {"status": "ok", "version": "1"})
    stub.on("GET /api/v1/logs/sources", ["web"])
    assert run("sources", "--data", "logs", "-o", "json").stdout == b'["web"]\n'


def test_stats_and_counts_are_drawn(run_on_terminal: OnTerminal, stub: Any) -> None:
    stub.on(
        "GET /api/v1/logs/stats",
        {
            "TotalEntries": 4,
            "OldestEntry": "2025-05-13T00:01:15Z",
            "NewestEntry": None,
            "EntriesBySource": {"web": 3, "auth": 1},
            "EntriesByLevel": {"info": 4},
            "StorageSize": 2500,
            "CompressionRatio": 1,
        },
    )
    shown = run_on_terminal("stats", "--server", stub.url)
    assert "2.5 kB" in shown
    assert "75.0 %" in shown
    assert "█" * 30 in shown
    assert "█" * 10 + "\r\n" in shown.replace(" ", "")


def test_analyze_sends_the_analysis_of_the_contract(run: Run, stub: Any) -> None:
    stub.on("POST /api/v1/query/analyze", {"frequency": {"b": 2, "a": 1}})
    done = run(
        *("analyze", "--server", stub.url, "-g", "level", "-f", "x:1"),
        *("--from", "2025-05-13", "--output", "csv"),
    )
    assert done.stdout == b"level,count\r\nb,2\r\na,1\r\n"
    assert stub.asked[-1][1] == {
        "analysis": {
            "type": "frequency",
            "time_range": {"from": "2025-05-13T00:00:00Z"},
            "group_by": "level",
            "filter": "x:1",
        }
    }


def test_dead_letters_are_listed_and_replayed(run: Run, stub: Any) -> None:
    letter = {
        "id": "9",
        "failed_at": "2025-05-13T00:01:15Z",
        "processor": "redact",
        "reason": "processor_error",
        "detail": "ValueError: \x1b",
        "entry": {"message": "m"},
    }
    stub.on("GET /api/v1/dead-letters", {"count": 1, "dead_letters": [letter]})
    stub.on("POST /api/v1/dead-letters/replay", {"status": "ok", "count": "1"})
    listed = run("dead-letters", "list", "--server", stub.url)
    assert b"9\t2025-05-13T00:01:15Z\tredact\tprocessor_error" in listed.stdout
    assert b"\x1b" not in listed.stdout
    as_json = run("dead-letters", "list", "--server", stub.url, "-o", "json")
    assert json.loads(as_json.stdout) == [letter]
    run("dead-letters", "replay", "9", "--server", stub.url)
    assert stub.asked[-1][1] == {"ids": ["9"]}
    run("dead-letters", "replay", "--all", "--server", stub.url)
    assert stub.asked[-1][1] == {"all": True}


def test_an_interrupt_ends_it_with_130(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "logstream", "generate", "--stdout", "--past", "10s"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=150)
    assert process.returncode == 130
    assert b"Traceback" not in stderr


def test_config_example_and_show_are_configs(run: Run, tmp_path: Path) -> None:
    example = run("config", "example").stdout
    (tmp_path / "logstream.yaml").write_bytes(example)
    shown = run("config", "show", "--data", "elsewhere")
    assert b"path: elsewhere" in shown.stdout
    assert b"# flag" in shown.stdout
    lines = run("config", "show", "-o", "ndjson").stdout.splitlines()
    keys = {json.loads(line)["key"] for line in lines}
    assert {"server.port", "storage.path", "processors"} <= keys
