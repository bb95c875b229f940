"""The file of a skip index: what is not whole, or belongs elsewhere, is not used."""

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
    return [bool(one) for one in index.may_hold(need)]


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


def test_ranges_are_merged_and_bounded() -> None:
    blocks = np.zeros(1000, dtype=bool)
    assert ranges(blocks) == []
    blocks[[10, 11, 12 + FIELD.a_range, 500]] = True
    assert ranges(blocks) == [(10, 12 + FIELD.a_range), (500, 500)]
    assert ranges(np.ones(1000, dtype=bool)) is None
    sparse = np.zeros(100_000, dtype=bool)
    sparse[::1000] = True
    found = ranges(sparse)
    assert found is None or len(found) <= MAX_RANGES
    for seed in range(20):
        drawn = np.random.default_rng(seed).random(3000) < 0.01
        chosen = ranges(drawn)
        assert chosen is None or all(
            any(first <= at <= last for first, last in chosen)
            for at in np.flatnonzero(drawn)
        )


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
    scattered = np.zeros(480, dtype=bool)
    scattered[::48] = True
    assert ranges(scattered, COLUMN.a_range) is None
    assert len(ranges(scattered, FIELD.a_range) or []) == 10
