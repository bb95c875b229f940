"""What holds for every query with pipes: the store gives the rows that the model gives,
and it prints as what it is read from.
"""

import math
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, note, reject, settings
from hypothesis import strategies as st

from logstream.core.errors import BadRequest, QuerySyntaxError
from logstream.core.timestamps import format_ns, parse_ns
from logstream.query.query import parse_query
from tests.query.model.pipelines import pipelines
from tests.query.model.pipes import rows_of
from tests.query.model.queries import Drawn, entries
from tests.query.model.rows import World
from tests.query.model.values import Beyond
from tests.query.pipes_store import Asked

EXAMPLES = 100
"""In a store."""
APART = 6
"""Days, so that none is in what is compared or around another."""
SPAN_NS = 3 * 3600 * 10**9
_MOMENT = re.compile(r"@(-?\d+)")


class Stores:
    """Days of its own for each set of entries, and a new store when there are many."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0
        self._ask: Asked | None = None

    def ask(self, text: str, drawn: list[Drawn]) -> tuple[Any, Any]:
        """What the store says, and what the model says."""
        place = self._made % EXAMPLES
        if place == 0:
            self.close()
            folder = self._folder / str(self._made)
            folder.mkdir()
            self._ask = Asked(folder, [])
        self._made += 1
        assert self._ask is not None
        day, first = place * APART, (place + 2) << 20
        given = [one.entry(day, first + line) for line, one in enumerate(drawn)]
        self._ask.load([msgspec.to_builtins(one) for one in given])
        begin = parse_ns(Drawn(0, "", "", "", {}).entry(day, 0).timestamp)
        text = _MOMENT.sub(lambda at: format_ns(begin + int(at[1]) * 10**9), text)
        query = parse_query(text)
        span = (begin, begin + SPAN_NS)
        found = self._ask(text, from_ns=span[0], to_ns=span[1])
        world = World(given, span, partial(self._sampled, begin))
        return found, rows_of(query, world).shown()

    def _sampled(self, begin: int, one_in: int) -> frozenset[int]:
        """What `sample` takes of all that was given."""
        assert self._ask is not None
        wide = (APART // 2) * 86_400 * 10**9
        text = f"* | sample {one_in} | fields id"
        rows = self._ask(text, from_ns=begin - wide, to_ns=begin + wide)
        return frozenset(int(row["id"]) for row in rows)

    def close(self) -> None:
        if self._ask is not None:
            self._ask.close()


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    made = Stores(tmp_path_factory.mktemp("stores"))
    yield made
    made.close()


def same(one: Any, other: Any) -> bool:
    """As JSON is: 5.0 is 5, and TRUE is not 1. Sums may differ in the last digits."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            same(one[key], other[key]) for key in one
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return type(one) is type(other) and bool(one == other)


def without_nulls(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A field that is null is none."""
    found = []
    for row in rows:
        fields = row.get("fields")
        if isinstance(fields, dict):
            kept = {key: one for key, one in fields.items() if one is not None}
            found.append({**row, "fields": kept})
        else:
            found.append(row)
    return found


@settings(
    max_examples=max(200, settings().max_examples),  # of the profile
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(pipelines(), st.lists(entries, max_size=9))
def test_the_store_gives_the_rows_of_the_model(
    stores: Stores, text: str, drawn: list[Drawn]
) -> None:
    note(text)
    try:
        found, said = stores.ask(text, drawn)
    except Beyond:
        reject()
    except (BadRequest, QuerySyntaxError) as refused:
        note(str(refused))
        reject()
    found, said = without_nulls(found), without_nulls(said)
    assert same(found, said), f"{text}\nstore: {found}\nmodel: {said}"


@given(pipelines())
def test_a_query_prints_as_what_it_is_read_from(text: str) -> None:
    try:
        query = parse_query(text)
    except QuerySyntaxError:
        reject()
    assert parse_query(str(query)) == query
