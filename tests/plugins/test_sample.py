"""sample keeps a fair and repeatable share, and says how much it left out."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstream.core.entry import Entry
from logstream.core.errors import ConfigError
from logstream.core.sql import TRUE, Sql
from logstream.plugins import Predicate, Processor
from logstream.plugins.testing import an_entry, processor_of

PLUGIN = Path(__file__).resolve().parents[2] / "plugins" / "sample.py"


class FromSource:
    """A predicate: the source is the query's text."""

    def __init__(self, source: str) -> None:
        self.source = source

    @property
    def sql(self) -> Sql:
        return TRUE

    def matches(self, entry: Entry) -> bool:
        return entry.source == self.source


class Context:
    def compile_filter(self, query: str) -> Predicate:
        return FromSource(query)


def a_sampler(**options: Any) -> Processor:
    return processor_of(PLUGIN, "sample", Context(), **options)


def many(count: int = 4000, **parts: Any) -> list[Entry]:
    return [an_entry(id=n, **parts) for n in range(1, count + 1)]


def ids_kept(batch: list[Entry], **options: Any) -> set[int]:
    return {entry.id for entry in a_sampler(**options).process(batch)}


def expect_refusal(part: str, **options: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        a_sampler(**options)
    assert part in str(caught.value)


def test_about_the_share_is_kept() -> None:
    """The choice is a fixed hash, so these figures are the same each time."""
    batch = many()
    assert 340 < len(ids_kept(batch, share=0.1)) < 460
    assert 340 < len(ids_kept(batch, one_in=10)) < 460
    assert ids_kept(batch, share=0) == set()
    assert len(ids_kept(batch, share=1)) == len(batch)


def test_the_same_entries_are_kept_each_time() -> None:
    """In another process and after a crash; another seed chooses others."""
    batch = many(200)
    chosen = ids_kept(batch, share=0.5)
    assert chosen == ids_kept(list(reversed(batch)), share=0.5)
    assert chosen != ids_kept(batch, share=0.5, seed="other")
    assert sorted(chosen)[:5] == [4, 7, 9, 10, 12]


def test_a_larger_share_keeps_what_a_smaller_one_keeps() -> None:
    """Raising a share does not tear holes."""
    batch = many(1000)
    assert ids_kept(batch, share=0.1) < ids_kept(batch, share=0.3)


@given(st.lists(st.integers(0, 30), max_size=60))
def test_entries_of_one_trace_stay_together(traces: list[int]) -> None:
    """Wherever they come from."""
    batch = [
        an_entry(id=n, fields={"trace": {"id": f"t{trace}"}})
        for n, trace in enumerate(traces, start=1)
    ]
    kept = ids_kept(batch, share=0.5, by="trace.id")
    fate: dict[int, bool] = {}
    for n, trace in enumerate(traces, start=1):
        assert fate.setdefault(trace, n in kept) == (n in kept)


def test_a_flat_name_with_dots_is_found_too() -> None:
    """As in the other processors."""
    flat = [an_entry(id=n, fields={"a.b": "x"}) for n in range(1, 50)]
    assert len(ids_kept(flat, share=0.5, by="a.b")) in (0, 49)
    assert ids_kept(flat, share=0.5, by="fields.a.b") == ids_kept(
        flat, share=0.5, by="a.b"
    )


def test_entries_without_the_field_are_decided_by_their_id() -> None:
    """They do not all share one fate."""
    batch = many(200)
    assert ids_kept(batch, share=0.5, by="trace_id") == ids_kept(batch, share=0.5)


def test_some_levels_are_always_kept() -> None:
    """By default warnings and worse."""
    for level in ("warn", "error", "fatal"):
        assert len(ids_kept(many(50, level=level), share=0)) == 50
    assert ids_kept(many(50, level="error"), share=0, always=[]) == set()
    assert len(ids_kept(many(50, level="debug"), share=0, always=["DEBUG"])) == 50


def test_levels_have_shares_of_their_own() -> None:
    """They come before `always` and `share`; without `share` all others are kept."""
    levels = {"debug": 0, "Warning": 0}
    assert ids_kept(many(50, level="debug"), levels=levels) == set()
    assert ids_kept(many(50, level="warn"), levels=levels) == set()
    assert len(ids_kept(many(50, level="info"), levels=levels)) == 50


def test_only_what_matches_is_sampled() -> None:
    """The rest is kept, and not marked."""
    web, auth = many(20, source="web"), many(20, source="auth")
    assert ids_kept(web, share=0, only="web") == set()
    kept = a_sampler(share=0, only="web").process(auth)
    assert kept == auth


def test_a_kept_entry_says_how_many_it_stands_for() -> None:
    """So that counts can be put right; an earlier sampling is reckoned in."""
    [entry] = a_sampler(share=0.1).process(many(40))[:1]
    assert entry.fields == {"sample_rate": 10}
    [entry] = a_sampler(share=0.3, field="n").process(many(40))[:1]
    assert entry.fields == {"n": 3.333333}
    for before, after in ((5, 10), (2.5, 5), ("x", 2), (True, 2), (0, 2), (None, 2)):
        batch = many(20, fields={"sample_rate": before})
        [entry] = a_sampler(share=0.5).process(batch)[:1]
        assert entry.fields == {"sample_rate": after}
    batch = many(40)
    assert all(e in batch for e in a_sampler(share=0.5, field="").process(batch))
    assert a_sampler(share=1).process(batch) == batch


def test_the_count_is_right_on_average() -> None:
    """The sum of what the kept ones stand for is near what came in."""
    kept = a_sampler(one_in=8).process(many())
    assert 3600 < sum(entry.fields["sample_rate"] for entry in kept) < 4400


def test_two_samplers_in_a_row_need_two_seeds() -> None:
    """With one seed the second finds only what the first chose by the same hash."""
    first = list(a_sampler(share=0.5, field="").process(many(1000)))
    again = ids_kept(first, share=0.5)
    other = ids_kept(first, share=0.5, seed="b")
    assert len(again) == len(first)
    assert 0.4 < len(other) / len(first) < 0.6


def test_options_that_cannot_work_are_refused() -> None:
    """At start, with the reason."""
    expect_refusal("give share, one_in or levels")
    expect_refusal("give one of them", share=0.5, one_in=2)
    expect_refusal("always: '!?' is no level", share=0.5, always=["!?"])
    expect_refusal("levels: '!?' is no level", levels={"!?": 1})
    expect_refusal("share: ", share=1.5)
    expect_refusal("one_in: ", one_in=0)
    expect_refusal("levels[...]: ", levels={"debug": 2})
