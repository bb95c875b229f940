"""The file of a skip index: what is not whole, or belongs elsewhere, is not used."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from logstream.core.needs import AllOf, AnyOf, Value, Word
from logstream.storage import skip_index
from logstream.storage.range_costs import (
    COLUMN,
    COMMON,
    FIELD,
    MAX_RANGES,
    WORD,
    costs_of,
    ranges,
)
from logstream.storage.skip_index import (
    ARRAY,
    SkipIndex,
    open_index,
    token_hash,
    token_of,
    write_index,
)
from logstream.storage.token_table import Sizes, encode

TOKENS = (("alpha", "beta"), ("beta", token_of("host", "x")), ())


def table(*blocks: Sequence[str]) -> tuple[Sizes, bytes]:
    """Of the tokens of each block."""
    pairs = [(n, token_hash(one)) for n, block in enumerate(blocks) for one in block]
    numbers = np.array([number for number, _ in pairs], dtype=np.uint8)
    hashes = np.array([hashed for _, hashed in pairs], dtype=np.uint64)
    return encode(numbers, hashes, len(blocks))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "2026-01-01.g1.index"
    tables = [table(*TOKENS[:2]), table(*TOKENS[2:])]
    write_index(path, key="k", rows=5000, names=["host"], tables=tables)
    return path


def found(index: SkipIndex | None, need: Word | Value | AllOf | AnyOf) -> list[bool]:
    assert index is not None
    held = index.may_hold(need)
    assert held < 1 << index.blocks
    return [bool(held >> at & 1) for at in range(index.blocks)]


def test_needs_are_combined(path: Path) -> None:
    index = open_index(path, key="k")
    alpha, beta, host = Word("alpha"), Word("beta"), Value("host", "x")
    assert found(index, alpha) == [True, False, False]
    assert found(index, beta) == [True, True, False]
    assert found(index, AllOf((beta, host))) == [False, True, False]
    assert found(index, AnyOf((alpha, host))) == [True, True, False]
    assert found(index, AnyOf(())) == [False, False, False]
    assert found(index, Value("host", "y")) == [False, False, False]


@pytest.mark.parametrize(
    ("arrays", "held"),
    [(None, [True, False]), (["tags"], [True, False]), ([], [False, False])],
    ids=["unknown", "some", "none"],
)
def test_arrays_are_looked_for_where_there_may_be_one(
    tmp_path: Path, arrays: list[str] | None, held: list[bool]
) -> None:
    """An index that does not say of which names there are arrays is of all."""
    tables = [table([token_of("tags", ARRAY)], [])]
    path = tmp_path / "2026-01-02.g1.index"
    write_index(path, key="a", rows=4000, names=["tags"], tables=tables, arrays=arrays)
    assert found(open_index(path, key="a"), Value("tags", "red")) == held


def test_of_a_name_that_is_not_in_it_it_says_nothing(path: Path) -> None:
    assert found(open_index(path, key="k"), Value("user", "x")) == [True] * 3


def test_every_flipped_byte_is_noticed(path: Path, tmp_path: Path) -> None:
    whole = path.read_bytes()
    damaged = tmp_path / "damaged.index"
    for at in range(len(whole)):
        changed = bytes([whole[at] ^ 1])
        damaged.write_bytes(whole[:at] + changed + whole[at + 1 :])
        assert open_index(damaged, key="k") is None


def test_every_torn_end_is_noticed(path: Path, tmp_path: Path) -> None:
    whole = path.read_bytes()
    torn = tmp_path / "torn.index"
    for size in range(len(whole)):
        torn.write_bytes(whole[:size])
        assert open_index(torn, key="k") is None


def test_an_index_of_another_file_is_not_used(path: Path) -> None:
    assert open_index(path, key="other") is None
    assert open_index(path.with_name("missing"), key="k") is None


def test_an_index_of_another_version_is_not_used(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skip_index, "VERSION", skip_index.VERSION + 1)
    assert open_index(path, key="k") is None
    header = b'{"version":4,"key":"k","rows":2,"names":[],"blocks":1,"crc":1696784233}'
    path.write_bytes(header + b"\n" + bytes(4))
    monkeypatch.undo()
    assert open_index(path, key="k") is None


def test_a_look_up_does_not_load_numpy(path: Path) -> None:
    """Which takes longer than to look into a year."""
    code = (
        "import sys; from pathlib import Path; from logstream.core.needs import Word; "
        "from logstream.storage import planning; "
        "from logstream.storage.range_costs import ranges; "
        "from logstream.storage.skip_index import open_index; "
        f"index = open_index(Path({str(path)!r}), key='k'); "
        "assert ranges(index.may_hold(Word('alpha')), index.blocks) == [(0, 0)]; "
        "assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_ranges_are_merged_and_bounded() -> None:
    assert ranges(0, 1000) == []
    blocks = bits(10, 11, 12 + FIELD.a_range, 500)
    assert ranges(blocks, 1000) == [(10, 12 + FIELD.a_range), (500, 500)]
    assert ranges(bits(0, 999), 1000) == [(0, 0), (999, 999)]
    assert ranges((1 << 1000) - 1, 1000) is None
    sparse = ranges(bits(*range(0, 100_000, 1000)), 100_000)
    assert sparse is None or len(sparse) <= MAX_RANGES
    for seed in range(20):
        drawn = np.flatnonzero(np.random.default_rng(seed).random(3000) < 0.01).tolist()
        chosen = ranges(bits(*drawn), 3000)
        assert chosen is None or all(
            any(first <= at <= last for first, last in chosen) for at in drawn
        )


def test_of_too_many_ranges_the_nearest_ones_are_merged() -> None:
    places = [10 * at + 5 * (at > 30) for at in range(MAX_RANGES + 1)]
    found = ranges(bits(*places), 1_000_000, 3)
    assert found is not None
    assert len(found) == MAX_RANGES
    assert (places[30], places[30]) in found  # the widest gap is behind it


def bits(*blocks: int) -> int:
    return sum(1 << at for at in blocks)


def test_what_is_read_quickly_is_not_looked_for_in_ranges() -> None:
    host, level = Value("host", "a"), Value("level", "error")
    assert costs_of(host, 1, columns=True) == COLUMN
    assert costs_of(host, 1000, columns=True) == COMMON
    assert costs_of(host, 1) == FIELD
    assert costs_of(level, 1) == COLUMN
    assert costs_of(AnyOf((level, host)), 1) == FIELD
    either = AllOf((level, AnyOf((host, Word("x")))))
    assert costs_of(either, 1, columns=True) == WORD
    assert costs_of(either, 1, columns=True, by_row=True).a_range < WORD.a_range
    scattered = bits(*range(0, 480, 48))
    assert ranges(scattered, 480, COLUMN.a_range) is None
    assert len(ranges(scattered, 480, FIELD.a_range) or []) == 10
