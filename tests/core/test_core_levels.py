"""Levels: one word for what others call by many."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstream.core.levels import LEVEL_BY_NAME, LEVELS, level_of


@given(
    st.sampled_from(sorted(LEVEL_BY_NAME)), st.booleans(), st.text(" \t", max_size=2)
)
def test_case_and_blanks_do_not_matter(name: str, loud: bool, blank: str) -> None:
    written = blank + (name.upper() if loud else name) + blank
    assert level_of(written) == LEVEL_BY_NAME[name]
    assert LEVEL_BY_NAME[name] in LEVELS


@pytest.mark.parametrize(
    ("severity", "level"),
    [
        *[(0, "fatal"), (2, "fatal"), (3, "error"), (4, "warn"), (5, "info")],
        *[(6, "info"), (7, "debug"), (10, "trace"), (30, "info"), (60, "fatal")],
    ],
)
def test_a_number_is_a_severity_also_as_text(severity: int, level: str) -> None:
    assert level_of(severity) == level
    assert level_of(str(severity)) == level


@pytest.mark.parametrize("value", [8, -1, 31, "8", "²", True, 3.0, None, [], "a b"])
def test_what_means_no_level_is_none(value: object) -> None:
    assert level_of(value) is None


@given(st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,31}", fullmatch=True))
def test_a_word_of_the_senders_own_is_kept_in_lower_case(word: str) -> None:
    """What it gives is a fixed point: a level is its own level."""
    level = level_of(word)
    assert level is not None
    assert level == LEVEL_BY_NAME.get(word.lower(), word.lower())
    assert level_of(level) == level


def test_an_empty_level_is_the_default() -> None:
    assert level_of("") == "info"
    assert level_of("  ") == "info"
