"""`sample`: which entries it takes is its own business; what holds for them is not."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ENTRIES = 3_000


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path = Path(__file__).with_name("pipes_store.py")
    spec = importlib.util.spec_from_file_location("pipes_store", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    entries = [
        {
            "timestamp": f"2026-01-0{1 + n % 2}T00:00:00Z",
            "source": "web",
            "level": "info",
            "message": f"entry {n}",
            "fields": {"n": n, "odd": n % 2},
        }
        for n in range(ENTRIES)
    ]
    made = module.Asked(tmp_path_factory.mktemp("store"), entries)
    yield made
    made.close()


def taken(ask: Any, text: str) -> set[int]:
    return set(ask.column(f"{text} | fields n"))


@pytest.mark.parametrize("one_in", [2, 7, 30, 100])
def test_a_sample_is_as_large_as_it_is_said_to_be(ask: Any, one_in: int) -> None:
    size = ENTRIES / one_in
    found = taken(ask, f"* | sample {one_in}")
    assert found < set(range(ENTRIES))
    # Drawn evenly, it would lie within five standard deviations.
    assert abs(len(found) - size) < 5 * size**0.5
    assert ask.column(f"* | sample {one_in} | stats count()") == [len(found)]


def test_a_sample_is_the_same_each_time_wherever_it_stands(ask: Any) -> None:
    found = taken(ask, "* | sample 10")
    assert taken(ask, "* | sample 10") == found
    assert taken(ask, "* | sample 10 | sample 10") == found
    odd = {n for n in found if n % 2}
    assert taken(ask, "odd:1 | sample 10") == odd
    assert taken(ask, "* | where odd = 1 | sample 10") == odd
    assert taken(ask, "* | sample 10 | filter odd:1") == odd
    assert 0 < len(odd) < len(found)


def test_a_smaller_sample_is_part_of_a_larger_one(ask: Any) -> None:
    assert taken(ask, "* | sample 1") == set(range(ENTRIES))
    assert taken(ask, "* | sample 20") < taken(ask, "* | sample 10")
    assert taken(ask, "* | sample 1000000000") == set()
