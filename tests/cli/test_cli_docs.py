"""`docs/cli.md` names every command and every option."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from logstream.cli.main import app

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"


def commands(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    for part, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{name} {part}")
        else:
            yield f"{name} {part}", command


COMMANDS = dict(commands(typer.main.get_command(app), "logstream"))


def section(name: str) -> str:
    found = re.search(
        rf"^### `{name}`$(.*?)(?=^##)", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    assert found, f"{name} has no section"
    return found[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_in_its_section(name: str) -> None:
    text = section(name)
    for parameter in COMMANDS[name].params:
        for option in parameter.opts if parameter.param_type_name == "option" else ():
            assert f"`{option}`" in text, f"{name} {option}"


def test_every_section_is_a_command() -> None:
    headings = re.findall(r"^### `(.*)`$", PAGE.read_text(), re.MULTILINE)
    assert sorted(headings) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(name: str) -> None:
    assert COMMANDS[name].help
    for parameter in COMMANDS[name].params:
        if parameter.param_type_name == "option" and parameter.name != "help":
            assert parameter.help, f"{name} {parameter.name}"


def test_every_exit_code_is_in_the_page() -> None:
    from logstream.core import errors

    codes = {
        error.exit_code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.LogStreamError)
    }
    for code in codes | {0, 130}:
        assert f"| {code} |" in PAGE.read_text()
