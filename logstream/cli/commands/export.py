"""`logstream export`: what a query finds, as a file."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from logstream.cli.parameters import Config, Data, Server, Timeout

if TYPE_CHECKING:
    from logstream.cli.backend import Backend, FileFormat, Search

_FORMATS: "dict[str, FileFormat]" = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".arrow": "arrow",
    ".arrows": "arrow",
}
_DUCKDB = ".duckdb"
_PACKED = (".gz", ".zst")
_EVERY_BYTES = 16 * 1_048_576


def export(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="QUERY", help="As --query.", show_default=False),
    ] = None,
    *,
    target: Annotated[
        Path,
        typer.Option(
            "--to",
            metavar="FILE",
            help="Its ending says what it is: .parquet, .csv, .ndjson, .arrow or "
            ".duckdb; .csv and .ndjson also with .gz or .zst behind.",
        ),
    ],
    query: Annotated[
        str | None,
        typer.Option(
            "--query",
            "-q",
            help="A query, pipes and all. Without one: everything.",
            show_default=False,
        ),
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="Not before: -15m, today, …"),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Before this time.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="Rows at most; 0 = all.")
    ] = 0,
    timeout: Timeout = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a file that is there.")
    ] = False,
    server: Server = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Write what a query finds to a file; `logstream import` takes it back.

    The file has its name when it is whole. What has more rows than a server gives
    (query.max_stream_rows) is an error, and no part of a file.
    """
    from logstream.cli.backend import Search
    from logstream.cli.connect import open_backend
    from logstream.cli.parameters import time_range
    from logstream.cli.pointing import pointing_at
    from logstream.cli.tables import size
    from logstream.core.errors import BadRequest

    how, packed = _format_of(target)
    if target.exists() and not force:
        raise BadRequest(f"{target} is there already: --force replaces it.")
    if not target.parent.is_dir():
        raise BadRequest(f"--to {target}: there is no folder {target.parent}.")
    begin_ns, end_ns = time_range(from_, until)
    text = query if query is not None else " ".join(words or ())
    search = Search(
        text=text, from_ns=begin_ns, to_ns=end_ns, limit=limit, timeout_s=timeout
    )
    with (
        open_backend(server=server, data=data, config=config) as backend,
        pointing_at(text),
    ):
        _write(backend, search, target, how, packed)
    typer.echo(f"{target}: {size(target.stat().st_size)}.", err=True)


def _format_of(target: Path) -> "tuple[FileFormat | None, str]":
    """The format, None for a database, and how it is packed."""
    from logstream.core.errors import BadRequest

    packed = target.suffix if target.suffix in _PACKED else ""
    ending = Path(target.stem).suffix if packed else target.suffix
    if ending == _DUCKDB and not packed:
        return None, ""
    how = _FORMATS.get(ending)
    if how is None or (packed and how not in ("csv", "ndjson")):
        raise BadRequest(
            f"--to {target}: name a file that ends in .parquet, .csv, .ndjson, .arrow "
            "or .duckdb; .csv and .ndjson also with .gz or .zst behind."
        )
    return how, packed


def _write(
    backend: "Backend",
    search: "Search",
    target: Path,
    how: "FileFormat | None",
    packed: str,
) -> None:
    with _new_file(target) as part:
        if how is not None:
            with _opened(part, packed) as file:
                backend.write(search, how, _counted(file))
            return
        from logstream.storage.exchange import write_duckdb

        with _new_file(target.with_name(target.name + ".parquet"), keep=False) as rows:
            with rows.open("wb") as file:
                backend.write(search, "parquet", _counted(file))
            write_duckdb(rows, part)


@contextmanager
def _new_file(target: Path, *, keep: bool = True) -> Iterator[Path]:
    """A name to write under. Takes the target's when all went well."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield part
        if keep:
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _opened(path: Path, packed: str) -> Iterator[Any]:
    import gzip

    import zstandard

    with path.open("wb") as file:
        if packed == ".gz":
            with gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as zipper:
                yield zipper
        elif packed == ".zst":
            packer = zstandard.ZstdCompressor()
            with packer.stream_writer(file, closefd=False) as writer:
                yield writer
        else:
            yield file
        file.flush()
        os.fsync(file.fileno())


def _counted(file: Any) -> Callable[[bytes], None]:
    """Writes, and says on a terminal how far it is."""
    import sys

    from logstream.cli.tables import size

    done = 0

    def write(part: bytes) -> None:
        nonlocal done
        file.write(part)
        before, done = done, done + len(part)
        if sys.stderr.isatty() and done // _EVERY_BYTES > before // _EVERY_BYTES:
            sys.stderr.write(f"\r{size(done)} …")
            sys.stderr.flush()

    return write
