"""Rows on a terminal that is too narrow for a table of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

import logstream

OnTerminal = Callable[..., str]


@pytest.fixture
def data(tmp_path: Path) -> str:
    entries = [
        {"timestamp": f"2026-01-01T00:0{n}:00Z", "message": "took a while"}
        for n in range(4)
    ]
    with logstream.open(tmp_path / "d") as db:
        db.add(entries)
    return str(tmp_path / "d")


def test_what_fits_in_no_table_is_lines(run_on_terminal: OnTerminal, data: str) -> None:
    text = "* | patterns | compare 2m"
    shown = run_on_terminal(
        *("query", text, "--data", data, "--no-color"),
        *("--from", "2026-01-01T00:02:00Z", "--to", "2026-01-01T00:04:00Z"),
        NO_COLOR="1",
    )
    plain = shown.replace("\x1b[1m", "").replace("\x1b[0m", "")
    lines = [line.strip().split(maxsplit=1) for line in plain.splitlines()]
    assert lines[:4] == [
        ["pattern", "took a while"],
        ["count", "2"],
        ["count_before", "2"],
        ["count_change", "0"],
    ]
    assert ["sample", "took a while"] in lines
    assert max(map(len, plain.splitlines())) <= 100


def test_what_does_is_a_table(run_on_terminal: OnTerminal, data: str) -> None:
    text = "* | patterns | fields pattern, count, sample"
    shown = run_on_terminal("query", text, "--data", data, "--no-color")
    plain = shown.replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert plain.splitlines()[0].split() == ["pattern", "count", "sample"]
    assert len(plain.splitlines()) == 2
