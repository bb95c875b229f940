"""The parser of logfmt: `time=… level=info msg="listening" addr=:8000`.

A line is logfmt when it begins with a pair, has at least two, and one of them is a
level or a message: a sentence that mentions `a=b c=d` is not.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from logstream.core.timestamps import now_ns
from logstream.parsers.records import NAMES, RecordReader
from logstream.plugins.contracts import BuildContext, Line, Options, ParserSpec

_PAIR = re.compile(
    r'[ \t]*+([\w@][\w.@/-]{0,127}+)=(?:"((?:[^"\\]|\\.)*+)"|([^\s"]*+))'
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_TELLING = frozenset((*NAMES["level"], *NAMES["message"]))
_MAX_PAIRS = 256
_PLAIN = {"n": "\n", "t": "\t", "r": "\r"}


class LogfmtOptions(Options, frozen=True, kw_only=True):
    pass


class LogfmtParser:
    """Takes lines that are pairs to the end. Not thread-safe: one per stream."""

    def __init__(self, now: Callable[[], int] = now_ns) -> None:
        self._reader = RecordReader(now)

    def parse(self, lines: Sequence[str]) -> Sequence[Line | None]:
        self._reader.start_batch()
        return [self._one(line) for line in lines]

    def _one(self, line: str) -> Line | None:
        pairs = _pairs(line)
        if pairs is None or len(pairs) < 2 or _TELLING.isdisjoint(pairs):
            return None
        return self._reader.line(pairs, line)


def _pairs(line: str) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    end = 0
    while pair := _PAIR.match(line, end):
        key, quoted, bare = pair.groups()
        if len(found) == _MAX_PAIRS or key in found:
            return None
        found[key] = _unescaped(quoted) if bare is None else _typed(bare)
        end = pair.end()
    return None if line[end:].strip() else found


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda m: _PLAIN.get(m[1], m[1]), text)


def _typed(text: str) -> str | int | float | bool:
    """Numbers and booleans as such, so that `status:>=500` works on them.

    Only numbers that print back as they were written: `007` and `1e3` stay text.
    """
    if text in {"true", "false"}:
        return text == "true"
    if len(text) <= 18 and text[:1] in "-0123456789":
        for kind in (int, float):
            try:
                value = kind(text)
            except ValueError:
                continue
            if str(value) == text:
                return value
    return text


def _build(options: LogfmtOptions, context: BuildContext) -> LogfmtParser:
    return LogfmtParser()


SPEC = ParserSpec(
    name="logfmt",
    summary="Lines of key=value pairs with a level or a message among them.",
    options=LogfmtOptions,
    build=_build,
    priority=10,
)
