"""Words that every text has in which a regular expression is found.

Only what the expression says outright, between what ends a word: of
`/user=alice failed/`, that is `alice`. `user` may be the end of a longer word and
`failed` the begin of one.
"""

import re
from collections.abc import Iterator

from logstream.core.needs import WORD_CHARS
from logstream.query.folding import fold
from logstream.query.regexps import At, Chars, Group, Pattern, Repeat, Sequence

_MOST_CHARS = 300
"""Of a set that is looked at one by one."""
_UNKNOWN = "\0"
"""Stands for what may be anything, or nothing."""
_END = " "
"""Stands for the begin or the end of the text, and for what is in no word."""
_WHOLE = re.compile(rf"(?<![{WORD_CHARS}\0])[{WORD_CHARS}]+(?![{WORD_CHARS}\0])")


def words_of_pattern(pattern: Pattern) -> list[str]:
    """In order, each once, folded."""
    shown = _UNKNOWN + "".join(_shown(pattern)) + _UNKNOWN
    return list(dict.fromkeys(_WHOLE.findall(shown)))


def _shown(pattern: Pattern) -> Iterator[str]:
    """The text that it finds, as far as that is always the same."""
    match pattern:
        case Sequence(parts):
            for part in parts:
                yield from _shown(part)
        case Group(part) | Repeat(part, 1, 1):
            yield from _shown(part)
        case Chars():
            yield _character(pattern)
        case At("start" | "end"):
            yield _END
        case At():
            yield ""
        case _:
            yield _UNKNOWN


def _character(chars: Chars) -> str:
    count = sum(high - low + 1 for low, high in chars.ranges)
    if not 0 < count <= _MOST_CHARS:
        return _UNKNOWN
    folded = {
        fold(chr(code)) for low, high in chars.ranges for code in range(low, high + 1)
    }
    if len(folded) == 1:
        return folded.pop()
    is_word = any(re.match(f"[{WORD_CHARS}]", one) for one in folded)
    return _UNKNOWN if is_word else _END
