"""The known word that a misspelt one probably meant."""

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The nearest of `known`, in its own spelling; None when none is near.

    Case and the choice between `-` and `_` do not count. The same arguments always
    give the same answer, whatever order `known` comes in.
    """
    by_folded = {_fold(candidate): candidate for candidate in sorted(known)}
    found = difflib.get_close_matches(_fold(word), sorted(by_folded), n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of an error message: `: did you mean 'port'?`, or nothing."""
    found = nearest(word, known)
    return f": did you mean {found!r}?" if found else ""


def _fold(word: str) -> str:
    return word.lower().replace("-", "_")
