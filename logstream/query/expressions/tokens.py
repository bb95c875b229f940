"""Tokens of what stands in pipes: expressions, lists of names, options.

A name is letters, digits, `_`, `@` and dots, or anything in backticks; a text is in
double or single quotes, with the escapes of the filter language. Numbers may have a
unit: `5m` is a time span in seconds, `10MB` a size in bytes.
"""

import math
import re
from enum import Enum, auto
from typing import Final, NoReturn

import msgspec

from logstream.query.elsewhere import sign_hint
from logstream.query.lexer import syntax_error
from logstream.query.quoting import ESCAPES


class Mark(Enum):
    NAME = auto()
    TEXT = auto()
    NUMBER = auto()
    SPAN = auto()
    """A duration, in seconds."""
    SIGN = auto()
    """An operator or a bracket: its text says which."""
    END = auto()


class Piece(msgspec.Struct, frozen=True):
    mark: Mark
    start: int
    """Of its first character in the query text, from 0."""
    end: int
    text: str = ""
    """As written; of a name or a text in quotes, what is in them."""
    number: float = 0.0
    is_quoted: bool = False

    @property
    def shown(self) -> str:
        """For an error message: short, whatever was written."""
        if self.mark is Mark.END:
            return "the end of the query"
        return self.text if len(self.text) <= 40 else f"{self.text[:40]}…"


SPAN_UNITS: Final = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86_400 * 10**9,
    "w": 604_800 * 10**9,
}
"""In nanoseconds."""

MAX_SPAN_S = 5_200 * 604_800.0
"""About a hundred years: nanoseconds have to fit into 63 bits."""
_FINE_NS = 2**50
"""13 days: spans that long are of whole seconds. So a float holds each exactly, and it
is printed as what it was."""

SIZE_UNITS: Final = {
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}

_BLANKS = re.compile(r"\s*")
_NAME = re.compile(r"[^\W\d][\w]*(?:[.@/][\w@/]+)*|@[\w]+(?:\.[\w]+)*")
_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_SPAN = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|[smhdw]))+(?![\w.])")
_SPAN_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|[smhdw])")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([kKmMgGtT][iI]?[bB]|[bB])(?![\w.])")
_SIGN = r"<=|>=|!=|==|<>|!~|[-+*/%<>=~(),|\[\]!:]"
_USUAL = re.compile(rf"\s*(?:({_NAME.pattern})|({_SIGN})|(\d+)(?![\w.]))")
"""What most pieces are: a name, a sign, a whole number."""
_USUAL_MARKS = (Mark.NAME, Mark.SIGN, Mark.NUMBER)


def piece_at(text: str, start: int) -> Piece:
    """The piece that begins at or after `start`, behind blanks.

    Raises:
        QuerySyntaxError: an open quote, an unknown escape or character.
    """
    if found := _USUAL.match(text, start):
        index = found.lastindex or 0
        number = _finite(float(found[3]), found.start(3)) if index == 3 else 0.0
        return Piece(_USUAL_MARKS[index - 1], *found.span(index), found[index], number)
    found = _BLANKS.match(text, start)
    at = start if found is None else found.end()
    if at == len(text):
        return Piece(Mark.END, at, at)
    character = text[at]
    if character in "\"'`":
        return _quoted(text, at, character)
    if found := _SPAN.match(text, at):
        seconds = _seconds(found[0], at)
        return Piece(Mark.SPAN, at, found.end(), found[0], number=seconds)
    if found := _SIZE.match(text, at):
        size = _finite(float(found[1]) * SIZE_UNITS[found[2].lower()], at)
        return Piece(Mark.NUMBER, at, found.end(), found[0], number=size)
    if found := _NUMBER.match(text, at):
        number = _finite(float(found[0]), at)
        if re.match(r"\w", text[found.end() : found.end() + 1]):
            _fail(f"no unit of time or size follows {found[0]} here", found.end())
        return Piece(Mark.NUMBER, at, found.end(), found[0], number=number)
    return _fail(f"{character!r} has no meaning here{sign_hint(character)}", at)


def _seconds(text: str, at: int) -> float:
    parts = _SPAN_PART.findall(text)
    ns = sum(float(number) * SPAN_UNITS[unit] for number, unit in parts)
    if ns > MAX_SPAN_S * 1e9:
        _fail("a span of time is at most 5200w long", at)
    return round(ns) / 1e9 if ns < _FINE_NS else float(round(ns / 1e9))


def _finite(number: float, at: int) -> float:
    if not math.isfinite(number):
        _fail("this number is too large", at)
    return number


def bare_name(text: str) -> bool:
    """Whether a name may stand without backticks."""
    return _NAME.fullmatch(text) is not None


def _quoted(text: str, start: int, quote: str) -> Piece:
    pieces: list[str] = []
    at = start + 1
    while at < len(text):
        character = text[at]
        if character == quote:
            mark = Mark.NAME if quote == "`" else Mark.TEXT
            if mark is Mark.NAME and not pieces:
                _fail("expected a name between the backticks", start)
            inner = "".join(pieces)
            return Piece(mark, start, at + 1, inner, is_quoted=True)
        if character != "\\":
            pieces.append(character)
            at += 1
            continue
        after = text[at + 1 : at + 2]
        if not after:
            break
        if after.isascii() and after.isalnum() and after not in ESCAPES:
            _fail(f"'\\{after}' means nothing: write '\\\\' for a backslash", at)
        pieces.append(ESCAPES.get(after, after))
        at += 2
    return _fail(f"expected a closing {quote} for this one", start)


def _fail(message: str, at: int) -> NoReturn:
    raise syntax_error(message, at)
