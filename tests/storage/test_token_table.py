"""A table of tokens finds each block of a token, and few that do not hold it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstream.storage.token_table import TokenTable, encode

COUNTS = (0, 1, 2, 127, 128, 129, 255, 256, 257, 5000)


def table_of(pairs: set[tuple[int, int]], blocks: int = 256) -> TokenTable:
    numbers = np.array([block for _, block in pairs], dtype=np.uint8)
    hashes = np.array([hashed for hashed, _ in pairs], dtype=np.uint64)
    sizes, content = encode(numbers, hashes, blocks)
    table = TokenTable(sizes, memoryview(content + b"of the next one"))
    assert (table.size, table.blocks) == (len(content), blocks)
    return table


def drawn(count: int, seed: int = 7) -> list[int]:
    return [
        int(one)
        for one in np.random.default_rng(seed).integers(0, 1 << 64, count, np.uint64)
    ]


@pytest.mark.parametrize("count", COUNTS)
def test_each_block_of_each_token_is_found(count: int) -> None:
    """Of the nth token there are 1 to 256."""
    hashes = drawn(count)
    blocks = {
        hashed: set(range(0, 256, 1 + nth % 300)) for nth, hashed in enumerate(hashes)
    }
    table = table_of({(hashed, one) for hashed in hashes for one in blocks[hashed]})
    for hashed in hashes:
        assert blocks[hashed] <= set(table.blocks_of(hashed))


@given(
    pairs=st.sets(
        st.tuples(
            st.one_of(
                st.integers(0, (1 << 64) - 1),
                st.sampled_from([0, 1, 1 << 32, (1 << 64) - 1]),
                st.integers(0, 200).map(lambda low: (5 << 32) + low),
            ),
            st.integers(0, 255),
        )
    )
)
def test_hashes_that_are_alike_hide_nothing(pairs: set[tuple[int, int]]) -> None:
    table = table_of(pairs)
    for hashed, block in pairs:
        assert block in table.blocks_of(hashed)


def test_few_blocks_are_told_that_do_not_hold_it() -> None:
    """About one token of 256 is taken for another."""
    table = table_of({(hashed, 3) for hashed in drawn(20_000)})
    told = sum(bool(table.blocks_of(hashed)) for hashed in drawn(20_000, seed=8))
    assert 40 < told < 160


def test_a_table_that_is_cut_off_is_refused() -> None:
    hashes = np.array(drawn(1000), dtype=np.uint64)
    sizes, content = encode(np.zeros(1000, dtype=np.uint8), hashes, 1)
    for size in range(len(content)):
        with pytest.raises(ValueError, match="cut off"):
            TokenTable(sizes, memoryview(content)[:size])
