"""The parser of lines that are JSON objects."""

from collections.abc import Callable, Sequence

from logstream.core.timestamps import now_ns
from logstream.parsers.records import RecordReader, decode_record
from logstream.plugins.contracts import BuildContext, Line, Options, ParserSpec


class JsonOptions(Options, frozen=True, kw_only=True):
    pass


class JsonParser:
    """Takes lines that are one JSON object each. Not thread-safe: one per stream."""

    def __init__(self, now: Callable[[], int] = now_ns) -> None:
        self._reader = RecordReader(now)

    def parse(self, lines: Sequence[str]) -> Sequence[Line | None]:
        self._reader.start_batch()
        one = self._one
        return [one(line) if line.lstrip()[:1] == "{" else None for line in lines]

    def _one(self, line: str) -> Line | None:
        record = decode_record(line)
        return None if record is None else self._reader.line(record, line)


def _build(options: JsonOptions, context: BuildContext) -> JsonParser:
    return JsonParser()


SPEC = ParserSpec(
    name="json",
    summary="JSON objects: finds time, level, message and source among their keys.",
    options=JsonOptions,
    build=_build,
    priority=30,
)
