"""YAML text to values: what is read how, and what is refused with its line."""

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstream.config.document import parse_document, parse_scalar, yaml_text
from logstream.core.errors import ConfigError


def expect_refused(text: str, *words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_document(text, origin="f.yaml")
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-17", -17),
        ("1_048_576", 1_048_576),
        ("0x1F", 31),
        ("007", "007"),
        ("12:30", "12:30"),
        ("2026-11-20", "2026-11-20"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e5", 1e5),
        (".inf", ".inf"),
        ("nan", "nan"),
        ("1e999", "1e999"),
        ("9" * 30, "9" * 30),
        ("_1", "_1"),
    ],
)
def test_a_plain_word_means_what_it_looks_like(text: str, expected: object) -> None:
    found = parse_document(f"key: {text}", origin="f.yaml").value["key"]
    assert found == expected
    assert type(found) is type(expected)


def test_quoted_words_are_text() -> None:
    value = parse_document("a: '5'\nb: \"true\"\nc: |\n  7\n", origin="f").value
    assert value == {"a": "5", "b": "true", "c": "7\n"}


def test_keys_are_text_and_aliases_stand_for_their_value() -> None:
    value = parse_document("404: &x [1, {a: b}]\ntrue: *x", origin="f").value
    assert value == {"404": [1, {"a": "b"}], "true": [1, {"a": "b"}]}


def test_nothing_is_no_value() -> None:
    assert parse_document("# only this\n", origin="f").value is None


def test_each_key_and_item_has_its_line() -> None:
    lines = parse_document("a:\n  b: 1\nc:\n- x\n-  y\n", origin="f").lines
    assert lines == {("a",): 1, ("a", "b"): 2, ("c",): 3, ("c", 0): 4, ("c", 1): 5}


def test_a_key_that_stands_twice_is_refused_with_both_lines() -> None:
    expect_refused("a: 1\nb: 2\na: 3", "f.yaml:3", "'a'", "line 1")


def test_a_tag_is_refused() -> None:
    expect_refused("a: 1\nb: !!python/object:os.system x", "f.yaml:2", "tag")


def test_broken_yaml_names_the_line() -> None:
    expect_refused("a: 1\nb: [1, 2", "f.yaml:", "not YAML")
    expect_refused("a: *nowhere", "f.yaml:1", "alias")
    expect_refused("a: 1\n---\nb: 2", "f.yaml:2", "another document")
    expect_refused("a:\n\tb: 1", "f.yaml:2")


def test_a_character_that_yaml_forbids_is_refused() -> None:
    expect_refused("a: 1\nb: \x00", "f.yaml:2", "'\\x00'")
    expect_refused("a: 1\nb: \udc80", "f.yaml:2", "UTF-8")


def test_a_key_of_several_words_is_refused() -> None:
    expect_refused("? [a, b]\n: 1", "one word")


def test_depth_is_bounded() -> None:
    expect_refused("[" * 100_000, "nested")
    expect_refused("a: &x [*x]", "nested")


def test_an_alias_bomb_is_refused() -> None:
    """Ten to the 20 values in 600 characters."""
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 20):
        inner = ", ".join([f"*a{level - 1}"] * 10)
        levels.append(f"a{level}: &a{level} [{inner}]")
    expect_refused("\n".join(levels), "more than 50000 values")


def test_a_huge_text_is_refused_before_it_is_parsed() -> None:
    expect_refused("#" * 1_048_577, "larger than 1048576 bytes")


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """And nothing but `ConfigError` is raised."""
    with contextlib.suppress(ConfigError):
        parse_document(text, origin="f")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Co"))),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.from_regex(r"[a-z]{1,9}", fullmatch=True), inner)
    ),
    max_leaves=8,
)


@given(json_values)
def test_a_value_that_is_written_reads_back_as_itself(value: object) -> None:
    text = yaml_text(value)
    assert "\n" not in text
    assert parse_document(f"key: {text}", origin="f").value == {"key": value}


@given(
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e90, max_value=1e90)
)
def test_a_number_that_is_written_reads_back_as_itself(value: float) -> None:
    found = parse_scalar(yaml_text(value))
    assert isinstance(found, float | int)
    assert math.isclose(found, value)
