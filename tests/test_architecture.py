"""What holds for the whole tree: layers, light imports, nothing private in a file."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import logstream

ROOT = Path(__file__).resolve().parents[1]


def committed_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False
    )
    if listed.returncode:
        pytest.skip("needs a git checkout")
    names = listed.stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def modules_after(code: str) -> set[str]:
    """The top-level modules loaded once a clean interpreter has run the code."""
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.split("\n")[-2].split()}


def test_imports_go_down_the_layers() -> None:
    """The contracts stand in pyproject.toml."""
    script = "from importlinter.cli import lint_imports_command as run; run()"
    done = subprocess.run(
        [sys.executable, "-c", script, "--no-logo", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "code",
    [
        "import logstream.plugins",
        "import logstream.config.load",
        "import logstream.query",
    ],
)
def test_what_plugins_and_commands_import_is_light(code: str) -> None:
    heavy = {"duckdb", "litestar", "granian", "pyarrow", "typer"}
    assert not modules_after(code) & heavy


def test_the_help_of_the_command_line_is_light() -> None:
    code = (
        "import sys\n"
        "sys.argv = ['logstream', '--help']\n"
        "from logstream.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code\n"
    )
    assert not modules_after(code) & {"duckdb", "litestar", "granian"}


def test_the_version_stands_in_one_place() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", logstream.__version__)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "logstream/__init__.py"


def private_words() -> dict[str, re.Pattern[str]]:
    """What -> how to find it. The paths are those of the machine that runs the test."""
    here = {ROOT, Path(sys.prefix), Path.home()}
    paths = "|".join(re.escape(str(path)) for path in here if len(path.parts) > 2)
    return {
        "the host of a package index": re.compile(
            r"(?:files\.pythonhosted|pypi|npmjs|registry)\.(?:org|com|io)\b"
            r"|--(?:extra-)?index-url|--find-links"
        ),
        "a path of this machine": re.compile(rf"(?<![\w.~-])(?:{paths or '$^'})/"),
    }


def test_no_file_names_a_package_index_or_a_path_of_one_machine() -> None:
    """Such a line works for one person, and tells the others about them."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {what}: {line.strip()[:80]}"
        for path in committed_files()
        if path != Path(__file__).resolve()
        for number, line in enumerate(_lines(path), start=1)
        for what, pattern in private_words().items()
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return []


def test_every_dependency_is_pinned() -> None:
    """`make constraints` renews them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["dev"],
    ]
    pinned = {
        line.partition("==")[0]
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    }
    names = {re.split(r"[><=!~\[; ]", need)[0].lower() for need in wanted}
    assert names <= pinned, names - pinned


def test_every_action_is_pinned_by_its_commit() -> None:
    """A tag can be moved to other code after it was reviewed."""
    for path in (ROOT / ".github/workflows").glob("*.yml"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if "uses:" in line:
                assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v[\d.]+$", line), line


def test_core_knows_nothing_but_the_standard_library_and_msgspec() -> None:
    loaded = modules_after("import logstream.core.levels, logstream.core.entry")
    assert not loaded & {"yaml", "pluggy", "httpx", "prometheus_client"}
