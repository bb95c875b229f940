"""The cursor: where a parser of pipes stands in the text."""

import re
from collections.abc import Iterator
from typing import NoReturn

from logstream.config.nearest import nearest
from logstream.query.expressions.nodes import KEYWORDS, span_text
from logstream.query.expressions.tokens import MAX_SPAN_S, Mark, Piece, piece_at
from logstream.query.lexer import syntax_error
from logstream.query.limits import could_be_long
from logstream.query.nodes import Expr
from logstream.query.parser import parse_prefix

MAX_NODES = 1_000
"""Of all expressions of a query."""
MAX_DEPTH = 60
"""Of brackets, signs in front and sub-queries; a dozen Python frames for each."""

_RAW = re.compile(r"""\s*(["'])((?:(?!\1)[^\\]|\\.)*)\1""", re.DOTALL)
_RAW_QUOTE = re.compile(r"""\\\\|\\(["'])""")
_ANY_QUOTE = re.compile(r'\\.|"', re.DOTALL)
_BLANKS = re.compile(r"\s*")
_OVER = re.compile(r"\s*(?:\Z|[|)])")


def raw_quoted(text: str) -> str:
    """What `Cursor.raw_text` reads as this."""
    return f'"{_ANY_QUOTE.sub(_with_backslash, text)}"'


def _with_backslash(found: re.Match[str]) -> str:
    return '\\"' if found[0] == '"' else found[0]


_Place = tuple[int, int, Piece | None]


class Cursor:
    """Reads pieces one by one; the text of filters in between is for `parse_prefix`."""

    def __init__(self, text: str, at: int = 0) -> None:
        self.text = text
        self._at = at
        self._depth = 0
        self._deepest = 0
        self._nodes = 0
        self._here: Piece | None = None
        self._last: Piece | None = None
        self._asked: dict[int, set[str]] = {}
        """Words that could have stood where another one does, by its offset."""

    @property
    def here(self) -> Piece:
        """The piece that is next."""
        if self._here is None:
            self._here = piece_at(self.text, self._at)
        return self._here

    def next(self) -> Piece:
        piece = self.here
        self._at = piece.end
        self._here = None
        self._last = piece
        return piece

    def mark(self) -> _Place:
        """To come back to by `back`."""
        return self._at, self._depth, self._last

    def back(self, mark: _Place) -> None:
        self._at, self._depth, self._last = mark
        self._here = None

    def sees(self, *signs: str) -> bool:
        here = self._here or self.here
        return here.mark is Mark.SIGN and here.text in signs

    def accept(self, sign: str) -> bool:
        here = self._here or self.here
        if here.mark is not Mark.SIGN or here.text != sign:
            return False
        self._at, self._here = here.end, None
        return True

    def expect(self, sign: str) -> Piece:
        if not self.sees(sign):
            self.expected(f"'{sign}'")
        return self.next()

    def sees_word(self, *words: str) -> bool:
        """A bare word, in any case."""
        here = self._here or self.here
        if here.mark is not Mark.NAME or here.is_quoted:
            return False
        if here.text.lower() in words:
            return True
        self._asked.setdefault(here.start, set()).update(words)
        return False

    def sees_name(self) -> bool:
        here = self.here
        is_keyword = not here.is_quoted and here.text.lower() in KEYWORDS
        return here.mark is Mark.NAME and not is_keyword

    def accept_word(self, *words: str) -> bool:
        if not self.sees_word(*words):
            return False
        self.next()
        return True

    def accept_option(self, word: str) -> bool:
        """`limit=`, as SPL has it, or `limit` with a number behind: where a name may
        stand too.
        """
        start = self.mark()
        if self.accept_word(word) and (
            self.accept("=") or self.here.mark in (Mark.NUMBER, Mark.SPAN)
        ):
            return True
        self.back(start)
        return False

    def options(self, *words: str) -> Iterator[str]:
        """Those of the words that stand here, in any order, with or without `=` behind;
        who gets one reads its value.
        """
        found: set[str] = set()
        while self.sees_word(*words):
            here = self.next()
            word = here.text.lower()
            if word in found:
                self.fail(f"{word} stands here twice", here)
            found.add(word)
            self.accept("=")
            yield word

    def expect_word(self, word: str) -> None:
        if not self.accept_word(word):
            self.expected(word)

    def at_end(self) -> bool:
        """Whether the pipe is over."""
        return self.here.mark is Mark.END or self.sees("|", ")")

    def is_over(self) -> bool:
        """The same, where what follows may be no piece: a filter begins with more."""
        return _OVER.match(self.text, self._at) is not None

    def name(self, what: str = "a name") -> str:
        """A name; one in double quotes will do, where no text can stand."""
        here = self.here
        is_keyword = not here.is_quoted and here.text.lower() in KEYWORDS
        if here.mark not in (Mark.NAME, Mark.TEXT) or is_keyword or not here.text:
            self.expected(what)
        return self.next().text

    def names(self, what: str = "a name") -> tuple[str, ...]:
        """One or more, with commas between."""
        found = [self.name(what)]
        while self.accept(","):
            found.append(self.name(what))
        return tuple(found)

    def names_in_brackets(self) -> tuple[str, ...]:
        """The same, with or without brackets around."""
        if not self.accept("("):
            return self.names()
        found = self.names()
        self.expect(")")
        return found

    def whole(self, what: str, *, least: int = 0, most: int = 10**9) -> int:
        """A whole number."""
        here = self.here
        if here.mark is not Mark.NUMBER or not here.number.is_integer():
            self.expected(what)
        if not least <= here.number <= most:
            self.fail(f"expected {what} from {least} to {most}")
        return int(self.next().number)

    def text_of(self, what: str) -> str:
        if self.here.mark is not Mark.TEXT:
            self.expected(what)
        return self.next().text

    def raw_text(self, what: str) -> str:
        """A text in quotes in which a backslash means nothing but in front of a quote,
        as in a regular expression; `raw_quoted` writes it.
        """
        found = _RAW.match(self.text, self._at)
        if found is None:
            self.expected(f"{what} in quotes")
        self._at = found.end()
        self._here = None
        return _RAW_QUOTE.sub(lambda one: one[1] or one[0], found[2])

    def span(self, what: str, *, most: float = MAX_SPAN_S) -> float:
        """A duration above zero, in seconds."""
        here = self.here
        if here.mark is not Mark.SPAN or here.number < 1e-9:
            self.expected(f"{what}, such as 5m or 1h")
        if here.number > most:
            self.fail(f"{what} is at most {span_text(most)} long")
        return self.next().number

    def filter(self) -> Expr:
        """A filter, up to a `|`, the `)` that ends it, or the end."""
        expr, self._at = parse_prefix(self.text, self._at)
        self._here = None
        return expr

    @property
    def is_near_a_limit(self) -> bool:
        """Whether what was read, written out in full, could be over a limit."""
        return (
            could_be_long(self.text)
            or self._nodes > MAX_NODES // 4
            or self._deepest > MAX_DEPTH // 4
        )

    def enter(self) -> None:
        self._depth += 1
        self._deepest = max(self._deepest, self._depth)
        if self._depth > MAX_DEPTH:
            self.fail(f"at most {MAX_DEPTH} brackets and signs inside each other")

    def leave(self) -> None:
        self._depth -= 1

    def count(self) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self.fail(f"a query has at most {MAX_NODES} names, values and signs")

    def expected(self, what: str) -> NoReturn:
        meant = "" if self.near(self.here) == what else self.meant()
        self.fail(f"expected {what}, found {self.here.shown}{meant}")

    def meant(self) -> str:
        """The end of an error message: which word what stands here was meant as, or
        that right before it, which was taken for a name.
        """
        if near := self.near(self.here):
            return f": did you mean {near}?"
        last = self._last
        if last is None or self.text[last.end : self.here.start].strip():
            return ""
        near = self.near(last)
        return f": did you mean {near} instead of {last.shown}?" if near else ""

    def near(self, piece: Piece) -> str | None:
        """Which of the words that could have stood there is nearest."""
        asked = self._asked.get(piece.start, set())
        if (
            piece.mark is not Mark.NAME
            or piece.is_quoted
            or piece.text.lower() in asked
        ):
            return None
        return nearest(piece.text, asked)

    def fail(self, message: str, at: Piece | None = None) -> NoReturn:
        raise syntax_error(message, (at or self.here).start)

    def fail_here(self, message: str) -> NoReturn:
        """The same, of what may not be read as a piece."""
        blanks = _BLANKS.match(self.text, self._at)
        raise syntax_error(message, blanks.end() if blanks else self._at)
