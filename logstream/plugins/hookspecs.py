"""The hooks a plugin may implement: all of them, on this page.

Hooks run at start-up and hand back factories. None runs per log entry: pluggy calls
hooks last-registered-first, costs about nine direct calls and has no async; the order
of the processors is the operator's to choose, in the config file.

A plugin is a module (or any object) with some of these as functions, decorated with
`hookimpl`. A misspelt hook is an error at start-up.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import pluggy

from logstream.plugins.contracts import (
    BuildContext,
    CollectorSpec,
    Lifecycle,
    ParserSpec,
    ProcessorSpec,
)

PROJECT = "logstream"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks(Protocol):
    @hookspec
    def logstream_collectors(self) -> Sequence[CollectorSpec]:
        """Offer collectors for `collectors:` in the config and `collect --sources`."""
        ...

    @hookspec
    def logstream_parsers(self) -> Sequence[ParserSpec]:
        """Offer parsers of lines, for collectors and for automatic detection."""
        ...

    @hookspec
    def logstream_processors(self) -> Sequence[ProcessorSpec]:
        """Offer processors for `processors:` in the config.

        Two plugins that offer the same name are an error at start-up that names both.
        """
        ...

    @hookspec
    def logstream_routes(self) -> Sequence[Any]:
        """Offer Litestar route handlers or routers, served beside our own.

        Import litestar inside the function: the command line loads plugins too, and
        stays light that way. A path that is taken is an error at start-up.
        """
        ...

    @hookspec
    def logstream_commands(self, app: Any) -> None:
        """Add commands to the command line.

        Args:
            app: The `typer.Typer` of `logstream`; add commands or groups to it.
        """
        ...

    @hookspec
    def logstream_lifecycle(self, context: BuildContext) -> Lifecycle | None:
        """Hand back an object that is started with the server and stopped with it."""
        ...
