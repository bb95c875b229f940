"""Texts that are alike but for single words, as one: `logstream.query.templates`."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

from logstream.query import templates as rules
from logstream.query.varying import MOST_CHARS, VARYING

_VARYING = [(re.compile(pattern, re.ASCII), name) for pattern, name in VARYING]
_DIGITS = re.compile("[1-9]")
_GLUED = re.compile(r"[\w.$/@+~#%-]*(?:<\w+>[\w.$/@+~#%-]*)+", re.ASCII)
_RUN = re.compile(r"<\w+>\S* +\S*<\w+>", re.ASCII)
_CAPITAL = re.compile(r"[A-Z][A-Z_]+\W*", re.ASCII)
_SPACES = re.compile(r"[ \t\n\f\r]+")

Words = tuple[str, ...]


def masked(said: str) -> str:
    if len(said) > MOST_CHARS:
        said = said[:MOST_CHARS] + "\u2026"
    said = _DIGITS.sub("0", said)
    for pattern, name in _VARYING:
        said = pattern.sub(name, said)
    return said


def templates(patterns: Collection[str]) -> dict[str, str]:
    """The template of each of these, which are few enough to be compared."""
    words = {one: _words(one) for one in patterns}
    by_length: dict[int, set[Words]] = defaultdict(set)
    for one in words.values():
        if len(one) <= rules.MOST_WORDS:
            by_length[len(one)].add(one)
    named: dict[Words, str] = {}
    for same in by_length.values():
        for group in _divided(same):
            named |= dict.fromkeys(group, _shown(list(group)))
    return {one: named.get(words[one], one) for one in patterns}


def _words(said: str) -> Words:
    words = _SPACES.sub(" ", said).strip(" ").split(" ")
    if not _RUN.search(said):
        return tuple(words)
    bare = [word.rstrip(",") for word in words]
    return tuple(
        word
        for at, word in enumerate(words)
        if "<" not in word or bare[at : at + 3] != [bare[at]] * 3
    )


def _kind(word: str) -> str:
    return _GLUED.sub(rules.ANY, word).replace("()", f"({rules.ANY})")


def _divided(group: set[Words]) -> list[set[Words]]:
    columns = list(zip(*([_kind(word) for word in one] for one in group), strict=True))
    different = [len(set(column)) for column in columns]
    least = min(
        ((count, at) for at, count in enumerate(different) if count > 1), default=None
    )
    if least is None:
        return [group]
    count, at = least
    alike = different.count(1) / len(different)
    varies = any("<" in kind for kind in columns[at])
    before = [one[at - 1] if at else "" for one in group]
    if alike >= rules.ALIKE and count + varies > _few(columns[at], before, at):
        return [group]
    parts: dict[str, set[Words]] = defaultdict(set)
    for one in group:
        parts[_kind(one[at])].add(one)
    return [found for part in parts.values() for found in _divided(part)]


def _few(column: Sequence[str], before: list[str], at: int) -> int:
    if at == 0 or all("<" in one or _CAPITAL.fullmatch(one) for one in column):
        return rules.MANY
    few = [rules.FEW_VALUES if _name(kind) else rules.FEW for kind in column]
    named = [one.rstrip(":=").lower() in rules.NAMED for one in before]
    return max(
        rules.FEW_NAMES if is_named else one
        for one, is_named in zip(few, named, strict=True)
    )


def _name(kind: str) -> str:
    name, equals, _ = kind.partition("=")
    return name if equals else ""


def _shown(group: list[Words]) -> str:
    shown = []
    for column in zip(*group, strict=True):
        kinds = Counter(_kind(word) for word in column)
        names = {_name(kind) for kind in kinds}
        if len(set(column)) == 1:
            shown.append(column[0])
        elif len(kinds) == 1:
            shown.append(next(iter(kinds)))
        elif len(names) == 1 and "" not in names:
            shown.append(f"{names.pop()}={rules.ANY}")
        else:
            shown.append(rules.ANY)
    return " ".join(shown)
