"""A regular expression run in Python, in time that grows with the text and no faster.

Python's `re` backtracks: one hostile pattern stops the process. Here all ways through a
pattern are walked at once, and what was found of a set of ways and a character is kept:
after a few characters a step is one look into a dict (about 60 ns).
"""

from bisect import bisect_right
from typing import Final, assert_never

from logstream.query.regexps import (
    At,
    Chars,
    Choice,
    Group,
    Pattern,
    Ranges,
    Repeat,
    Sequence,
)

_MAX_KEPT = 20_000
"""Steps that one automaton remembers; then it forgets them all."""

_START: Final = 0
_OTHER: Final = 1
_WORD: Final = 2
"""What stands before: nothing, a character, or one of a word."""

_Set = frozenset[int]
_State = tuple[_Set, int]


class Automaton:
    """Whether a pattern is found in a text. Thread-safe: to what is kept is only ever
    added, or it is begun anew.
    """

    def __init__(self, pattern: Pattern) -> None:
        self._steps: list[tuple[str, object, tuple[int, ...]]] = []
        self._accept = self._add("accept", None, ())
        self._first = self._build(pattern, self._accept)
        self._kept: dict[tuple[_State, str], _State | None] = {}

    def finds(self, text: str) -> bool:
        kept = self._kept
        state: _State = (frozenset((self._first,)), _START)
        for character in text:
            key = (state, character)
            try:
                after = kept[key]
            except KeyError:
                after = self._after(state, character)
                if len(kept) > _MAX_KEPT:
                    self._kept = kept = {}
                kept[key] = after
            if after is None:
                return True
            state = after
        return self._accept in self._reached(state, "")

    def _after(self, state: _State, character: str) -> _State | None:
        """None: a match ends before the character."""
        reached = self._reached(state, character)
        if self._accept in reached:
            return None
        code = ord(character)
        found = {self._first}
        for at in reached:
            kind, given, onward = self._steps[at]
            if kind == "chars" and _holds(given, code):
                found.update(onward)
        return frozenset(found), _WORD if _is_word(character) else _OTHER

    def _reached(self, state: _State, following: str) -> set[int]:
        """All steps to be had without a character, at this place."""
        todo, before = list(state[0]), state[1]
        found = set(todo)
        while todo:
            kind, given, onward = self._steps[todo.pop()]
            if kind == "chars" or (
                kind == "at" and not _is_at(given, before, following)
            ):
                continue
            fresh = [step for step in onward if step not in found]
            found.update(fresh)
            todo.extend(fresh)
        return found

    def _build(self, pattern: Pattern, then: int) -> int:
        match pattern:
            case Chars(ranges):
                return self._add("chars", _flat(ranges), (then,))
            case At(place):
                return self._add("at", place, (then,))
            case Sequence(parts):
                for part in reversed(parts):
                    then = self._build(part, then)
                return then
            case Choice(parts):
                ways = tuple(self._build(part, then) for part in parts)
                return self._add("fork", None, ways)
            case Repeat(part, least, most):
                return self._repeat(part, least, most, then)
            case Group(part):
                return self._build(part, then)
            case _:
                assert_never(pattern)

    def _repeat(self, part: Pattern, least: int, most: int | None, then: int) -> int:
        if most is None:
            loop = self._add("fork", None, ())
            self._steps[loop] = ("fork", None, (self._build(part, loop), then))
            then = loop
        else:
            end = then
            for _ in range(most - least):
                then = self._add("fork", None, (self._build(part, then), end))
        for _ in range(least):
            then = self._build(part, then)
        return then

    def _add(self, kind: str, given: object, onward: tuple[int, ...]) -> int:
        self._steps.append((kind, given, onward))
        return len(self._steps) - 1


def _flat(ranges: Ranges) -> list[int]:
    """Where being in it begins and ends, in turn."""
    return [edge for low, high in ranges for edge in (low, high + 1)]


def _holds(edges: object, code: int) -> bool:
    assert isinstance(edges, list)
    return bisect_right(edges, code) % 2 == 1


def _is_at(place: object, before: int, following: str) -> bool:
    match place:
        case "start":
            return before == _START
        case "end":
            return not following
        case _:
            edge = (before == _WORD) != _is_word(following)
            return edge == (place == "boundary")


def _is_word(character: str) -> bool:
    return character == "_" or (character.isascii() and character.isalnum())
