"""No sender writes on the reader's terminal."""

from hypothesis import given
from hypothesis import strategies as st

from logstream.cli.escape import for_cell, for_line


def test_escape_sequences_are_shown_and_not_done() -> None:
    assert for_line("\x1b[2Jgone\x07") == "\\x1b[2Jgone\\x07"
    assert for_line("\x9b31m") == "\\x9b31m"


def test_text_that_reads_backwards_is_shown_as_it_is() -> None:
    assert for_line("invoice\u202efdp.exe") == "invoice\\u202efdp.exe"


def test_a_line_stays_one_line() -> None:
    assert for_line("a\r\nb\tc\u2028d") == "a\\r\\nb\\tc\\u2028d"


def test_a_cell_keeps_its_lines() -> None:
    assert for_cell("a\nb\tc\r") == "a\nb    c\\r"


def test_letters_of_any_alphabet_stay() -> None:
    text = "grüße 世界 🌍 עולם"
    assert for_line(text) == for_cell(text) == text


@given(st.text())
def test_nothing_that_acts_is_left(text: str) -> None:
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in for_line(text))
