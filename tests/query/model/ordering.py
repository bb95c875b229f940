"""Order: what is missing comes last, either way."""

from collections.abc import Sequence
from typing import Any


def in_order(values: Sequence[tuple[Any, bool]]) -> tuple[Any, ...]:
    """To sort by.

    Args:
        values: With whether the largest comes first.
    """
    return tuple((one is None, Turned(one) if down else one) for one, down in values)


class Turned:
    """What sorts the other way around."""

    def __init__(self, one: Any) -> None:
        self._one = one

    def __lt__(self, other: "Turned") -> bool:
        return self._one is not None and bool(other._one < self._one)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Turned) and bool(self._one == other._one)

    def __hash__(self) -> int:
        return hash(self._one)
