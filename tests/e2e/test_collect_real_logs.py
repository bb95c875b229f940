"""Real log files through the real command line: every line becomes one row."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.fault.server_process import ServerProcess, run_cli

LOGS = Path(__file__).resolve().parents[2].parent / "shared/data/loghub"
NAMES = (
    "Android",
    "Apache",
    "HDFS",
    "Linux",
    "OpenSSH",
    "OpenStack",
    "Spark",
    "Zookeeper",
)

pytestmark = pytest.mark.skipif(not LOGS.is_dir(), reason=f"no log files in {LOGS}")


def _file(name: str) -> Path:
    return LOGS / name / f"{name}_2k.log"


def _lines(name: str) -> list[str]:
    return _file(name).read_text(errors="replace").splitlines()


class Place:
    """A data folder, with a server that has it or without."""

    def __init__(self, folder: Path, server: ServerProcess | None) -> None:
        self.folder = folder
        self.server = server

    def run(self, *arguments: str) -> str:
        where = ["--data", "data"]
        if self.server is not None:
            where = ["--server", f"http://{self.server.address}"]
        done = run_cli([*arguments, *where], cwd=self.folder)
        assert done.returncode == 0, done
        return done.stdout

    def query(self, text: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(
            self.run("query", text, "--limit", "0", "--output", "json")
        )
        return found

    def stats(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads(self.run("stats", "--output", "json"))
        return found


@pytest.fixture(scope="module", params=["server", "folder"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """All files are collected there, twice: the second time has nothing to do."""
    folder = tmp_path_factory.mktemp("collected")
    sources = ",".join(str(_file(name)) for name in NAMES)
    if request.param == "folder":
        place = Place(folder, None)
        for _ in range(2):
            place.run("collect", "--once", "--sources", sources)
        yield place
        return
    with ServerProcess(folder).wait_until_serving() as server:
        place = Place(folder, server)
        for _ in range(2):
            place.run("collect", "--once", "--sources", sources)
        yield place
        assert server.terminate() == 0


def test_every_line_of_every_file_is_one_row(place: Place) -> None:
    expected = {f"{name}_2k": len(_lines(name)) for name in NAMES}
    stats = place.stats()
    assert stats["EntriesBySource"] == expected
    assert stats["TotalEntries"] == sum(expected.values())


@pytest.mark.parametrize(
    ("query", "name", "pattern"),
    [
        ("source:Apache_2k level:error", "Apache", r"\[error\]"),
        ("source:Zookeeper_2k level:warn", "Zookeeper", r" - WARN "),
        ("source:Spark_2k level:info", "Spark", r"^\S+ \S+ INFO "),
        ('source:OpenSSH_2k "failed password"', "OpenSSH", r"Failed password"),
        ("source:OpenSSH_2k pid:25539", "OpenSSH", r"sshd\[25539\]"),
        ("source:Linux_2k program:ftpd", "Linux", r" ftpd\["),
    ],
)
def test_entries_are_found_by_level_word_and_field(
    place: Place, query: str, name: str, pattern: str
) -> None:
    expected = sum(bool(re.search(pattern, line)) for line in _lines(name))
    assert expected > 0
    assert len(place.query(query)) == expected


def test_nothing_of_a_line_is_lost(place: Place) -> None:
    """What is not told by a column or a field is in the message as it was."""
    rows = place.query("source:HDFS_2k")
    lines = " ".join(_lines("HDFS"))
    assert all(row["message"] in lines for row in rows)
    assert all(row["timestamp"].startswith("200") for row in rows)
