"""Where a command runs: on a server that it finds, or on the data folder itself.

In this order: `--server`, `LOGSTREAM_SERVER`, the server that has the data folder,
the data folder. Who names a folder with `--data` means that one, so the variable, and
a server that merely runs on this machine, do not count then. A server writes its
address into the folder's `lock` file; a server that was killed leaves it behind, so the
address is asked before it is trusted.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import typer

from logstream.cli.backend import Backend
from logstream.cli.configuration import load, plugins_of
from logstream.config.environment import SERVER_VARIABLE
from logstream.config.settings import Settings
from logstream.core.errors import ConfigError, FolderInUse, ServerUnreachable

IN_MEMORY = ":memory:"


def find_server(
    server: str | None, settings: Settings, *, data: str | None
) -> str | None:
    """The URL of the server to talk to; None: none runs for this data folder.

    Args:
        server: Of `--server`.
        settings: With `data` in them.
        data: Of `--data`.
    """
    if server:
        return server
    if data is None and (server := os.environ.get(SERVER_VARIABLE)):
        return server
    from logstream.cli.http_backend import answers
    from logstream.storage.folder import read_owner

    path = settings.storage.path
    owner = None if path == IN_MEMORY else read_owner(Path(path))
    if owner is not None and owner.url and answers(owner.url):
        return owner.url
    if path == IN_MEMORY or (data is None and not Path(path).exists()):
        # There is no folder to open, so a server where one is expected is better.
        url = configured_url(settings)
        return url if answers(url) else None
    return None


def configured_url(settings: Settings) -> str:
    """Where `logstream serve` with these settings would answer on this machine."""
    host = settings.server.host
    local = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - compared with
    if ":" in host and host not in local:
        host = f"[{host}]"
    return f"http://{local.get(host, host)}:{settings.server.port}"


@contextmanager
def open_backend(
    *, server: str | None, data: str | None, config: Path | None
) -> Iterator[Backend]:
    """Find a server, or open the data folder for the length of one command.

    Raises:
        ServerUnreachable: there is neither; says what to do.
        FolderInUse: a process that is no server has the folder.
        ConfigError, PluginError: as told.
    """
    from logstream.cli.http_backend import HttpBackend

    settings = load(config, data=data).settings
    url = find_server(server, settings, data=data)
    if url is not None:
        with HttpBackend(url) as remote:
            yield remote
            _tell_left_out(sorted(remote.left_out), remote.stuck_entries)
        return
    _expect_folder(settings, data)
    from logstream.cli.local_backend import open_local

    with ExitStack() as stack:
        try:
            local = stack.enter_context(open_local(settings, plugins_of(settings)))
        except FolderInUse as error:
            raise _explain(error) from None
        yield local
        _tell_left_out(local.left_out(), local.stuck_entries())


def _tell_left_out(days: list[str], stuck_entries: int) -> None:
    if days:
        more = f" and {len(days) - 5} more" if len(days) > 5 else ""
        typer.echo(
            f"left out: {', '.join(days[-5:])}{more}: these days cannot be read; "
            "`logstream storage` says why.",
            err=True,
        )
    if stuck_entries:
        typer.echo(
            f"left out: {stuck_entries:,} entries that cannot be stored just now; "
            "`logstream storage` says why.",
            err=True,
        )


def _expect_folder(settings: Settings, data: str | None) -> None:
    path = settings.storage.path
    url = configured_url(settings)
    if path == IN_MEMORY:
        raise ServerUnreachable(
            f"storage.path is {IN_MEMORY} and no server answers at {url}: start one "
            "with `logstream serve`, or name another with --server."
        )
    if not Path(path).is_dir():
        if Path(path).exists():
            raise ConfigError(f"The data folder {path} is no folder.")
        if data is not None:
            raise ServerUnreachable(
                f"There is no data folder {path!r}: name yours with --data, or a "
                "server with --server."
            )
        raise ServerUnreachable(
            f"There is no data folder {path!r}, and no server answers at {url}: start "
            "one with `logstream serve`, or name yours with --data or --server."
        )


def _explain(error: FolderInUse) -> FolderInUse:
    who = f"process {error.pid}" if error.pid else "another process"
    return FolderInUse(
        f"{error} If {who} is a `logstream collect`, wait until it ends; if it is a "
        "server that is starting, try again.",
        pid=error.pid,
    )
