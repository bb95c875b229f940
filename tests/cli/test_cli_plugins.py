"""`logstream plugins`, and commands that plugins add."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[bytes]]

GREETER = '''
"""Adds a command and a group."""

import typer

from logstream.plugins import hookimpl

weather = typer.Typer(help="About the weather.")


@weather.command()
def today() -> None:
    """Say how it is."""
    typer.echo("sunny")


def greet(name: str) -> None:
    """Say hello."""
    typer.echo(f"hello {name}")


@hookimpl
def logstream_commands(app) -> None:
    app.command()(greet)
    app.add_typer(weather, name="weather")
'''


@pytest.fixture
def greeter(tmp_path: Path) -> Path:
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "greeter.py").write_text(GREETER)
    (tmp_path / "logstream.yaml").write_text(
        "plugins: {folder: ours, disabled: [processors]}\n"
    )
    return tmp_path / "ours" / "greeter.py"


@pytest.mark.usefixtures("greeter")
def test_a_plugins_commands_join_ours(run: Run) -> None:
    assert run("greet", "you").stdout == b"hello you\n"
    assert run("weather", "today").stdout == b"sunny\n"
    listed = run("--help").stdout
    assert b"greet" in listed
    assert b"About the weather." in listed
    assert b"query" in listed


def test_a_plugin_cannot_take_a_command_of_ours(run: Run, greeter: Path) -> None:
    greeter.write_text(GREETER.replace("def greet(", "def version("))
    assert b"hello" not in run("version").stdout


def test_a_plugin_that_does_not_load_is_named_and_the_rest_works(
    run: Run, greeter: Path
) -> None:
    greeter.write_text("1 / 0\n")
    done = run("--help")
    assert done.returncode == 0
    assert b"query" in done.stdout
    assert b"'greeter'" in done.stderr
    assert b"ZeroDivisionError" in done.stderr
    assert run("nonsense").returncode == 2


@pytest.mark.usefixtures("greeter")
def test_plugins_are_listed_with_what_they_offer(run: Run) -> None:
    table = run("plugins", "list", "--options").stdout.decode()
    assert "processors (off)" in table
    assert "generate\tLifelike traffic" in table
    assert "collector generate\trate_per_s\t" in table
    described = json.loads(run("plugins", "list", "-o", "json").stdout)
    (ours,) = [one for one in described if one["name"] == "greeter"]
    assert ours["kind"] == "folder"
    assert ours["hooks"] == ["logstream_commands"]
    assert run("plugins", "list", "-o", "csv").stdout.startswith(b"plugin,from,kind")


def test_a_new_plugin_passes_its_own_check(run: Run, tmp_path: Path) -> None:
    made = run("plugins", "new", "mark", "--folder", "ours")
    assert made.returncode == 0
    assert b"wrote ours/mark" in made.stdout
    checked = run("plugins", "check", "ours/mark")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert run("plugins", "new", "mark", "--folder", "ours").returncode == 2


def test_a_broken_plugin_fails_the_check(run: Run, greeter: Path) -> None:
    greeter.write_text("1 / 0\n")
    checked = run("plugins", "check", str(greeter))
    assert checked.returncode == 2
    assert b"ZeroDivisionError" in checked.stdout


def test_config_check_builds_what_the_config_names(run: Run, tmp_path: Path) -> None:
    good = "processors: [{type: filter, options: {drop: 'level:debug'}}]\n"
    (tmp_path / "good.yaml").write_text(good)
    assert run("config", "check", "good.yaml").stdout == b"good.yaml: good.\n"
    assert run("config", "check", "--config", "good.yaml").returncode == 0
    done = run("config", "check", "-", input=good.replace("level:", "(").encode())
    assert done.returncode == 2
    assert b"processors[0]" in done.stderr
    done = run("config", "check", "-", input=b"sever: {}\nserver: {port: x}\n")
    assert done.returncode == 2
    assert b"'server'" in done.stderr
    assert b"<stdin>" in done.stderr
    assert b"server.port" in done.stderr
