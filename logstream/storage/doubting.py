"""Doubting: which doubts (see `core.doubts`) a day gives no reason for, as told by the
structures of all its entries.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from logstream.core.doubts import (
    DOTTED,
    LISTED,
    NESTED,
    UNTOLD,
    ValueKind,
    other,
    there,
)

MAX_FIELDS = 300
"""Of which kinds of values are told: those that are in the most structures."""

_KINDS: dict[str, frozenset[ValueKind]] = {
    "UBIGINT": frozenset({"scalar", "number", "whole"}),
    "BIGINT": frozenset({"scalar", "number"}),
    "DOUBLE": frozenset({"scalar", "number", "real"}),
    "VARCHAR": frozenset({"scalar", "text"}),
    "BOOLEAN": frozenset({"scalar", "truth"}),
}
"""Those that a value is of, by what `json_structure` calls it."""
_NO_KIND: frozenset[ValueKind] = frozenset()

Way = tuple[str, ...]


def unfounded(structures: Sequence[Any]) -> list[str]:
    """Names of doubts. The structures are DuckDB's `json_structure`."""
    dotted = any(
        "." in key for one in structures if isinstance(one, dict) for key in one
    )
    found = {
        DOTTED: dotted,
        LISTED: any(map(_has_array, structures)),
        NESTED: any(map(_has_object, structures)),
    }
    names = [name for name, is_so in found.items() if not is_so]
    return [*names, *_kinds(structures), *_told(structures)]


def _told(structures: Sequence[Any]) -> list[str]:
    """Where there are values, unless that is in too many places."""
    ways = {way for structure in structures for way, _ in _values(structure)}
    return [UNTOLD, *sorted(map(there, ways))] if len(ways) <= MAX_FIELDS else []


def _kinds(structures: Sequence[Any]) -> Iterator[str]:
    """DuckDB may make one column of names that differ in case only, so nothing is told
    of these.
    """
    counts: Counter[Way] = Counter()
    kinds: dict[Way, frozenset[ValueKind]] = {}
    for structure in structures:
        for way, found in _values(structure):
            counts[way] += 1
            kinds[way] = kinds.get(way, found) & found
    spelled = Counter(map(_folded, counts))
    for way, _ in counts.most_common(MAX_FIELDS):
        if any(spelled[_folded(way[:end])] > 1 for end in range(1, len(way) + 1)):
            continue
        for kind in sorted(kinds[way]):
            yield other(way, kind)


def _folded(way: Way) -> Way:
    return tuple(map(str.casefold, way))


def _values(
    structure: Any, above: Way = ()
) -> Iterator[tuple[Way, frozenset[ValueKind]]]:
    """What is in an object, at any depth, and of which kinds."""
    if not isinstance(structure, dict):
        return
    for name, inner in structure.items():
        if inner != "NULL":
            way = (*above, name)
            of_text = isinstance(inner, str)
            yield way, _KINDS.get(inner, _NO_KIND) if of_text else _NO_KIND
            yield from _values(inner, way)


def _has_object(structure: Any) -> bool:
    """Among the values; of an object without keys, it is JSON that is told. Those
    inside of arrays do not count: nothing leads to them.
    """
    if not isinstance(structure, dict):
        return False
    return any(isinstance(one, dict) or one == "JSON" for one in structure.values())


def _has_array(structure: Any) -> bool:
    """Arrays inside of arrays are in one."""
    if isinstance(structure, dict):
        return any(map(_has_array, structure.values()))
    return isinstance(structure, list)
