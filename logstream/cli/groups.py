"""The group of all commands: errors become exit codes, plugins' commands join late.

Plugins are loaded for their commands only when somebody asks for the list of commands
or for one that is not ours, so no other command pays for them. One that does not load
is named on standard error, and the rest works.
"""

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from logstream.core.errors import LogStreamError, StorageError


class LogStreamGroup(TyperGroup):
    """The top of the command line."""

    _with_plugins = False

    def invoke(self, ctx: Any) -> Any:
        """Run the command.

        Every error that LogStream raises on purpose is one message on standard error
        and its exit code, and so is what the system refuses, such as a full disk. A
        reader that has gone (`| head`) is no error.
        """
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except LogStreamError as error:
            print_error(error)
            raise typer.Exit(error.exit_code) from None
        except BrokenPipeError:
            from logstream.cli.output import abandon_stdout

            abandon_stdout()
            raise typer.Exit(0) from None
        except OSError as error:
            raise typer.Exit(_system_failure(error)) from None
        return result

    def list_commands(self, ctx: Any) -> list[str]:
        self._add_plugins()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.commands:
            self._add_plugins()
        return super().get_command(ctx, cmd_name)

    def _add_plugins(self) -> None:
        if self._with_plugins:
            return
        self._with_plugins = True
        try:
            commands = _plugin_commands()
        except LogStreamError as error:
            print_error(error)
            return
        for name, command in commands.items():
            self.commands.setdefault(name, command)


def _system_failure(error: OSError) -> int:
    """The exit code, after a message. One without a number is a bug, and raised."""
    from logstream.cli.output import abandon_stdout

    if error.errno is None:
        raise error
    if error.filename is None:
        # What standard output still holds would fail again when Python ends.
        abandon_stdout()
    place = "" if error.filename is None else f"{error.filename}: "
    print_error(StorageError(f"{place}{error.strerror}."))
    return StorageError.exit_code


def print_error(error: LogStreamError) -> None:
    """On standard error: `logstream: …`."""
    from logstream.cli.escape import for_cell

    typer.echo(f"logstream: {for_cell(str(error))}", err=True)


def _plugin_commands() -> dict[str, Any]:
    from logstream.cli.configuration import load
    from logstream.plugins.discovery import GROUP

    settings = load(None).settings
    if settings.plugins.folder is None:
        from importlib.metadata import entry_points

        if not entry_points(group=GROUP):
            return {}
    from logstream.cli.configuration import added_plugins_of

    app = typer.Typer()
    added_plugins_of(settings).add_commands(app)
    if not app.registered_commands and not app.registered_groups:
        return {}
    app.callback()(_nothing)  # makes a group of it, even with one command
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def _nothing() -> None:
    """Commands of plugins."""
