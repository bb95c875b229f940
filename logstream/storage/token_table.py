"""A table of tokens: which of up to 256 blocks may hold one.

There are as many buckets as tokens, and the upper half of a token's hash tells which is
its. Of the lower half a few bits are kept, and beside them the numbers of its blocks: a
look-up finds the blocks of its token, and now and then those of another one too.

    bytes                        of
    (buckets / 128 + 1) x 4      tokens before each 128th bucket
    (tokens + buckets) / 8       tokens of each bucket: so many ones, and a zero
    tokens x 6 / 8               fingerprints
    (tokens / 128 + 1) x 4       pairs of a token and a block, less one for each token,
                                 before each 128th token
    pairs / 8                    pairs of each token, less one: so many ones, and a zero
    pairs                        blocks, by token

Each is rounded up. Numbers are little-endian; the first bit of a byte is its highest.
"""

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_BLOCKS = 256
FINGERPRINT_BITS = 6
_STEP = 128
_HALF = 32


class Sizes(msgspec.Struct, frozen=True, array_like=True):
    """Of one table."""

    blocks: int
    tokens: int
    pairs: int


class TokenTable:
    """Thread-safe.

    Args:
        content: Begins with the table; `size` tells where it ends.

    Raises:
        ValueError: it ends before that.
    """

    def __init__(self, sizes: Sizes, content: memoryview) -> None:
        self.blocks = sizes.blocks
        self._buckets = tokens = sizes.tokens
        self._tokens = _Counts(content, items=tokens, total=tokens)
        at = self._tokens.size
        self._fingerprints = content[at:]
        at += _bytes_for(tokens * FINGERPRINT_BITS)
        more = sizes.pairs - tokens
        self._more = _Counts(content[at:], items=tokens, total=more)
        at += self._more.size
        self._blocks = content[at : at + sizes.pairs]
        self.size = at + sizes.pairs
        if self.size > len(content):
            raise ValueError("it is cut off")

    def blocks_of(self, hashed: int) -> bytes:
        """The numbers of the blocks that may hold the token with this hash."""
        if not self._buckets:
            return b""
        first, count = self._tokens.at((hashed >> _HALF) * self._buckets >> _HALF)
        width = FINGERPRINT_BITS
        kept = _text(self._fingerprints, first * width, (first + count) * width)
        wanted = f"{hashed & (1 << width) - 1:0{width}b}"
        found = b""
        for nth in range(count):
            if kept.startswith(wanted, nth * width):
                before, more = self._more.at(first + nth)
                start = before + first + nth
                found += self._blocks[start : start + more + 1]
        return found


class _Counts:
    """How many each item has: looked up, and summed up to it, within a few bytes."""

    def __init__(self, content: memoryview, *, items: int, total: int) -> None:
        steps = (items // _STEP + 1) * 4
        self.size = steps + _bytes_for(items + total)
        self._before = content[:steps]
        self._bits = content[steps : self.size]
        self._end = items + total

    def at(self, item: int) -> tuple[int, int]:
        """The sum of those before it, and its own."""
        step, nth = divmod(item, _STEP)
        before = int.from_bytes(self._before[step * 4 : step * 4 + 4], "little")
        following = self._before[step * 4 + 4 : step * 4 + 8]
        begin, end = before + step * _STEP, self._end
        if following:
            end = int.from_bytes(following, "little") + (step + 1) * _STEP
        ones = _text(self._bits, begin, end).split("0", nth + 1)
        return before + sum(map(len, ones[:nth])), len(ones[nth])


def encode(
    blocks: "NDArray[np.uint8]", hashes: "NDArray[np.uint64]", count: int
) -> tuple[Sizes, bytes]:
    """A table of so many blocks.

    Args:
        blocks, hashes: Pairs of a block and the hash of a token in it, each once.
    """
    import numpy as np

    order = np.argsort(hashes)
    blocks, hashes = blocks[order], hashes[order]
    firsts = np.flatnonzero(np.concatenate(([True], hashes[1:] != hashes[:-1])))
    firsts = firsts[: hashes.size]
    tokens = hashes[firsts]
    half = np.uint64(_HALF)
    buckets = (tokens >> half) * np.uint64(tokens.size) >> half
    weights = np.arange(FINGERPRINT_BITS, dtype=np.uint64)[::-1]
    fingerprints = (tokens[:, np.newaxis] >> weights & np.uint64(1)).astype(bool)
    content = (
        _encoded(np.bincount(buckets.astype(np.int64), minlength=tokens.size))
        + np.packbits(fingerprints).tobytes()
        + _encoded(np.diff(firsts, append=hashes.size) - 1)
        + blocks.tobytes()
    )
    return Sizes(count, int(tokens.size), int(hashes.size)), content


def _encoded(counts: "NDArray[np.int64]") -> bytes:
    import numpy as np

    sums = np.concatenate(([0], np.cumsum(counts)))
    bits = np.ones(int(sums[-1]) + counts.size, dtype=bool)
    bits[sums[1:] + np.arange(counts.size)] = False
    return sums[::_STEP].astype("<u4").tobytes() + np.packbits(bits).tobytes()


def _text(content: memoryview, begin: int, end: int) -> str:
    """The bits of [begin, end), as digits."""
    first = begin // 8
    held = content[first : _bytes_for(end)]
    digits = f"{int.from_bytes(held, 'big'):0{len(held) * 8}b}"
    return digits[begin - first * 8 : end - first * 8]


def _bytes_for(bits: int) -> int:
    return -(-bits // 8)
