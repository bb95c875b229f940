"""Tests of one text, in SQL: of a field's value, or of an element of an array."""

from typing import assert_never

from logstream.core.sql import Sql
from logstream.query.conditions import (
    Fits,
    InNetwork,
    Like,
    NumberBetween,
    OfText,
    OneOf,
    QuantityBetween,
    TextBetween,
)
from logstream.query.fragments import FALSE, of, text_between
from logstream.query.glob import Glob, Wild
from logstream.query.networks import V6, v4_pattern, v6_ends
from logstream.query.quantities import (
    DURATION,
    ENDINGS,
    ONE_DURATION,
    SIZE,
    UNIT_LETTERS,
    UNITS,
)
from logstream.query.regexps import found_by_re2
from logstream.query.words import escape

_ZEROS = "0" * 32


def test_of(condition: OfText | NumberBetween, text: Sql) -> Sql:
    """NULL or not, where the text is NULL."""
    match condition:
        case OneOf(_, texts):
            return _one_of(text, texts)
        case Like(_, glob):
            return _like(text, glob)
        case TextBetween(_, low, high):
            return text_between(text, low, high)
        case Fits(_, pattern):
            return of("regexp_matches({}, ?)", text, found_by_re2(pattern))
        case InNetwork():
            return _in_network(condition, text)
        case QuantityBetween(_, _, _, low_value, high_value):
            value = _quantity(condition, text)
            return of("{} BETWEEN ? AND ?", value, low_value, high_value)
        case NumberBetween(_, low_number, high_number):
            return of("{} BETWEEN ? AND ?", number_in(text), low_number, high_number)
        case _:
            assert_never(condition)


def number_in(text: Sql) -> Sql:
    """The finite double that it is; NaN, or another that is not finite, if none."""
    return of("coalesce(TRY_CAST({} AS DOUBLE), 'NaN'::DOUBLE)", text)


def looks_often(condition: OfText | NumberBetween) -> bool:
    """Whether the test names the text many times: it should not be dear then."""
    return isinstance(condition, QuantityBetween | InNetwork)


def _one_of(value: Sql, texts: tuple[str, ...]) -> Sql:
    if not texts:
        return FALSE
    if len(texts) == 1:
        return of("{} = ?", value, texts[0])
    marks = ", ".join("?" for _ in texts)
    return of(f"{{}} IN ({marks})", value, *texts)


def _like(value: Sql, glob: Glob) -> Sql:
    """LIKE backtracks: with more than two `*` it could take its time for ever."""
    if glob.parts.count(Wild.ANY) > 2:
        signs = {Wild.ANY: ".*", Wild.ONE: "."}
        pattern = "".join(
            signs[part] if isinstance(part, Wild) else escape(part)
            for part in glob.parts
        )
        return of("regexp_full_match({}, ?)", value, f"(?s:{pattern})")
    signs = {Wild.ANY: "%", Wild.ONE: "_"}
    pattern = "".join(
        signs[part] if isinstance(part, Wild) else _escape_like(part)
        for part in glob.parts
    )
    return of("{} LIKE ? ESCAPE '\\'", value, pattern)


def _escape_like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _in_network(condition: InNetwork, text: Sql) -> Sql:
    network = condition.network
    if network.version == 4:
        pattern = v4_pattern(network)
        return of(
            "{} = ? OR regexp_full_match({}, ?)", text, condition.text, text, pattern
        )
    low, high = v6_ends(network)
    return of(
        "CASE WHEN regexp_full_match({}, ?) THEN {} BETWEEN ? AND ? ELSE {} = ? END",
        *(text, V6, _digits(text), low, high, text, condition.text),
    )


def _digits(text: Sql) -> Sql:
    """The 32 digits of an IPv6 address: what `::` stands for is filled with zeros."""
    parts = [
        of(
            f"array_to_string(list_transform(list_filter(string_split(split_part({{}}, "
            f"'::', {side}), ':'), lambda g: g <> ''), lambda g: lpad(lower(g), 4, '0')"
            "), '')",
            text,
        )
        for side in (1, 2)
    ]
    zeros = of(f"left('{_ZEROS}', 32 - length({{}}) - length({{}}))", *parts)
    return of("({} || {} || {})", parts[0], zeros, parts[1])


def _quantity(condition: QuantityBetween, text: Sql) -> Sql:
    """NULL where there is none."""
    read = _seconds(text) if condition.kind == "duration" else _bytes(text)
    number = of("TRY_CAST({} AS DOUBLE)", text)
    return of(
        "CASE WHEN {} IS NOT NULL THEN {} * ? ELSE {} END",
        *(number, number, condition.scale, read),
    )


def _seconds(text: Sql) -> Sql:
    """One unit, such as `250ms`, is read without groups: 85 ms for 1 000 000 (fast
    form), 820 ms (safe); with them it would be 13 s.
    """
    ends = " ".join("WHEN ends_with({}, ?) THEN ?" for _ in ENDINGS)
    scales = [part for unit, scale in ENDINGS.items() for part in (text, unit, scale)]
    one = of(
        f"TRY_CAST(rtrim({{}}, ?) AS DOUBLE) * CASE {ends} END",
        *(text, UNIT_LETTERS, *scales),
    )
    return of(
        "CASE WHEN regexp_full_match({}, ?) THEN {} "
        "WHEN regexp_full_match({}, ?) AND regexp_matches({}, '[0-9]') THEN {} END",
        *(text, ONE_DURATION, one, text, DURATION, text, _sum(text)),
    )


def _sum(text: Sql) -> Sql:
    """Of several units. The lambda is there to take the groups only once."""
    units = UNITS["duration"]
    names = ", ".join(f"'u{at}'" for at in range(len(units)))
    total = Sql("0::DOUBLE")
    for at, scale in enumerate(units.values()):
        total = of(f"{{}} + coalesce(TRY_CAST(p.u{at} AS DOUBLE), 0) * ?", total, scale)
    return of(
        f"list_transform([regexp_extract({{}}, ?, [{names}])], lambda p: {{}})[1] "
        "* CASE WHEN starts_with({}, '-') THEN -1 ELSE 1 END",
        *(text, rf"\A{DURATION}\z", total, text),
    )


def _bytes(text: Sql) -> Sql:
    units = UNITS["size"]
    whens = " ".join("WHEN ? THEN ?" for _ in units)
    return of(
        "CASE WHEN regexp_full_match({}, ?) THEN TRY_CAST(regexp_extract({}, ?, 1) AS "
        f"DOUBLE) * CASE lower(regexp_extract({{}}, ?, 2)) {whens} END END",
        *(text, SIZE, text, SIZE, text, SIZE),
        *(part for pair in units.items() for part in pair),
    )
