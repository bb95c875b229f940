"""Real logs of eight systems against what people read out of them."""

import csv
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import pytest

from logstream.core.levels import level_of
from logstream.core.timestamps import parse_ns
from logstream.parsers.syslog import SyslogParser
from logstream.parsers.text import TextParser

LOGHUB = Path(__file__).resolve().parents[2].parent / "shared/data/loghub"

Row = Mapping[str, str]

TIMES: Mapping[str, Callable[[Row], str]] = {
    "Android": lambda row: f"2026-{row['Date']} {row['Time']}",
    "Apache": lambda row: str(datetime.strptime(row["Time"], "%a %b %d %H:%M:%S %Y")),  # noqa: DTZ007
    "HDFS": lambda row: str(
        datetime.strptime(row["Date"] + row["Time"], "%y%m%d%H%M%S")  # noqa: DTZ007
    ),
    "Linux": lambda row: old(row["Month"], row["Date"], row["Time"]),
    "OpenSSH": lambda row: old(row["Date"], row["Day"], row["Time"]),
    "OpenStack": lambda row: f"{row['Date']} {row['Time']}",
    "Spark": lambda row: f"20{row['Date'].replace('/', '-')} {row['Time']}",
    "Zookeeper": lambda row: f"{row['Date']} {row['Time']}",
}
"""System → the time of a row, in words that `parse_ns` knows."""

NO_LEVEL = {"Linux", "OpenSSH"}


def old(month: str, day: str, time: str) -> str:
    """As of the last day of 2026, every date lies in that year."""
    at = datetime.strptime(f"2026 {month} {day} {time}", "%Y %b %d %H:%M:%S")  # noqa: DTZ007
    return str(at)


def now() -> int:
    return parse_ns("2026-12-31")


def read(system: str) -> tuple[list[str], list[Row]]:
    folder = LOGHUB / system
    if not folder.is_dir():
        pytest.skip("the loghub samples are not there")
    raw = (folder / f"{system}_2k.log").read_bytes().decode()
    lines = raw.replace("\r\n", "\n").removesuffix("\n").split("\n")
    with (folder / f"{system}_2k.log_structured.csv").open(newline="") as file:
        rows: list[Row] = list(csv.DictReader(file))
    assert len(lines) == len(rows) == 2000
    return lines, rows


@pytest.mark.parametrize("system", TIMES)
def test_every_time_and_level_is_right(system: str) -> None:
    """All of them: 16 000 times, 12 000 levels."""
    lines, rows = read(system)
    found = TextParser(now).parse(lines)
    wrong: list[str] = []
    for line, row, parsed in zip(lines, rows, found, strict=True):
        assert parsed is not None
        level = None if system in NO_LEVEL else level_of(row["Level"])
        at = parsed.timestamp and parse_ns(parsed.timestamp)
        if at != parse_ns(TIMES[system](row)) or parsed.level != level:
            wrong.append(line)
    assert wrong == []


def test_every_syslog_line_of_linux_is_taken_apart() -> None:
    lines, rows = read("Linux")
    for row, parsed in zip(rows, SyslogParser(now).parse(lines), strict=True):
        assert parsed is not None
        program = row["Component"].strip().removeprefix("-- ").split(" ")[0]
        assert parsed.fields["host"] == "combo"
        assert parsed.fields["program"] == program
        assert str(parsed.fields.get("pid", "")) == row["PID"]
        assert parsed.message.strip() == row["Content"].strip()


def test_every_syslog_line_of_openssh_is_taken_apart() -> None:
    lines, rows = read("OpenSSH")
    for row, parsed in zip(rows, SyslogParser(now).parse(lines), strict=True):
        assert parsed is not None
        assert parsed.fields == {
            "host": "LabSZ",
            "program": "sshd",
            "pid": int(row["Pid"]),
        }
        assert parsed.message.strip() == row["Content"].strip()
