r"""`replace`: what a pattern finds in the message becomes a fixed text.

For what must not be stored: `pattern: 'card=\d{16}'`, `replacement: 'card=[card]'`.
`\d`, `\w`, `\s` and `\b` mean ASCII. Most patterns run in DuckDB's engine, without
Python, over whole batches; see `re2` for which ones, and both find the same.
"""

import re
from collections.abc import Sequence

import msgspec

from logstream.core.entry import Entry
from logstream.core.errors import ConfigError
from logstream.core.sql import Sql
from logstream.plugins.contracts import BuildContext, Options, Rewrite
from logstream.processors.backtracking import may_explode
from logstream.processors.re2 import to_re2


class ReplaceOptions(Options, frozen=True, kw_only=True):
    pattern: str
    """A Python regular expression, in which `\\d \\w \\s \\b` mean ASCII."""

    replacement: str = "[redacted]"
    """What stands there instead, as it is: `\\1` has no meaning in it."""


class ReplaceProcessor:
    """Without state between batches."""

    def __init__(self, pattern: re.Pattern[str], replacement: str) -> None:
        self._pattern = pattern
        self._replacement = replacement
        self._re2 = to_re2(pattern.pattern)

    def process(self, batch: Sequence[Entry]) -> Sequence[Entry]:
        return [self._replace(entry) for entry in batch]

    def rewrite(self) -> Rewrite | None:
        """None: DuckDB's engine might find something else."""
        if self._re2 is None:
            return None
        text = "regexp_replace(message, ?, ?, 'g')"
        literal = self._replacement.replace("\\", "\\\\")
        return Rewrite(columns={"message": Sql(text, (self._re2, literal))})

    def _replace(self, entry: Entry) -> Entry:
        message, found = self._pattern.subn(lambda _: self._replacement, entry.message)
        return msgspec.structs.replace(entry, message=message) if found else entry


def build_replace(options: ReplaceOptions, context: BuildContext) -> ReplaceProcessor:
    """Raises ConfigError: no pattern, or one that must not be run."""
    try:
        pattern = re.compile(options.pattern, re.ASCII)
    except (re.error, OverflowError, RecursionError, ValueError) as error:
        raise ConfigError(f"pattern: is no regular expression: {error}") from None
    if pattern.search(""):
        raise ConfigError("pattern: also finds the empty text")
    if may_explode(options.pattern):
        raise ConfigError(
            "pattern: may take exponential time: a repeat of a part that holds a repeat"
        )
    return ReplaceProcessor(pattern, options.replacement)
