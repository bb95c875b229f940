r"""What a word finds in a message: the rule, as a pattern for RE2 and for Python.

A word stands alone: next to its first and last character, where those are letters a-z,
digits or `_`, no other such may stand. `error` finds `Error:` and not `terrorist`. A
`*` at an end lifts the rule there; inside, it is any run of characters without a blank.
Everything here is of folded text.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec

from logstream.query.glob import Glob, Part, Wild

_KEPT = 512
"""Globs: a query asks for the words of each several times."""
_WORD: Final = "[a-z0-9_]"
_NOT_BLANK: Final = r"[^ \t\n\r\f\v]"


class Words(msgspec.Struct, frozen=True):
    """A folded glob, cut into what the search for it needs."""

    runs: tuple[tuple[Part, ...], ...]
    """Between the `*`s: pieces of text and `?`s. At least one."""
    bounded_left: bool
    bounded_right: bool
    needle: str
    """The longest piece of text: what every match contains."""

    @property
    def is_plain(self) -> bool:
        """Whether to contain `needle` is all there is to it."""
        return self.runs == ((self.needle,),) and not (
            self.bounded_left or self.bounded_right
        )

    def re2(self) -> str:
        """For DuckDB's `regexp_matches`, which is linear whatever the pattern."""
        inner = f"{_NOT_BLANK}*".join(map(_pattern, self.runs))
        left = f"(?:^|[^{_WORD[1:]})" if self.bounded_left else ""
        right = f"(?:$|[^{_WORD[1:]})" if self.bounded_right else ""
        return f"{left}{inner}{right}"

    def python(self) -> re.Pattern[str]:
        """For `search`. Linear too: what follows a `*` is taken where it comes first.

        With a `*` inside, a search starts only where a run of no blanks starts, and
        never takes back (`(?>…)`): if the first place for a piece leads nowhere, no
        later one in the same run does.
        """
        left = f"(?<!{_WORD})" if self.bounded_left else ""
        right = f"(?!{_WORD})" if self.bounded_right else ""
        patterns = [_pattern(run) for run in self.runs]
        patterns[0] = left + patterns[0]
        patterns[-1] += right
        if len(patterns) == 1:
            return re.compile(patterns[0])
        steps = "".join(f"(?>{_NOT_BLANK}*?{pattern})" for pattern in patterns)
        return re.compile(rf"(?:\A|(?<=[ \t\n\r\f\v])){steps}")


@lru_cache(_KEPT)
def words_of(glob: Glob) -> Words:
    """Cut a folded glob, one of at least one character, at its `*`s."""
    runs: list[list[Part]] = [[]]
    for part in glob.parts:
        if part is Wild.ANY:
            runs.append([])
        else:
            runs[-1].append(part)
    return Words(
        tuple(tuple(run) for run in runs if run),
        bounded_left=bool(runs[0]) and _is_edge(runs[0][0], 0),
        bounded_right=bool(runs[-1]) and _is_edge(runs[-1][-1], -1),
        needle=max(
            (part for part in glob.parts if isinstance(part, str)), key=len, default=""
        ),
    )


def either_of(words: Sequence[Words]) -> str:
    """For RE2, what finds one of these, none of which has a wildcard inside."""
    groups: dict[tuple[bool, bool], dict[str, None]] = {}
    for one in words:
        ends = (one.bounded_left, one.bounded_right)
        groups.setdefault(ends, {})[escape(one.needle)] = None
    return "|".join(
        (f"(?:^|[^{_WORD[1:]})" if left else "")
        + f"(?:{'|'.join(texts)})"
        + (f"(?:$|[^{_WORD[1:]})" if right else "")
        for (left, right), texts in groups.items()
    )


def escape(text: str) -> str:
    """`text` as a pattern, in what RE2 and Python both take."""
    if text.isalnum():
        return text
    return "".join(
        "\\" + c if c.isascii() and c.isprintable() and not c.isalnum() else c
        for c in text
    )


def _is_edge(part: Part, index: int) -> bool:
    return part is Wild.ONE or bool(re.match(_WORD, str(part)[index]))


def _pattern(run: Sequence[Part]) -> str:
    return "".join(
        _NOT_BLANK if isinstance(part, Wild) else escape(part) for part in run
    )
