"""A table of tokens: which of up to 256 blocks may hold one.

There are as many buckets as tokens, and the upper half of a token's hash tells which is
its. A byte of the lower half is kept, and beside it the numbers of its blocks: a
look-up finds the blocks of its token, and now and then those of another one too.

    counts   of each bucket, its tokens
    bytes    of each token, the lowest of its hash
    bytes    of each token, its first block
    counts   of each token, its other blocks
    counts   of each other block, bits of its distance to the one before, less one
    bits     of those distances, behind their highest

Counts are the sums before each 128th, of four bytes each, the lowest first; then so
many ones, and a zero, for each. Bits fill bytes from the highest down.
"""

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_BLOCKS = 256
_STEP = 128
_HALF = 32


class Sizes(msgspec.Struct, frozen=True, array_like=True):
    """Of one table."""

    blocks: int
    tokens: int
    others: int
    """Pairs of a token and a block, besides the first of each token."""
    bits: int
    """Of distances."""


class TokenTable:
    """Thread-safe.

    Args:
        content: Begins with the table; `size` tells where it ends.

    Raises:
        ValueError: it ends before that.
    """

    def __init__(self, sizes: Sizes, content: memoryview) -> None:
        self.blocks = sizes.blocks
        self._buckets = count = sizes.tokens
        self._tokens = _Counts(content, items=count, total=count)
        at = self._tokens.size
        self._hashes = content[at : at + count]
        at += count
        self._firsts = content[at : at + count]
        at += count
        self._others = _Counts(content[at:], items=count, total=sizes.others)
        at += self._others.size
        self._widths = _Counts(content[at:], items=sizes.others, total=sizes.bits)
        at += self._widths.size
        self.size = at + _bytes_for(sizes.bits)
        self._distances = content[at : self.size]
        if self.size > len(content):
            raise ValueError("it is cut off")

    def blocks_of(self, hashed: int) -> list[int]:
        """The numbers of the blocks that may hold the token with this hash."""
        if not self._buckets:
            return []
        bucket = (hashed >> _HALF) * self._buckets >> _HALF
        first, (count,) = self._tokens.of(bucket, 1)
        found: list[int] = []
        for token in range(first, first + count):
            if self._hashes[token] == hashed & 0xFF:
                found += self._blocks_of(token)
        return found

    def _blocks_of(self, token: int) -> list[int]:
        found = [self._firsts[token]]
        before, (others,) = self._others.of(token, 1)
        start, widths = self._widths.of(before, others)
        digits = _digits(self._distances, start, start + sum(widths))
        at = 0
        for width in widths:
            found.append(found[-1] + int("1" + digits[at : at + width], 2))
            at += width
        return found


class _Counts:
    """Of items, one after the other: looked up, and summed up to one, in few bytes."""

    def __init__(self, content: memoryview, *, items: int, total: int) -> None:
        sums = (items // _STEP + 1) * 4
        self.size = sums + _bytes_for(items + total)
        self._sums = content[:sums]
        self._bits = content[sums : self.size]
        self._end = items + total

    def of(self, item: int, number: int) -> tuple[int, list[int]]:
        """The sum of those before an item, and so many from it on."""
        step, nth = divmod(item, _STEP)
        last = (item + number) // _STEP + 1
        begin, end = self._start(step), self._start(last)
        digits = _digits(self._bits, begin, end)
        ones = digits.split("0", nth + number)
        *counts, rest = map(len, ones[nth:])  # most of them only need to be summed up
        before = len(digits) - (len(ones) - 1) - sum(counts) - rest
        return begin - step * _STEP + before, counts

    def _start(self, step: int) -> int:
        """The first bit of its items."""
        held = self._sums[step * 4 : step * 4 + 4]
        return int.from_bytes(held, "little") + step * _STEP if held else self._end


def encode(
    blocks: "NDArray[np.uint8]", hashes: "NDArray[np.uint64]", count: int
) -> tuple[Sizes, bytes]:
    """A table of so many blocks.

    Args:
        blocks, hashes: Pairs of a block and the hash of a token in it, each once.
    """
    import numpy as np

    order = np.lexsort((blocks, hashes))
    blocks, hashes = blocks[order], hashes[order]
    is_first = np.ones(hashes.size, dtype=bool)
    is_first[1:] = hashes[1:] != hashes[:-1]
    firsts = np.flatnonzero(is_first)
    tokens = hashes[firsts]
    half = np.uint64(_HALF)
    buckets = (tokens >> half) * np.uint64(tokens.size) >> half
    distances = np.diff(blocks, prepend=blocks[:1])[~is_first]
    widths = np.frexp(distances)[1].astype(np.int64) - 1
    content = (
        _counts(np.bincount(buckets.astype(np.int64), minlength=tokens.size))
        + tokens.astype(np.uint8).tobytes()
        + blocks[firsts].tobytes()
        + _counts(np.diff(firsts, append=hashes.size) - 1)
        + _counts(widths)
        + _bits(distances, widths)
    )
    sizes = Sizes(count, firsts.size, distances.size, int(widths.sum()))
    return sizes, content


def _counts(counts: "NDArray[np.int64]") -> bytes:
    import numpy as np

    sums = np.concatenate(([0], np.cumsum(counts)))
    bits = np.ones(int(sums[-1]) + counts.size, dtype=bool)
    bits[sums[1:] + np.arange(counts.size)] = False
    return sums[::_STEP].astype("<u4").tobytes() + np.packbits(bits).tobytes()


def _bits(numbers: "NDArray[np.uint8]", widths: "NDArray[np.int64]") -> bytes:
    """So many lower bits of each."""
    import numpy as np

    ends = np.cumsum(widths)
    bits = np.zeros(int(widths.sum()), dtype=bool)
    for nth in range(8):
        has = widths > nth
        bits[ends[has] - 1 - nth] = numbers[has] >> nth & 1
    return np.packbits(bits).tobytes()


def _digits(content: memoryview, begin: int, end: int) -> str:
    """The bits of [begin, end)."""
    first = begin // 8
    held = content[first : _bytes_for(end)]
    digits = f"{int.from_bytes(held, 'big'):0{len(held) * 8}b}"
    return digits[begin - first * 8 : end - first * 8]


def _bytes_for(bits: int) -> int:
    return -(-bits // 8)
