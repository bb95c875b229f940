"""Every hint is one that can be written: what it names is there."""

import re

import pytest

from logstream.query import elsewhere
from logstream.query.expressions.aggregates import AGGREGATES
from logstream.query.expressions.functions import FUNCTIONS
from logstream.query.pipes.registry import PIPES

HINTS = [
    (elsewhere._PIPES, PIPES),
    (elsewhere._AGGREGATES, AGGREGATES),
    (elsewhere._FUNCTIONS, {**FUNCTIONS, "stats": None}),
]


@pytest.mark.parametrize(("hints", "known"), HINTS, ids=["pipes", "sums", "functions"])
def test_hints_are_about_names_that_are_none_and_name_what_is_there(
    hints: dict[str, str], known: dict[str, object]
) -> None:
    assert not hints.keys() & known.keys()
    for hint in hints.values():
        found = re.match(r"\w+", hint)
        assert found is not None
        assert found[0] in known
