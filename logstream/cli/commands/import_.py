"""`logstream import`: entries out of files."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from logstream.cli.parameters import Config, Data, Server

if TYPE_CHECKING:
    from logstream.storage.exchange import TableKind

_TABLES: "dict[str, TableKind]" = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".duckdb": "duckdb",
    ".arrow": "arrow",
    ".arrows": "arrow",
}
_LINES = (".ndjson", ".jsonl")
_BATCH_BYTES = 8 * 1_048_576
_PACKED = (".gz", ".zst")


def import_files(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE…",
            exists=True,
            dir_okay=False,
            help=".parquet, .csv, .ndjson, .arrow or .duckdb as `logstream export` "
            "writes them, .csv and .ndjson also packed; or any log file.",
        ),
    ],
    *,
    server: Server = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Store what files hold.

    Columns that an entry has (timestamp, source, level, message, fields) are taken as
    such, others as fields; entries get new ids, so what is imported twice is there
    twice. Any other file is read as `logstream collect --once` reads it, and that only
    once.
    """
    from logstream.cli.commands.collect import collect

    tables = [file for file in files if _is_table(file)]
    others = [str(file.absolute()) for file in files if not _is_table(file)]
    if tables:
        _store(tables, server=server, data=data, config=config)
    if others:
        collect(sources=others, once=True, server=server, data=data, config=config)


def _is_table(file: Path) -> bool:
    ending = _ending(file)
    return ending in _TABLES or ending in _LINES


def _ending(file: Path) -> str:
    """What it is, without how it is packed."""
    is_packed = file.suffix in _PACKED
    return (Path(file.stem).suffix if is_packed else file.suffix).lower()


def _store(
    files: list[Path], *, server: str | None, data: str | None, config: Path | None
) -> None:
    from logstream.cli.configuration import load
    from logstream.cli.connect import find_server
    from logstream.client import connect, open_folder

    settings = load(config, data=data).settings
    url = find_server(server, settings, data=data)
    place = connect(url) if url else open_folder(settings.storage.path, config=config)
    with place as database:
        for file in files:
            count = sum(database.add_lines(batch) for batch in _batches(file))
            typer.echo(f"{file}: {count:,} entries.", err=True)


def _batches(file: Path) -> Iterator[bytes]:
    """Whole lines of NDJSON, some megabytes at a time."""
    held: list[bytes] = []
    total = 0
    for lines in _lines(file):
        held.append(lines)
        total += len(lines)
        if total >= _BATCH_BYTES:
            yield b"".join(held)
            held, total = [], 0
    if held:
        yield b"".join(held)


def _lines(file: Path) -> Iterator[bytes]:
    from logstream.storage.exchange import read_lines

    ending = _ending(file)
    if ending in _TABLES:
        return read_lines(file, _TABLES[ending])
    return _unpacked(file)


def _unpacked(file: Path) -> Iterator[bytes]:
    import gzip
    import zlib

    import zstandard

    from logstream.core.errors import BadRequest

    try:
        with file.open("rb") as packed:
            opened: Any = packed
            if file.suffix == ".gz":
                opened = gzip.GzipFile(fileobj=packed)
            elif file.suffix == ".zst":
                opened = zstandard.ZstdDecompressor().stream_reader(packed)
            left = b""
            while part := opened.read(1_048_576):
                lines, end, left = (left + part).rpartition(b"\n")
                if end:
                    yield lines + end
            if left:
                yield left + b"\n"
    except (EOFError, OSError, zlib.error, zstandard.ZstdError) as error:
        raise BadRequest(f"{file} is damaged: {error}") from None
