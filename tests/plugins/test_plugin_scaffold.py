"""`plugins new` writes a plugin that works as it is."""

import subprocess
import sys
from pathlib import Path

import pytest

from logstream.config.settings import PluginsConfig
from logstream.core.errors import ConfigError
from logstream.plugins.check import check_plugin
from logstream.plugins.manager import load_plugins
from logstream.plugins.scaffold import scaffold
from logstream.plugins.testing import NoContext, an_entry, processor_of

REPO = Path(__file__).resolve().parents[2]


def test_it_writes_a_module_a_test_and_how_to_switch_it_on(tmp_path: Path) -> None:
    """The plugin loads from the folder that it was written to."""
    written = scaffold("find_errors", tmp_path / "plugins")

    assert [path.name for path in written] == [
        *("__init__.py", "test_find_errors.py", "README.md"),
    ]
    assert "folder: " in written[2].read_text()
    config = PluginsConfig(folder=str(tmp_path / "plugins"))
    plugins = load_plugins(config, builtins=())
    assert list(plugins.processors) == ["find_errors"]
    [described] = plugins.describe()
    assert all(option.doc for option in described.offers[0].options)


def test_what_it_writes_passes_its_check_and_works(tmp_path: Path) -> None:
    """It marks entries that hold a word."""
    scaffold("mark", tmp_path)
    findings = check_plugin(str(tmp_path / "mark"), context=NoContext())
    assert [finding.severity for finding in findings] == ["ok", "ok"]

    mark = processor_of(tmp_path / "mark", "mark", word="boom", field="bad")
    assert mark.process([an_entry("BOOM")])[0].fields == {"bad": True}


@pytest.mark.parametrize("mode", ["prepend", "importlib"])
def test_the_test_it_writes_passes(tmp_path: Path, mode: str) -> None:
    """In both of pytest's ways to import, from another folder."""
    scaffold("entry", tmp_path)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *(f"--import-mode={mode}", "-W", "error", str(tmp_path / "entry")),
        ],
        env={"PYTHONPATH": str(REPO), "PATH": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("", "no name for a plugin"),
        ("My-Plugin", "such as 'my_plugin'"),
        ("../evil", "such as 'evil'"),
        ("1st", "a letter first"),
        ("a" * 41, "up to 40"),
        ("json", "name of a Python module"),
        ("logstream", "name of a Python module"),
        ("class", "word of Python"),
        ("test_it", "taken for a test"),
        ("conftest", "taken for a test"),
    ],
)
def test_names_that_would_not_work_are_refused(
    tmp_path: Path, name: str, part: str
) -> None:
    """And nothing is written."""
    with pytest.raises(ConfigError) as caught:
        scaffold(name, tmp_path)
    assert part in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Neither a folder nor a file of the name."""
    (tmp_path / "one.py").write_text("mine")
    (tmp_path / "two").mkdir()
    for name in ("one", "two"):
        with pytest.raises(ConfigError, match="is there already"):
            scaffold(name, tmp_path)
    assert (tmp_path / "one.py").read_text() == "mine"
    assert list((tmp_path / "two").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """As an error of the command, not a stack trace."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write"):
        scaffold("one", tmp_path / "file")
