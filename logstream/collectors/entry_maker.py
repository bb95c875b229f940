"""Lines to entries: what a parser found, completed with what the collector knows.

A line without a time of its own gets the time of the line before it, when both were
read in one go: the lines of a stack trace stay with the error, and a file of last year
stays in last year. When there is none, it is the time of reading.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from logstream.core.entry import Entry
from logstream.core.levels import DEFAULT_LEVEL
from logstream.core.timestamps import format_ns, now_ns
from logstream.plugins.contracts import Line, Parser
from logstream.telemetry.metrics import COLLECTOR_ERRORS

_log = logging.getLogger(__name__)


class EntryMaker:
    """One per input, like the parser it owns.

    Args:
        source: For lines that do not name one.
        fields: On every entry, unless the line has a field of that name itself.
    """

    def __init__(
        self,
        parser: Parser,
        *,
        source: str,
        fields: Mapping[str, Any],
        now: Callable[[], int] = now_ns,
    ) -> None:
        self._parser = parser
        self.source = source
        self.fields = dict(fields)
        self._now = now
        self._last_timestamp: str | None = None
        self._last_level = DEFAULT_LEVEL

    def pause(self) -> None:
        """What comes next was not there yet when the last line was read."""
        self._last_timestamp = None

    def make(
        self, lines: Sequence[str], notes: Mapping[int, Mapping[str, Any]]
    ) -> list[Entry]:
        """One entry per line, in order: `parse`, then `complete`."""
        return self.complete(lines, self.parse(lines), notes)

    def complete(
        self,
        lines: Sequence[str],
        parsed: Sequence[Line | None],
        notes: Mapping[int, Mapping[str, Any]],
    ) -> list[Entry]:
        """Entries of lines that were parsed.

        Args:
            notes: Further fields by the index of a line. A `line_part` above 1 marks
                the continuation of a line: it is not parsed, and takes time and level
                from the part before it.
        """
        entries: list[Entry] = []
        now = format_ns(self._now())
        last = self._last_timestamp
        level = self._last_level
        source, fields = self.source, self.fields
        for index, answer in enumerate(parsed):
            note = notes.get(index)
            found = answer or Line(message=lines[index])
            if note is not None and note.get("line_part", 1) > 1:
                found = Line(timestamp=last, level=level, message=lines[index])
            last = found.timestamp or last
            level = found.level or DEFAULT_LEVEL
            own = found.fields
            merged = {**fields, **own} if own else fields
            entries.append(
                Entry(
                    timestamp=last or now,
                    source=found.source or source,
                    level=level,
                    message=found.message,
                    fields=merged if note is None else {**merged, **note},
                )
            )
        self._last_timestamp, self._last_level = last, level
        return entries

    def plain(self, entry: Entry, line: str, *, reason: str) -> Entry:
        """The entry of a line that the store refused: the bare line, and why."""
        bad_time = reason == "bad_timestamp"
        return Entry(
            timestamp=format_ns(self._now()) if bad_time else entry.timestamp,
            source=self.source,
            level=DEFAULT_LEVEL,
            message=line,
            fields={**self.fields, "rejected": reason},
        )

    def parse(self, lines: Sequence[str]) -> Sequence[Line | None]:
        """What the parser makes of lines; all None when it breaks its contract."""
        try:
            found = self._parser.parse(lines)
        except Exception:  # noqa: BLE001 - logged and counted; the lines stay as they are
            _log.exception("A parser failed.", extra={"source": self.source})
        else:
            if len(found) == len(lines):
                return found
            _log.error(
                "A parser gave the wrong number of results.",
                extra={"source": self.source},
            )
        COLLECTOR_ERRORS.inc()
        return [None] * len(lines)
