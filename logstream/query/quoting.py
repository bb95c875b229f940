"""How canonical query text is written: what may stand bare, what is quoted."""

import re

from logstream.core.errors import BadRequest

KEYWORDS = frozenset({"AND", "OR", "NOT", "TO"})

ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
"""Letter after a backslash → character. Punctuation stands for itself; any other
letter or digit is an error, so that it can get a meaning later."""

_ESCAPED = {character: "\\" + letter for letter, character in ESCAPES.items()}
_BARE = re.compile(r"[A-Za-z0-9_.@%+#$][A-Za-z0-9_./@%+#$-]*")
"""Not with a slash in front, which may begin a regular expression."""
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")


def check_text(text: str) -> str:
    """Return `text`.

    Raises:
        BadRequest: it holds what no stored text can: NUL, or half a surrogate pair.
    """
    if offset_of_broken(text) is not None:
        raise BadRequest("A query cannot hold NUL or half of a surrogate pair.")
    return text


def offset_of_broken(text: str) -> int | None:
    found = _NOT_TEXT.search(text)
    return None if found is None else found.start()


def quoted(text: str) -> str:
    """`text` in double quotes."""
    inner = text.replace("\\", "\\\\").replace('"', '\\"')
    for character, escape in _ESCAPED.items():
        inner = inner.replace(character, escape)
    return f'"{inner}"'


def word(text: str) -> str:
    """`text` bare if it can be, else in quotes."""
    if _BARE.fullmatch(text) and text not in KEYWORDS:
        return text
    return quoted(text)


def escaped(text: str) -> str:
    """`text` for use between wildcards, where quotes cannot be."""
    return "".join(_escaped_character(character) for character in text)


def _escaped_character(character: str) -> str:
    if character in _ESCAPED:
        return _ESCAPED[character]
    if character.isascii():
        return character if _BARE.fullmatch("a" + character) else "\\" + character
    return "\\" + character if character.isspace() else character
