"""Where Python has to do exactly what DuckDB does: case, numbers, values as text."""

import math
import struct
from typing import Any, Protocol

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logstream.core.entry import Entry
from logstream.core.sql import Sql
from logstream.query import compile_filter
from logstream.query.folding import fold
from logstream.query.numbers import (
    number_of,
    number_of_text,
    numbers_alone,
    spellings,
    text_of,
)

number_like = st.text(st.sampled_from(list("0123456789+-._eE \tnaif")), max_size=8)
finite = st.integers(0, 2**64 - 1).map(
    lambda bits: struct.unpack("d", struct.pack("Q", bits))[0]
)


class Store(Protocol):
    db: duckdb.DuckDBPyConnection

    def hold(self, entries: list[Entry]) -> None: ...
    def finds(self, sql: Sql) -> list[bool]: ...


def entry_with(value: Any) -> Entry:
    return Entry(
        id=1,
        timestamp="2025-01-01T00:00:00Z",
        source="web",
        level="info",
        message="",
        fields={"x": value},
    )


def test_every_character_folds_as_in_the_store(store: Store) -> None:
    """All 1 112 063 of them: one that differs would answer differently when stored."""
    characters = [chr(c) for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000]
    folded = store.db.execute(
        "SELECT lower(c) FROM (SELECT unnest(?) AS c)", [characters]
    ).fetchall()
    assert [c for c, (f,) in zip(characters, folded, strict=True) if fold(c) != f] == []


@given(
    st.text(st.sampled_from("aA\u03a3\u03c3\u03c2İ\u0131\u017fK\u212aß \u0307\ua7cbÉ"))
)
@example("ΟΔΟΣ")
@example("\ua7cbİΣ")
def test_folding_does_not_look_at_neighbours(store: Store, text: str) -> None:
    rows = store.db.execute("SELECT lower(?)", [text]).fetchall()
    assert rows == [(fold(text),)]
    assert len(fold(text)) == len(text)


@given(number_like | st.text(max_size=3) | finite.map(repr))
@example("+-5")
@example("1_0.0_1e1_0")
@example("1e400")
@example("9" * 400)
@example("٣")
def test_a_text_is_a_number_where_the_store_casts_it(store: Store, text: str) -> None:
    if "\0" in text or not text.isprintable():
        return
    rows = store.db.execute("SELECT TRY_CAST(? AS DOUBLE)", [text]).fetchall()
    cast = rows[0][0]
    expected = cast if cast is not None and math.isfinite(cast) else None
    assert number_of_text(text) == expected


@given(st.lists(finite.filter(math.isfinite), min_size=1, max_size=20))
def test_doubles_read_as_in_the_store(store: Store, numbers: list[float]) -> None:
    store.hold([entry_with(number) for number in numbers])
    rows = store.db.execute(
        "SELECT variant_extract(fields, 'x')::VARCHAR FROM entries ORDER BY rowid"
    ).fetchall()
    assert [text for (text,) in rows] == [text_of(number) for number in numbers]


@given(
    st.lists(finite.filter(math.isfinite) | st.integers(-(2**63), 2**64 - 1)),
    st.booleans(),
)
def test_a_number_is_found_by_how_it_reads(
    store: Store, numbers: list[float], sign: bool
) -> None:
    """As Python and JSON write it, with every text of it for both forms."""
    for number in numbers:
        for text in (repr(number), f"{number:e}".replace("e+", "e") if sign else "7"):
            query = compile_filter(f'x:"{text}"')
            entry = entry_with(number)
            store.hold([entry])
            assert store.finds(query.sql) == [query.matches(entry)]
            assert query.matches(entry) or text != repr(number)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("abc", {"abc"}),
        ("", {""}),
        ("500", {"500", "500.0"}),
        ("-500", {"-500", "-500.0"}),
        ("500.0", {"500.0", "500"}),
        ("500.00", {"500.00", "500.0", "500"}),
        ("5e2", {"5e2", "500", "500.0"}),
        ("1.5", {"1.5"}),
        ("1.50", {"1.50"}),
        ("1.50e0", {"1.50e0", "1.5"}),
        ("0.00001", {"0.00001", "1e-05"}),
        ("0", {"0", "0.0", "-0.0"}),
        ("-0.00", {"-0.00", "0", "0.0", "-0.0"}),
        ("0500", {"0500"}),
        ("+5", {"+5"}),
        ("1e999", {"1e999"}),
        ("1e16", {"1e16", "1e+16", "10000000000000000"}),
        ("9007199254740993", {"9007199254740993"}),
        ("9007199254740993.0", {"9007199254740993.0", "9007199254740993"}),
        ("18446744073709551616", {"18446744073709551616", "1.8446744073709552e+19"}),
        ("1" + "0" * 30, {"1" + "0" * 30, "1e+30"}),
    ],
)
def test_spellings_of_a_value(text: str, expected: set[str]) -> None:
    assert set(spellings(text)) == expected


@pytest.mark.parametrize(
    ("value", "text", "number"),
    [
        ("a", "a", None),
        (" 5 ", " 5 ", 5.0),
        (True, "true", None),
        (False, "false", None),
        (7, "7", 7.0),
        (2**64 - 1, "18446744073709551615", float(2**64)),
        (2**64, "1.8446744073709552e+19", float(2**64)),
        (-(2**63) - 1, "-9.223372036854776e+18", -float(2**63)),
        (10**400, "inf", None),
        (-(10**400), "-inf", None),
        (1.0, "1.0", 1.0),
        (None, None, None),
        ([], None, None),
        ({}, None, None),
    ],
)
def test_values_as_text_and_as_number(
    value: Any, text: str | None, number: float | None
) -> None:
    assert text_of(value) == text
    assert number_of(value) == number


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (("200", "200.0"), (200.0,)),
        (("200",), ()),
        (("200", "200.0", "x", "1.10"), (200.0,)),
        (("0", "0.0", "-0.0"), (0.0,)),
        (("0", "0.0"), ()),
        (("0.5",), (0.5,)),
        (("0.5", "7", "7.0"), (0.5, 7.0)),
        (("0.5", "inf"), ()),
        (("0.5", "nan"), ()),
        (("9007199254740992", "9007199254740992.0"), ()),
        (("a", "1.10"), ()),
        ((), ()),
    ],
)
def test_numbers_that_stand_for_texts(
    texts: tuple[str, ...], expected: tuple[float, ...]
) -> None:
    assert numbers_alone(texts) == expected


JSON_NUMBERS = st.one_of(
    st.integers(-300, 300),
    st.integers(-(2**63), 2**64 - 1),
    st.integers(-30, 30).map(lambda tenths: tenths / 10),
    st.floats(),
)


@given(st.lists(JSON_NUMBERS, max_size=3), JSON_NUMBERS)
def test_a_number_is_one_of_those_where_its_text_is_one_of_the_texts(
    asked: list[float], value: float
) -> None:
    texts = [text for one in asked for text in spellings(text_of(one) or "")]
    if numbers := numbers_alone(texts):
        for one in (value, *asked):
            assert (text_of(one) in texts) == (float(one) in numbers)
