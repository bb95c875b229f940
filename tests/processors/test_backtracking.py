"""Patterns that can take exponential time are told from those that cannot."""

import pytest

from logstream.processors.backtracking import may_explode


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+$",
        r"(?P<x>(\w+\s?)*)x",
        r"(.*,)*x",
        r"([^=]*=?)+;",
        r"(?:x+|y+)*z",
        r"(?>(a+)+)b",
        r"(?=(a*)*b)",
        r"(a*?)+?b",
        r"(?:(?:a{1,20}))+b",
        r"(?:\d+\D*)*x",
    ],
)
def test_ambiguous_nested_repeats_are_found(pattern: str) -> None:
    """Each takes for ever on some short text."""
    assert may_explode(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"^(?P<ip>\S+) \S+ (?P<user>\S+) \[(?P<at>[^\]]+)\] \"(?P<line>[^\"]*)\"",
        r"(?:\w+=\S+ )*",
        r"(?:[^,]*,)*",
        r"(?:\d+\.){3}\d+",
        r"(\w++\s?)*x",
        r"(?:(?>a+))*b",
        r"(?P<a>.*?) - (?P<b>.*)",
        r"(a|b)*",
        r"(?:\s+\S+:\d{1,3}){2,5}",
        r"(?i)level=(?P<level>[a-z]+)",
    ],
)
def test_everyday_patterns_pass(pattern: str) -> None:
    """A check that cries wolf would be switched off."""
    assert not may_explode(pattern)
