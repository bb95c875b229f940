"""Charts: what is drawn, out of which characters, and when."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

import logstream
from logstream.cli.charts.blocks import bar, columns
from logstream.cli.charts.shape import (
    Bars,
    TimeChart,
    anomalies_of,
    bars_of,
    chart_of,
    is_bucketed,
)
from logstream.core.results import ResultColumn, Table

Run = Callable[..., CompletedProcess[bytes]]
OnTerminal = Callable[..., str]

TIME = ResultColumn("timestamp", "time")
N = ResultColumn("n", "integer")


def table(columns: list[ResultColumn], *rows: list[Any]) -> Table:
    return Table(columns=tuple(columns), rows=list(rows))


def test_a_bar_is_exact_to_an_eighth_and_never_unseen() -> None:
    assert bar(1, 4) == "████"
    assert bar(0.5, 4) == "██"
    assert bar(0.53125, 4) == "██▏"
    assert bar(0.0001, 4) == "▏"
    assert bar(0, 4) == bar(-1, 4) == ""
    assert bar(7, 4) == "████"
    assert bar(0.5, 4, blocks=False) == "=="
    assert bar(0.0001, 4, blocks=False) == "="


def test_columns_stand_on_the_lowest_line() -> None:
    lines = columns([0, 1, 8, 12, 16, None, float("inf")], low=0, high=16, height=2)
    assert lines == ["   ▄█  ", " ▁███  "]
    assert columns([1, 4], low=0, high=4, height=1, cells=3) == ["▂▂▂███"]
    ascii_only = columns([0, 2, 4, 8], low=0, high=8, height=1, blocks=False)
    assert ascii_only == [" .:#"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* | timechart count()", True),
        ("* | stats count() by _time(1h)", True),
        ("* | stats count() by source, bucket(timestamp, 1h)", True),
        ("* | stats count() by range(took, 10) | sort by took", True),
        ("* | stats count() by source", False),
        ("* | patterns", False),
        ("timechart", False),
        ("* | ((", False),
    ],
)
def test_what_comes_in_buckets(text: str, expected: bool) -> None:
    assert is_bucketed(text) == expected


def test_groups_become_series_with_a_value_for_each_time() -> None:
    source = ResultColumn("source", "text")
    found = chart_of(
        table([source, TIME, N], ["b", "t2", 1], ["a", "t1", 2], ["b", "t1", None])
    )
    assert isinstance(found, TimeChart)
    assert found.times == ("t1", "t2")
    assert [(one.group, one.measure, one.values) for one in found.series] == [
        ("b", "n", (None, 1.0)),
        ("a", "n", (2.0, None)),
    ]


def test_every_number_is_a_series_but_not_what_was_expected() -> None:
    judged = [
        *(TIME, N, ResultColumn("took", "duration")),
        *(ResultColumn("expected", "number"), ResultColumn("is_anomaly", "boolean")),
        ResultColumn("explanation", "text"),
    ]
    rows = table(judged, ["t", 1, 2.0, 3.0, False, None], ["u", 9, 2, 3, True, "high"])
    found = chart_of(rows)
    assert isinstance(found, TimeChart)
    assert [one.measure for one in found.series] == ["n", "took"]
    anomalies = anomalies_of(rows)
    assert anomalies is not None
    assert anomalies.rows == [["u", 9, 2, 3, True, "high"]]
    assert anomalies_of(table([N], [1])) is None


def test_buckets_of_numbers_have_bars() -> None:
    took = ResultColumn("took", "number")
    assert chart_of(table([took, N], [0, 1])) == Bars(column="n")
    assert chart_of(table([took], [0])) is None
    assert chart_of(table([TIME, N])) is None
    count = ResultColumn("count", "integer")
    assert bars_of(table([count, took], [1, 2])) == Bars(column="count")
    assert bars_of(table([ResultColumn("a", "text")], ["x"])) is None


@pytest.fixture
def data(tmp_path: Path) -> str:
    entries = [
        {
            "timestamp": f"2026-01-01T00:{n:02d}:00Z",
            "source": "web" if n % 3 else "auth",
            "level": "error" if n % 10 == 0 else "info",
            "message": f"user {n} came",
            "fields": {"took": n, "path": f"/{n % 4}"},
        }
        for n in range(60)
    ]
    with logstream.open(tmp_path / "d") as db:
        db.add(entries)
    return str(tmp_path / "d")


TIMECHART = "* | timechart 10m count() as n"


def test_a_timechart_is_drawn_on_a_terminal(
    run_on_terminal: OnTerminal, data: str
) -> None:
    shown = run_on_terminal("query", TIMECHART, "--data", data, "--no-color")
    lines = shown.splitlines()
    assert "n" in lines[0]
    assert "10 │" in lines[1]
    assert lines[1].count("█") == 36
    assert "2026-01-01 00:00" in lines[-1]
    assert "2026-01-01 00:50" in lines[-1]
    assert max(map(len, lines)) < 110


def test_series_are_drawn_apart_in_colours(
    run_on_terminal: OnTerminal, data: str
) -> None:
    shown = run_on_terminal(
        "query", "* | timechart 10m count() by source", "--data", data
    )
    assert "auth  count()" in shown
    assert "web  count()" in shown
    assert "\x1b[36m█" in shown
    assert "\x1b[32m█" in shown


def test_more_buckets_than_cells_are_put_together(
    run_on_terminal: OnTerminal, data: str
) -> None:
    shown = run_on_terminal("query", "* | timechart 10s count()", "--data", data)
    assert "Each column is 4 buckets." in shown


def test_ascii_where_the_encoding_has_no_blocks(
    run_on_terminal: OnTerminal, data: str
) -> None:
    shown = run_on_terminal(
        "query", TIMECHART, "--data", data, PYTHONIOENCODING="ascii"
    )
    assert "10 |" in shown
    assert "######" in shown
    assert "█" not in shown


def test_numbers_instead_and_charts_in_a_pipe(
    run: Run, run_on_terminal: OnTerminal, data: str
) -> None:
    shown = run_on_terminal("query", TIMECHART, "--no-chart", "--data", data)
    assert "█" not in shown
    assert "2026-01-01T00:50:00Z" in shown
    piped = run("query", TIMECHART, "--data", data)
    assert piped.stdout.splitlines()[0] == b"2026-01-01T00:00:00Z\t10"
    wanted = run("query", TIMECHART, "--chart", "--data", data)
    assert "█".encode() in wanted.stdout
    assert b"\x1b" not in wanted.stdout
    refused = run("query", "* | fields path", "--chart", "--data", data)
    assert refused.returncode == 2
    assert b"timechart" in refused.stderr


def test_a_series_without_values_says_so(
    run_on_terminal: OnTerminal, data: str
) -> None:
    text = "* | timechart 10m avg(nothing) as n"
    shown = run_on_terminal("query", text, "--data", data)
    assert "no values" in shown


def test_a_stats_by_size_has_bars(run_on_terminal: OnTerminal, data: str) -> None:
    text = "* | stats count() as n by range(took, 20)"
    shown = run_on_terminal("query", text, "--data", data)
    assert shown.count("█" * 30) == 3


def test_times_in_a_table_are_whole_and_of_milliseconds(
    run: Run, run_on_terminal: OnTerminal, tmp_path: Path
) -> None:
    with logstream.open(tmp_path / "d") as db:
        db.add([{"timestamp": "2026-01-01T00:00:00.123456789Z", "message": "w " * 90}])
    asked = ("query", "* | fields timestamp, message", "--data", str(tmp_path / "d"))
    assert "2026-01-01T00:00:00.123Z" in run_on_terminal(*asked)
    assert run(*asked).stdout.startswith(b"2026-01-01T00:00:00.123456789Z\t")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["-t", "histogram", "--span", "10m"], "█"),
        (["-t", "timechart", "-c", "avg(took)", "-g", "source"], "avg(took)"),
        (["-t", "top", "-g", "path"], "/3"),
        (["-t", "stats", "-g", "source", "-g", "level", "-c", "max(took)"], "auth"),
        (["-t", "patterns"], "user <num>"),
        (["-t", "anomalies", "--span", "10m"], "Nothing stands out."),
        (["-t", "facets"], "path"),
    ],
)
def test_every_analysis_is_drawn(
    run_on_terminal: OnTerminal, data: str, options: list[str], says: str
) -> None:
    shown = run_on_terminal("analyze", *options, "--data", data)
    assert says in shown
    assert "█" in shown


def test_buckets_are_as_long_as_the_store_needs(run: Run, tmp_path: Path) -> None:
    with logstream.open(tmp_path / "old") as db:
        times = ("1999-01-01T00:00:00Z", "2026-01-01T00:00:00Z")
        db.add([{"message": "a", "timestamp": time} for time in times])
    done = run("analyze", "-t", "histogram", "-o", "json", "--data", "old")
    assert done.returncode == 0, done.stderr
    counts = [row["count"] for row in json.loads(done.stdout)]
    assert sum(counts) == 2
    assert len(counts) < 1500  # weeks; of hours there were too many


def test_an_analysis_is_for_programs_too(run: Run, data: str) -> None:
    done = run("analyze", "-t", "top", "-g", "source", "-o", "csv", "--data", data)
    assert done.stdout == b"source,count,percent\r\nweb,40,66.667\r\nauth,20,33.333\r\n"
    narrowed = ("analyze", "-t", "stats", "-f", "level:error", "-o", "json")
    assert run(*narrowed, "--data", data).stdout == b'[{"count":6}]\n'
    two = run("analyze", "-g", "source", "-g", "level", "--data", data)
    assert (two.returncode, b"--type" in two.stderr) == (2, True)
    wrong = run("analyze", "-t", "stats", "-c", "nothing(x)", "--data", data)
    assert wrong.returncode == 2
    assert b"^" in wrong.stderr


def test_fields_and_their_values(run: Run, data: str) -> None:
    found = run("fields", "-o", "csv", "--data", data)
    assert found.stdout.splitlines()[0] == b"field,types,count,percent,values"
    assert b"path,text,60,100.0,4" in found.stdout.splitlines()
    named = run("fields", "--prefix", "to", "-o", "csv", "--data", data)
    assert [line[:5] for line in named.stdout.splitlines()[1:]] == [b"took,"]
    values = run("fields", "path", "--data", data)
    assert sorted(values.stdout.splitlines()) == [b"/%d\t15" % n for n in range(4)]
    one = run("fields", "path", "--prefix", "/3", "-f", "took:<30", "--data", data)
    assert one.stdout == b"/3\t7\n"
    refused = run("fields", "-f", "* | head", "--data", data)
    assert (refused.returncode, b"without pipes" in refused.stderr) == (2, True)
