"""A tree to a Python function of an entry: the same answer as the SQL's.

The tree is walked once; what comes out is closures that decide nothing twice. For
rules of processors that run in Python, and for entries that are not stored yet.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, assert_never

from logstream.core.entry import Entry
from logstream.core.timestamps import parse_ns
from logstream.query.automaton import Automaton
from logstream.query.conditions import (
    Absent,
    Always,
    Condition,
    Either,
    Fits,
    IdBetween,
    IdIn,
    InAnyField,
    InNetwork,
    Like,
    NumberBetween,
    OfText,
    OneOf,
    Present,
    QuantityBetween,
    Speaks,
    TextBetween,
    TimeBetween,
)
from logstream.query.folding import fold
from logstream.query.glob import Glob, Wild
from logstream.query.meaning import condition_of
from logstream.query.names import Column, Path, Subject
from logstream.query.networks import digits_of, v4_pattern, v6_ends
from logstream.query.nodes import And, Bound, Expr, Not, Or, fold_tree
from logstream.query.numbers import number_of, text_of
from logstream.query.options import with_options_merged
from logstream.query.quantities import in_value
from logstream.query.words import words_of

Matcher = Callable[[Entry], bool]
_Test = Callable[[str], bool]


def matcher_of(expr: Expr) -> Matcher:
    """The function of a tree. Thread-safe.

    Raises:
        BadRequest: see `condition_of`.
    """
    return fold_tree(expr, _visit)


def _visit(node: Expr, inner: Sequence[Matcher]) -> Matcher:
    match node:
        case And():
            return _all(tuple(inner))
        case Or(terms):
            stays, merged = with_options_merged(terms, inner)
            return _any((*map(_matcher, merged), *stays))
        case Not():
            negated = inner[0]
            return lambda entry: not negated(entry)
        case _:
            return _matcher(condition_of(node))


def _all(matchers: tuple[Matcher, ...]) -> Matcher:
    """A loop in the function itself: a generator would take a second frame."""

    def matches(entry: Entry) -> bool:
        for matcher in matchers:  # noqa: SIM110
            if not matcher(entry):
                return False
        return True

    return matches


def _any(matchers: tuple[Matcher, ...]) -> Matcher:
    def matches(entry: Entry) -> bool:
        for matcher in matchers:  # noqa: SIM110
            if matcher(entry):
                return True
        return False

    return matches


def _matcher(condition: Condition) -> Matcher:
    match condition:
        case Always():
            return lambda _: True
        case Speaks(glob):
            return _speaks(glob)
        case IdBetween(low_id, high_id):
            return lambda entry: low_id <= entry.id <= high_id
        case TimeBetween(low_ns, high_ns):
            return lambda entry: low_ns <= parse_ns(entry.timestamp) <= high_ns
        case IdIn(ids):
            known = frozenset(ids)
            return lambda entry: entry.id in known
        case InAnyField(texts, glob):
            return _in_any_field(_like(glob) if glob else frozenset(texts).__contains__)
        case Either(conditions):
            return _any(tuple(map(_matcher, conditions)))
        case _:
            return _of_field(condition)


def _of_field(condition: Present | Absent | NumberBetween | OfText) -> Matcher:
    match condition:
        case Present(path):
            value = _value_of(path)
            return lambda entry: value(entry.fields) is not None
        case Absent(path):
            value = _value_of(path)
            return lambda entry: value(entry.fields) is None
        case NumberBetween(path, low, high):
            return _number_between(path, low, high)
        case _:
            return _text_matcher(condition.subject, _test_of(condition))


def _test_of(condition: OfText) -> _Test:
    match condition:
        case OneOf(_, texts):
            return frozenset(texts).__contains__
        case Like(_, glob):
            return _like(glob)
        case TextBetween(_, low_text, high_text):
            return _between(low_text, high_text)
        case Fits(_, pattern):
            return Automaton(pattern).finds
        case InNetwork():
            return _in_network(condition)
        case QuantityBetween(_, kind, scale, low, high):
            return lambda text: (
                (value := in_value(text, kind, scale)) is not None
                and low <= value <= high
            )
        case _:
            assert_never(condition)


def _in_network(condition: InNetwork) -> _Test:
    network, text = condition.network, condition.text
    if network.version == 4:
        fullmatch = re.compile(v4_pattern(network)).fullmatch
        return lambda value: value == text or fullmatch(value) is not None
    low, high = v6_ends(network)
    return lambda value: (
        value == text
        or ((digits := digits_of(value)) is not None and low <= digits <= high)
    )


def _in_any_field(test: _Test) -> Matcher:
    def matches(entry: Entry) -> bool:
        todo: list[Any] = [entry.fields]
        while todo:
            value = todo.pop()
            if isinstance(value, dict):
                todo.extend(value.values())
            elif isinstance(value, list):
                todo.extend(value)
            elif (text := text_of(value)) is not None and test(text):
                return True
        return False

    return matches


def _speaks(glob: Glob) -> Matcher:
    words = words_of(glob)
    needle = words.needle
    if words.is_plain:
        return lambda entry: needle in fold(entry.message)
    search = words.python().search

    def matches(entry: Entry) -> bool:
        message = fold(entry.message)
        return needle in message and search(message) is not None

    return matches


def _number_between(path: Path, low: float, high: float) -> Matcher:
    value = _value_of(path)

    def matches(entry: Entry) -> bool:
        found = value(entry.fields)
        for one in found if isinstance(found, list) else (found,):
            number = number_of(one)
            if number is not None and low <= number <= high:
                return True
        return False

    return matches


def _text_matcher(subject: Subject, test: _Test) -> Matcher:
    if isinstance(subject, Column):
        name = subject.name
        return lambda entry: test(getattr(entry, name))
    value = _value_of(subject)

    def matches(entry: Entry) -> bool:
        found = value(entry.fields)
        if isinstance(found, list):
            texts = map(text_of, found)
            return any(text is not None and test(text) for text in texts)
        text = text_of(found)
        return text is not None and test(text)

    return matches


def _like(glob: Glob) -> _Test:
    """Linear: each piece is taken where it comes first, for good (`(?>…)`)."""
    runs: list[str] = [""]
    for part in glob.parts:
        if part is Wild.ANY:
            runs.append("")
        else:
            runs[-1] += "." if isinstance(part, Wild) else re.escape(part)
    first, *rest = runs
    steps = "".join(f"(?>.*?{run})" for run in rest[:-1])
    last = f".*{rest[-1]}" if rest else ""
    fullmatch = re.compile(f"(?s:{first}{steps}{last})").fullmatch
    return lambda text: fullmatch(text) is not None


def _between(low: Bound | None, high: Bound | None) -> _Test:
    def test(text: str) -> bool:
        if low is not None and not (
            low.value <= text if low.inclusive else low.value < text
        ):
            return False
        return high is None or (
            text <= high.value if high.inclusive else text < high.value
        )

    return test


def _value_of(path: Path) -> Callable[[dict[str, Any]], Any]:
    """A function of an entry's fields: the value at the path, None when not there."""
    ways = path.ways
    if ways == (ways[0][:1],):
        key = ways[0][0]
        return lambda fields: fields.get(key)

    def value(fields: dict[str, Any]) -> Any:
        for way in ways:
            found: Any = fields
            for key in way:
                found = found.get(key) if isinstance(found, dict) else None
            if found is not None:
                return found
        return None

    return value
