"""What a person is told whose query finds nothing, or nothing in a column."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

import logstream
from logstream.cli.backend import Search
from logstream.cli.configuration import plugins_of
from logstream.cli.finding_nothing import empty_column, nothing_found
from logstream.cli.local_backend import LocalBackend, open_local
from logstream.config.settings import Settings, StorageConfig


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("nothing") / "d"
    fields = {"status": 200, "duration_ms": 1.5}
    entry = {"timestamp": "2026-01-01T00:00:00Z", "message": "m", "fields": fields}
    with logstream.open(folder) as db:
        db.add([entry])
    return str(folder)


@contextmanager
def opened(data: str) -> Iterator[LocalBackend]:
    settings = Settings(storage=StorageConfig(path=data))
    with open_local(settings, plugins_of(settings)) as backend:
        yield backend


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("statuz:500", "No recent entry has `statuz`: did you mean status?"),
        ("* | where dur > 5", "No recent entry has `dur`."),
        ("level:errox", "`errox` is a level of its own: did you mean error?"),
        ("status:500", "`logstream sources` lists what there is."),
    ],
)
def test_who_finds_nothing_is_told_why(data: str, text: str, told: str) -> None:
    with opened(data) as backend:
        said = nothing_found(backend, Search(text=text))
    assert said == f"Nothing matches. {told}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("* | stats avg(duration) by source",
         "No recent entry has `duration`: did you mean duration_ms?"),
        ("* | stats count() by sourcq",
         "No recent entry has `sourcq`: did you mean source?"),
        ("* | fields messagq", "No recent entry has `messagq`: did you mean message?"),
        ("* | stats sum(status) as n by message", ""),
        ("* | stats stddev(status)", ""),
    ],
)  # fmt: skip
def test_a_column_without_values_is_told(data: str, text: str, told: str) -> None:
    with opened(data) as backend:
        search = Search(text=text, limit=0)
        assert empty_column(backend, search, backend.table(search)) == told


def test_on_a_terminal_it_is_said_behind_the_rows_with_names_as_they_are(
    run_on_terminal: Callable[..., str], data: str
) -> None:
    text = "* | stats max(duration_ms), max(took_ms)"
    shown = run_on_terminal("query", text, "--data", data, "--no-color")
    assert "max(duration_ms)" in shown
    assert "No recent entry has `took_ms`" in shown.splitlines()[-1]


@pytest.mark.parametrize("command", [("fields", "statuz"), ("analyze", "-g", "statuz")])
def test_a_name_that_is_none_is_told_by_all_that_take_one(
    run_on_terminal: Callable[..., str], data: str, command: tuple[str, ...]
) -> None:
    shown = run_on_terminal(*command, "--data", data)
    told = "Nothing matches. No recent entry has `statuz`: did you mean status?"
    assert shown.strip() == told
