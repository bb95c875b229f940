"""A sink that prints: what `generate --stdout` writes to."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

import msgspec

from logstream.cli.backend import Found
from logstream.cli.entries import plain_line
from logstream.cli.output import OutputFormat, flush, write, write_csv
from logstream.core.entry import Entry
from logstream.core.errors import BadRequest

_COLUMNS = ("timestamp", "source", "level", "message", "fields")


class PrintingSink:
    """Prints each batch as it comes.

    Raises:
        BadRequest: JSON was asked for, and an array has an end that a stream has not.
    """

    def __init__(self, how: OutputFormat) -> None:
        if how is OutputFormat.json:
            raise BadRequest("--output json is one array: take ndjson.")
        self._how = how
        self._encoder = msgspec.json.Encoder()
        if how is OutputFormat.csv:
            write_csv(_COLUMNS, [])

    async def send(
        self, entries: Sequence[Entry], *, positions: Mapping[str, Any]
    ) -> None:
        """Print; positions are not kept."""
        match self._how:
            case OutputFormat.csv:
                rows = [[getattr(one, name) for name in _COLUMNS] for one in entries]
                write_csv((), rows)
            case OutputFormat.table:
                for entry in entries:
                    write(plain_line(self._found(entry)) + "\n")
            case _:
                write(self._encoder.encode_lines(entries))
        flush()

    async def positions(self, names: Iterable[str]) -> dict[str, Any]:
        """None are kept."""
        return {}

    def _found(self, entry: Entry) -> Found:
        return Found(
            timestamp=entry.timestamp,
            source=entry.source,
            level=entry.level,
            message=entry.message,
            fields=msgspec.Raw(self._encoder.encode(entry.fields)),
        )


class PrintingContext:
    """For a collector that needs no parsers and whose progress is on the screen."""

    name = "generate"

    def __init__(self, *, once: bool) -> None:
        self.once = once

    def progress(self, *, name: str, done: int, total: int | None, unit: str) -> None:
        """Nothing: the entries themselves are shown."""

    def parser(self, name: str, options: Mapping[str, Any]) -> NoReturn:
        raise NotImplementedError

    def compile_filter(self, query: str) -> NoReturn:
        raise NotImplementedError
