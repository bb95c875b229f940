"""The parser of last resort: any line, with the time and level it visibly carries.

The message is the whole line, unchanged: whoever reads it finds what the program
wrote, and a search finds every word of it.
"""

import re
from collections.abc import Callable, Sequence

from logstream.core.timestamps import now_ns
from logstream.parsers.line_levels import (
    level_after_time,
    level_at_start,
    level_before_time,
    level_in_pair,
    level_of_name,
)
from logstream.parsers.line_times import LineTimes
from logstream.plugins.contracts import BuildContext, Line, Options, ParserSpec

HEAD_CHARS = 512
"""How much of a line is looked at: a line of a megabyte costs what a short one does."""
_COLOUR = re.compile(r"\x1b\[[0-9;]{0,20}m")


class TextOptions(Options, frozen=True, kw_only=True):
    pass


class TextParser:
    """Takes every line. Not thread-safe: one per stream."""

    def __init__(self, now: Callable[[], int] = now_ns) -> None:
        self._times = LineTimes(now)

    def parse(self, lines: Sequence[str]) -> Sequence[Line | None]:
        self._times.start_batch()
        one = self._one
        return [one(line) for line in lines]

    def _one(self, line: str) -> Line:
        head = line if len(line) <= HEAD_CHARS else line[:HEAD_CHARS]
        if "\x1b[" in head:
            head = _COLOUR.sub("", head)
        found = self._times.find(head)
        if found is None:
            level = level_at_start(head) or level_in_pair(head)
            return Line(level=level, message=line)
        if found.level is not None:
            level = level_of_name(found.level)
        else:
            level = level_after_time(head, found.end)
            if level is None and found.word_before:
                level = level_before_time(head) or level_at_start(head)
            if level is None:
                level = level_in_pair(head)
        return Line(timestamp=found.timestamp, level=level, message=line)


def _build(options: TextOptions, context: BuildContext) -> TextParser:
    return TextParser()


SPEC = ParserSpec(
    name="text",
    summary="Any line: keeps it whole, finds its time and level.",
    options=TextOptions,
    build=_build,
    priority=-100,
)
