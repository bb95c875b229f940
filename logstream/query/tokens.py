"""Tokens: what the lexer hands to the parser."""

from enum import Enum, auto

import msgspec

from logstream.query.glob import Glob


class Kind(Enum):
    WORD = auto()
    """Bare, or in quotes."""
    COLON = auto()
    COMPARE = auto()
    """`> >= < <= =`, after a colon."""
    OPEN = auto()
    """`[` or `{` of a range."""
    CLOSE = auto()
    TO = auto()
    """Inside a range."""
    REGEX = auto()
    """`/…/`, with its flags."""
    TILDE = auto()
    """After a colon: a regular expression follows, as a word."""
    IN = auto()
    """`in(` of a list, after a colon."""
    COMMA = auto()
    """Inside a list."""
    LEFT = auto()
    RIGHT = auto()
    MINUS = auto()
    AND = auto()
    OR = auto()
    NOT = auto()
    END = auto()
    """Of the filter: its text is empty, `|` or `)`."""


class Token(msgspec.Struct, frozen=True):
    kind: Kind
    start: int
    """Of its first character in the query text, from 0."""
    end: int
    """Of the character after its last."""
    text: str = ""
    """As written."""
    glob: Glob = Glob(())
    """Of a word: what it stands for, wildcards and all."""
    plain: str = ""
    """Of a word: its text, with wildcards standing for themselves. Of a regular
    expression: its pattern."""
    flags: str = ""
    """Of a regular expression."""

    @property
    def shown(self) -> str:
        """For an error message: short, whatever was written."""
        if self.kind is Kind.END and not self.text:
            return "the end of the query"
        return self.text if len(self.text) <= 40 else f"{self.text[:40]}…"
