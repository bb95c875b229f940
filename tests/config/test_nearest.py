"""Suggestions for misspelt words."""

import pytest

from logstream.config.nearest import did_you_mean, nearest


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("prot", ["host", "port", "body_timeout_s"], "port"),
        ("PORT", ["host", "port"], "port"),
        ("body-timeout-s", ["body_timeout_s"], "body_timeout_s"),
        ("colour", ["host", "port"], None),
        ("port", [], None),
        ("", ["port"], None),
        ("LOGSTREAM_SERVR_PORT", ["LOGSTREAM_SERVER_PORT"], "LOGSTREAM_SERVER_PORT"),
    ],
)
def test_the_nearest_word_is_found_or_none(
    word: str, known: list[str], expected: str | None
) -> None:
    assert nearest(word, known) == expected


def test_the_order_of_the_known_words_does_not_matter() -> None:
    assert nearest("aa", ["ab", "ac"]) == nearest("aa", ["ac", "ab"])


def test_an_error_message_ends_in_the_suggestion_or_in_nothing() -> None:
    assert did_you_mean("prot", ["port"]) == ": did you mean 'port'?"
    assert did_you_mean("xyz", ["port"]) == ""
