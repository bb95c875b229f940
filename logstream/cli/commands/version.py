"""`logstream version`."""

import platform

import typer

from logstream import __version__


def version() -> None:
    """Print the versions of LogStream and of what it stands on."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    typer.echo(f"logstream {__version__}")
    typer.echo(f"python {platform.python_version()} on {platform.platform()}")
    for package in ("duckdb", "granian", "litestar", "msgspec"):
        try:
            typer.echo(f"{package} {installed(package)}")
        except PackageNotFoundError:
            typer.echo(f"{package} is missing: install LogStream again")
