"""What ways to read some blocks of a day cost, and the ranges that are worth it."""

import re
from collections.abc import Iterator
from itertools import pairwise

import msgspec

from logstream.core.needs import AllOf, AnyOf, Need, Value, Word
from logstream.storage.skip_index import INDEXED_COLUMNS

MAX_RANGES = 64
_RUN = re.compile("1+")


class Costs(msgspec.Struct, frozen=True):
    """What ways to read cost: measured over a million entries, on two cores."""

    a_range: int
    """In blocks that could be read instead."""
    few: int
    """Ranges, up to which DuckDB skips well between them."""
    share: float
    """Of the blocks, up to which bits are quicker than more ranges, or than all."""
    more: int = 0
    """One range more than few for so many blocks of the day, all of which bits read."""

    def ranges_of(self, blocks: int) -> int:
        """Ranges of a day of so many blocks, up to which they are quicker than bits."""
        return self.few + (blocks // self.more if self.more else 0)


WORD = Costs(16, 3, 0.2)
"""A range 1.8 ms, a block 0.12 ms, behind bits too."""
COLUMN = Costs(70, MAX_RANGES, 0)
"""A range 0.5 ms, a block 0.007 ms; behind bits, where fields are put together anew,
3.7 ms."""
COMMON = Costs(240, MAX_RANGES, 0)
"""Of a column again, of a value that is in many blocks: such columns have few different
values, and are read whole in no more time than two or three ranges of them."""
_RARE = 32
"""Blocks, up to which a value may be one of very many."""
FIELD = Costs(6, 8, 0.02)
"""Of a field that may be no column where it is read: a block 0.05 ms and more."""
_BY_ROW = {
    WORD: Costs(2, 3, 0.2, 50),
    COLUMN: Costs(20, MAX_RANGES, 0),
    COMMON: Costs(150, MAX_RANGES, 0),
}
"""Where the number of a row is its place: a range 0.3 ms, whatever is read."""


def costs_of(
    need: Need, held: int, *, columns: bool = False, by_row: bool = False
) -> Costs:
    """What it costs to look for what a need stands for.

    Args:
        held: Blocks that may hold it.
        columns: Fields are columns wherever they are read.
        by_row: The number of each row is its place.
    """
    kinds = {*_kinds(need)}
    if WORD in kinds:
        found = WORD
    elif FIELD in kinds and not columns:
        found = FIELD
    else:
        found = COLUMN if held <= _RARE else COMMON
    return _BY_ROW.get(found, found) if by_row else found


def _kinds(need: Need) -> Iterator[Costs]:
    match need:
        case Word():
            yield WORD
        case Value(name):
            yield COLUMN if name in INDEXED_COLUMNS else FIELD
        case AllOf(needs) | AnyOf(needs):
            for inner in needs:
                yield from _kinds(inner)


def ranges(
    blocks: int, of: int, cost: int = FIELD.a_range
) -> list[tuple[int, int]] | None:
    """First and last block of each range to read; None: it is cheaper to read all.

    Numbers and texts of Python, for to load numpy takes longer than to look into the
    indexes of a year.

    Args:
        blocks: Bits, the first one the lowest.
        of: Blocks of the day.
    """
    digits = f"{blocks:b}"[::-1]
    runs = [one.span() for one in _RUN.finditer(digits)] if blocks else []
    gaps = [after[0] - before[1] for before, after in pairwise(runs)]
    cuts = [at for at, gap in enumerate(gaps) if gap > cost]
    if len(cuts) >= MAX_RANGES:
        widest = sorted(cuts, key=gaps.__getitem__)[-(MAX_RANGES - 1) :]
        cuts = sorted(widest)
    begins = [0, *(at + 1 for at in cuts)]
    ends = [*cuts, -1]
    found = [
        (runs[begin][0], runs[end][1] - 1)
        for begin, end in zip(begins, ends, strict=True)
        if runs
    ]
    total = sum(last - first + 1 for first, last in found) + cost * len(found)
    return None if found and total >= of + min(cost, WORD.a_range) else found
