r"""Patterns that can take exponential time, found before they are run.

Python's `re` holds the interpreter's lock while it searches, so a search that does not
end stops every thread of the process, and no time-out in it can help. What is looked
for is the usual cause: a repeat, with no upper bound, of a part that holds another such
repeat, where nothing tells one round from the next, as in `(\w+\s?)*` or `(.*,)*`.
`(\w+=\S+ )*` is fine: the blank can be in neither of the inner repeats. So is `++`.

Found by example, not by proof: alternatives that overlap, `(a|ab|b)*`, pass.
"""

import re
import string
from collections.abc import Iterable, Iterator
from re import _constants as op  # type: ignore[attr-defined]  # no stub has it
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

MANY = 16
"""A repeat of up to fewer rounds is bounded well enough."""

_SAMPLES = string.printable
_CATEGORIES = {
    op.CATEGORY_DIGIT: r"\d",
    op.CATEGORY_NOT_DIGIT: r"\D",
    op.CATEGORY_SPACE: r"\s",
    op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w",
    op.CATEGORY_NOT_WORD: r"\W",
}
_BACKTRACKING = (op.MAX_REPEAT, op.MIN_REPEAT)
_REPEATS = (*_BACKTRACKING, op.POSSESSIVE_REPEAT)
_CHARACTERS = (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN)


def may_explode(pattern: str) -> bool:
    """Whether a part was found that can take exponential time.

    Args:
        pattern: Compiles.
    """
    for body in _unbounded(parser.parse(pattern)):
        inner = [_characters(repeated) for repeated in _unbounded(body, giving=True)]
        if not inner:
            continue
        taken = set().union(*inner)
        if not any(taken.isdisjoint(fixed) for fixed in _fixed(body)):
            return True
    return False


def _unbounded(items: Iterable[Any], *, giving: bool = False) -> Iterator[Any]:
    """Bodies of all repeats that backtrack and have no upper bound, at any depth.

    Args:
        items: A parsed pattern, or a body in it.
        giving: Only those that can give something back to what stands around `items`,
            which an atomic group and a possessive repeat do not let happen.
    """
    for code, argument in items:
        if code in _BACKTRACKING and argument[1] >= MANY:
            yield argument[2]
        if not giving or code not in (op.ATOMIC_GROUP, op.POSSESSIVE_REPEAT):
            for body in _bodies(code, argument):
                yield from _unbounded(body, giving=giving)


def _bodies(code: Any, argument: Any) -> list[Any]:
    if code in _REPEATS:
        return [argument[2]]
    if code is op.SUBPATTERN:
        return [argument[-1]]
    if code is op.BRANCH:
        return list(argument[1])
    if code is op.ATOMIC_GROUP:
        return [argument]
    if code in (op.ASSERT, op.ASSERT_NOT):
        return [argument[1]]
    return []


def _characters(items: Iterable[Any]) -> set[str]:
    """Characters that a body can hold, out of the printable ones."""
    found: set[str] = set()
    for code, argument in items:
        if code in _CHARACTERS:
            found |= _matching(code, argument)
        for body in _bodies(code, argument):
            found |= _characters(body)
    return found


def _fixed(items: Iterable[Any]) -> Iterator[set[str]]:
    """For each place that takes exactly one character in every round: which ones."""
    for code, argument in items:
        if code in _CHARACTERS:
            yield _matching(code, argument)
        elif code is op.SUBPATTERN:
            yield from _fixed(argument[-1])
        elif code is op.ATOMIC_GROUP:
            yield from _fixed(argument)
        elif code in _REPEATS and argument[0] >= 1 and argument[1] < MANY:
            yield from _fixed(argument[2])


def _matching(code: Any, argument: Any) -> set[str]:
    if code is op.LITERAL:
        return {chr(argument)}
    if code is op.NOT_LITERAL:
        return set(_SAMPLES) - {chr(argument)}
    if code is op.ANY:
        return set(_SAMPLES) - {"\n"}
    found: set[str] = set()
    for kind, value in argument:
        if kind is op.LITERAL:
            found.add(chr(value))
        elif kind is op.RANGE:
            found.update(chr(one) for one in range(value[0], min(value[1], 0x17F) + 1))
        elif kind is op.CATEGORY:
            found.update(re.findall(_CATEGORIES[value], _SAMPLES))
    negated = argument[0][0] is op.NEGATE
    return set(_SAMPLES) - found if negated else found
