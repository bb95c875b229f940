r"""Text to tokens.

What a character means depends on where it stands, in one of three modes:

- text: a term may begin. `( ) " :` and blanks end a word; `-` before a word negates.
- value: right after `field:` or a comparison. `:` and `-` are ordinary, so that
  `url:http://a:80/` and `t:-5` need no quotes; `> >= < <= =` compare, and `[` or `{`
  opens a range.
- range: inside the brackets. `]` and `}` end a word.
- group, `field:(…)`: each word is a value, and AND, OR, NOT and `-` are what they are
  in text. List, `field:in(…)`: commas and blanks end a word, and nothing else has a
  meaning.

`/…/` where a term or value may begin is a regular expression, if the first `/` that no
backslash is before ends it: a blank, `)`, `|` or the end follows, or `i` and `s` do.
So `/api/*/users` and `/var/log` are words. With a blank next to a slash inside, or a
colon before the last one, it is none either: `path:/ url:/` are two values.

A backslash takes the meaning from the punctuation after it, in and out of quotes;
`\n`, `\t` and `\r` are the usual three.

A filter ends at a `|` outside of quotes, or at a `)` that closes nothing: what follows
is not looked at, for it may be another language.
"""

import re
from collections.abc import Sequence
from typing import Final, NoReturn

from logstream.core.errors import QuerySyntaxError
from logstream.query.glob import Glob, Part, Wild, glob_of
from logstream.query.quoting import ESCAPES
from logstream.query.tokens import Kind, Token

_KEYWORDS = {"AND": Kind.AND, "OR": Kind.OR, "NOT": Kind.NOT}
_BEFORE_VALUES: Final = (Kind.COLON, Kind.COMPARE, Kind.TILDE)
_SINGLE = {"(": Kind.LEFT, ")": Kind.RIGHT}
_STOPS_TEXT: Final = '()":|'
_STOPS_VALUE: Final = '()"|'
_STOPS_RANGE: Final = ']}"|'
_STOPS_LIST: Final = ',()"|'
_PLAIN: Final = {
    stops: re.compile(rf"[^\s\\*?{re.escape(stops)}]+")
    for stops in (_STOPS_TEXT, _STOPS_VALUE, _STOPS_RANGE, _STOPS_LIST)
}
_USUAL: Final = re.compile(r"(\w[\w.]*)(?::(\w[\w.-]*))?(?=[\s)|]|\Z)")
"""A word, or a field and its value, as most are."""
_GO_ON: Final = ("\\", "*", "?")
"""What a word goes on with behind plain text."""
_REGEX: Final = re.compile(
    r"/(?!\s)((?:[^/\\]|\\.)+)(?<!\s)/([is]*)(?=[\s)|]|\Z)", re.DOTALL
)


def syntax_error(message: str, offset: int) -> QuerySyntaxError:
    return QuerySyntaxError(f"{message} (character {offset + 1})", offset=offset)


def tokenize(text: str, start: int = 0) -> list[Token]:
    """The tokens of a filter; the last one is END, where it ends.

    Raises:
        QuerySyntaxError: an open quote, an unknown escape, a reserved character.
    """
    return _Lexer(text, start).run()


class _Lexer:
    def __init__(self, text: str, start: int) -> None:
        self._text = text
        self._at = start
        self._tokens: list[Token] = []
        self._in_range = False
        self._in_list = False
        self._open = 0
        """Parentheses that are."""
        self._group_at: int | None = None
        """How many were, when a group was opened."""

    def run(self) -> list[Token]:
        while True:
            gap = self._skip_blanks()
            if self._ends_here():
                self._add(Kind.END, min(self._at + 1, len(self._text)))
                return self._tokens
            if not self._usual(gap=gap):
                self._next(gap=gap)

    def _usual(self, *, gap: bool) -> bool:
        """Take a term of the usual kind, where one may begin: in half the time."""
        if self._in_range or self._in_list or self._group_at is not None:
            return False
        if not gap and self._tokens and self._tokens[-1].kind in _BEFORE_VALUES:
            return False
        found = _USUAL.match(self._text, self._at)
        if found is None:
            return False
        name, value = found.groups()
        if value is None:
            kind = _KEYWORDS.get(name)
            self._tokens.append(
                _plain_word(name, self._at)
                if kind is None
                else Token(kind, self._at, found.end(), name)
            )
        else:
            colon = found.end(1)
            self._tokens += (
                _plain_word(name, self._at),
                Token(Kind.COLON, colon, colon + 1, ":"),
                _plain_word(value, colon + 1),
            )
        self._at = found.end()
        return True

    def _ends_here(self) -> bool:
        character = self._text[self._at : self._at + 1]
        if character == ")" and not self._in_range:
            return self._open == 0
        return character in ("", "|")

    def _next(self, *, gap: bool) -> None:
        last = self._tokens[-1].kind if self._tokens else Kind.END
        character = self._text[self._at]
        if character == '"':
            self._quoted()
        elif self._in_range:
            self._range(character)
        elif self._in_list:
            self._list(character)
        elif last in (Kind.COMPARE, Kind.TILDE) and not gap:
            self._value(character)
        elif last is Kind.COLON and not gap:
            self._after_colon(character)
        elif character == "/" and self._regex():
            pass
        else:
            self._term(character)

    def _term(self, character: str) -> None:
        if character in _SINGLE:
            self._parenthesis(character)
        elif character == "-" and self._negates():
            self._add(Kind.MINUS, self._at + 1)
        elif self._group_at is not None:
            if not self._operator(character):
                self._word(_STOPS_VALUE, keywords=_KEYWORDS)
        elif character == ":":
            self._add(Kind.COLON, self._at + 1)
        else:
            self._word(_STOPS_TEXT, keywords=_KEYWORDS)

    def _parenthesis(self, character: str) -> None:
        self._open += 1 if character == "(" else -1
        if self._group_at == self._open:
            self._group_at = None
        self._add(_SINGLE[character], self._at + 1)

    def _negates(self) -> bool:
        after = self._text[self._at + 1 : self._at + 2]
        return bool(after) and not after.isspace() and after != ")"

    def _after_colon(self, character: str) -> None:
        if character == "(":
            if self._group_at is None:
                self._group_at = self._open
            self._parenthesis(character)
        elif self._text.startswith("in(", self._at):
            self._open += 1
            self._in_list = True
            self._add(Kind.IN, self._at + 3)
        elif not self._operator(character) and not (character == "/" and self._regex()):
            self._value(character)

    def _operator(self, character: str) -> bool:
        """What may stand before a value, or be one: `>=`, `[`, `~`."""
        if character in "<>=":
            wide = character != "=" and self._text.startswith("=", self._at + 1)
            self._add(Kind.COMPARE, self._at + (2 if wide else 1))
        elif character in "[{":
            self._in_range = True
            self._add(Kind.OPEN, self._at + 1)
        elif character == "~":
            self._add(Kind.TILDE, self._at + 1)
        else:
            return False
        return True

    def _regex(self) -> bool:
        found = _REGEX.match(self._text, self._at)
        if found is None:
            return False
        pattern, flags = found.groups()
        blank = any(character.isspace() for character in pattern)
        if blank and pattern.endswith((":", "(", "=")):
            return False
        plain = re.sub(r"\\(.)", _unescaped_slash, pattern, flags=re.DOTALL)
        self._tokens.append(
            Token(
                Kind.REGEX,
                self._at,
                found.end(),
                text=self._text[self._at : found.end()],
                plain=plain,
                flags=flags,
            )
        )
        self._at = found.end()
        return True

    def _list(self, character: str) -> None:
        if character == ")":
            self._in_list = False
            self._parenthesis(character)
        elif character == ",":
            self._add(Kind.COMMA, self._at + 1)
        elif character == "(":
            self._add(Kind.LEFT, self._at + 1)
        else:
            self._word(_STOPS_LIST, keywords={})

    def _value(self, character: str) -> None:
        if character in "()":
            self._term(character)
        else:
            self._word(_STOPS_VALUE, keywords={})

    def _range(self, character: str) -> None:
        if character in "]}":
            self._in_range = False
            self._add(Kind.CLOSE, self._at + 1)
        else:
            self._word(_STOPS_RANGE, keywords={"TO": Kind.TO})

    def _word(self, stops: str, *, keywords: dict[str, Kind]) -> None:
        start = self._at
        plain = _PLAIN[stops].match(self._text, start)
        end = start if plain is None else plain.end()
        if plain is not None and self._text[end : end + 1] not in _GO_ON:
            parts: list[Part] = [plain[0]]
            self._at = end
        else:
            parts = self._parts(stops)
        names_a_field = ":" in stops and self._text.startswith(":", self._at)
        kind = keywords.get(self._text[start : self._at])
        end, self._at = self._at, start
        if kind is not None and not names_a_field:
            self._add(kind, end)
        else:
            self._add(Kind.WORD, end, parts=parts)

    def _parts(self, stops: str) -> list[Part]:
        """Of a word: texts, wildcards and what is escaped."""
        parts: list[Part] = []
        while self._at < len(self._text):
            character = self._text[self._at]
            if character.isspace() or character in stops:
                break
            if character == "\\":
                parts.append(self._escape())
                continue
            if character in "*?":
                parts.append(Wild(character))
                self._at += 1
                continue
            plain = _PLAIN[stops].match(self._text, self._at)
            assert plain is not None
            parts.append(plain[0])
            self._at = plain.end()
        return parts

    def _quoted(self) -> None:
        start = self._at
        pieces: list[str] = []
        self._at += 1
        while self._at < len(self._text):
            character = self._text[self._at]
            if character == '"':
                end, self._at = self._at + 1, start
                self._add(Kind.WORD, end, parts=pieces)
                return
            if character == "\\":
                pieces.append(self._escape())
            else:
                pieces.append(character)
                self._at += 1
        self._at = start
        self._fail("expected a closing '\"' for this one")

    def _escape(self) -> str:
        after = self._text[self._at + 1 : self._at + 2]
        if not after:
            self._fail("expected a character after '\\'")
        if after.isascii() and after.isalnum() and after not in ESCAPES:
            self._fail(f"'\\{after}' means nothing: write '\\\\' for a backslash")
        self._at += 2
        return ESCAPES.get(after, after)

    def _skip_blanks(self) -> bool:
        start = self._at
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1
        return self._at > start

    def _add(self, kind: Kind, end: int, *, parts: Sequence[Part] = ()) -> None:
        text = self._text[self._at : end]
        if not parts:
            token = Token(kind, self._at, end, text)
        else:
            plain = [p.value if isinstance(p, Wild) else p for p in parts]
            glob = glob_of(*parts)
            token = Token(kind, self._at, end, text, glob, "".join(plain))
        self._tokens.append(token)
        self._at = end

    def _fail(self, message: str) -> NoReturn:
        raise syntax_error(message, self._at)


def _plain_word(text: str, start: int) -> Token:
    return Token(Kind.WORD, start, start + len(text), text, Glob((text,)), text)


def _unescaped_slash(escape: re.Match[str]) -> str:
    return "/" if escape[1] == "/" else escape[0]
