"""Expressions, by recursive descent.

or         = and { "or" and }
and        = not { "and" not }
not        = "not" not | comparison
comparison = sum [ SIGN sum | ["not"] "in" "(" … ")" | "is" ["not"] "null" ]
sum        = product { ("+" | "-") product }
product    = factor { ("*" | "/" | "%") factor }
factor     = "-" factor | "(" or ")" | literal | NAME | NAME "(" [ or { "," or } ] ")"
"""

from collections.abc import Callable
from typing import cast

from logstream.core.errors import QuerySyntaxError
from logstream.query.expressions.cursor import Cursor
from logstream.query.expressions.function_kinds import wrong_pattern
from logstream.query.expressions.functions import FUNCTIONS, function_called
from logstream.query.expressions.nodes import (
    KEYWORDS,
    Among,
    Call,
    Every,
    Expression,
    Name,
    Negation,
    Negative,
    Null,
    Number,
    OneOf,
    Operation,
    Sign,
    Some,
    Span,
    Text,
    Truth,
)
from logstream.query.expressions.tokens import Mark

MAX_ROW = 100
_COMPARE = ("=", "==", "!=", "<>", "<", "<=", ">", ">=", "~", "!~")
_SAME = {"==": "=", "<>": "!="}
_ALIASES = {"range": "bucket"}
_WORDS: dict[str, Expression] = {
    "true": Truth(True),
    "false": Truth(False),
    "null": Null(),
}


def parse_expression(cursor: Cursor) -> Expression:
    """One expression, as far as it goes.

    Raises:
        QuerySyntaxError: there is none, or it is over a limit.
    """
    return _or(cursor)


def _or(cursor: Cursor) -> Expression:
    terms = [_and(cursor)]
    while cursor.accept_word("or"):
        terms.append(_and(cursor))
    return terms[0] if len(terms) == 1 else Some(tuple(terms))


def _and(cursor: Cursor) -> Expression:
    terms = [_not(cursor)]
    while cursor.accept_word("and"):
        terms.append(_not(cursor))
    return terms[0] if len(terms) == 1 else Every(tuple(terms))


def _not(cursor: Cursor) -> Expression:
    if not (cursor.accept_word("not") or cursor.accept("!")):
        return _comparison(cursor)
    cursor.count()
    cursor.enter()
    inner = _not(cursor)
    cursor.leave()
    return Negation(inner)


def _comparison(cursor: Cursor) -> Expression:
    left = _sum(cursor)
    if cursor.sees(*_COMPARE):
        sign = cursor.next().text
        sign = _SAME.get(sign, sign)
        cursor.count()
        start = cursor.here
        right = _sum(cursor)
        if sign in ("~", "!~") and (wrong := wrong_pattern(right)) is not None:
            cursor.fail(f"with {sign}, {wrong}", start)
        return Operation(cast("Sign", sign), left, right)
    if cursor.here.mark is not Mark.NAME:
        return left
    if cursor.accept_word("is"):
        negated = cursor.accept_word("not")
        cursor.expect_word("null")
        missing = Call("is_null", (left,))
        return Negation(missing) if negated else missing
    negated = cursor.accept_word("not")
    if cursor.accept_word("in"):
        inside = _in(cursor, left)
        return Negation(inside) if negated else inside
    if negated:
        cursor.expected("in")
    return left


def _in(cursor: Cursor, value: Expression) -> Expression:
    cursor.expect("(")
    start = cursor.mark()
    try:
        options = _arguments(cursor)
        cursor.expect(")")
    except QuerySyntaxError as error:
        cursor.back(start)
        return _among(cursor, value, error)
    if not options:
        cursor.fail("expected values between the brackets")
    return OneOf(value, options)


def _among(cursor: Cursor, value: Expression, error: QuerySyntaxError) -> Expression:
    """No list: a sub-query, if it is one; else the first error counts."""
    from logstream.query.query import parse_inner

    cursor.enter()
    try:
        query = parse_inner(cursor)
    except QuerySyntaxError as second:
        raise (second if second.offset > error.offset else error) from None
    if not query.pipes:
        raise error
    cursor.expect(")")
    cursor.leave()
    return Among(value, query)


def _sum(cursor: Cursor) -> Expression:
    return _chain(cursor, ("+", "-"), _product)


def _product(cursor: Cursor) -> Expression:
    return _chain(cursor, ("*", "/", "%"), _factor)


def _chain(
    cursor: Cursor, signs: tuple[str, ...], operand: Callable[[Cursor], Expression]
) -> Expression:
    left = operand(cursor)
    length = 0
    first = left  # `(a + b) + c` is `a + b + c`
    while isinstance(first, Operation) and first.sign in signs:
        first, length = first.left, length + 1
    while cursor.sees(*signs):
        length += 1
        if length > MAX_ROW:
            cursor.fail(f"at most {MAX_ROW} operations in a row: use eval")
        sign = cursor.next().text
        cursor.count()
        left = Operation(cast("Sign", sign), left, operand(cursor))
    return left


def _factor(cursor: Cursor) -> Expression:
    cursor.count()
    match cursor.here.mark:
        case Mark.NAME:
            return _named(cursor)
        case Mark.NUMBER:
            return Number(cursor.next().number)
        case Mark.SPAN:
            return Span(cursor.next().number)
        case Mark.TEXT:
            return Text(cursor.next().text)
        case _:
            return _signed(cursor)


def _signed(cursor: Cursor) -> Expression:
    if cursor.accept("-"):
        cursor.enter()
        inner = _factor(cursor)
        cursor.leave()
        return Negative(inner)
    if cursor.accept("("):
        cursor.enter()
        found = _or(cursor)
        cursor.expect(")")
        cursor.leave()
        return found
    return cursor.expected("a name, a value or '('")


def _named(cursor: Cursor) -> Expression:
    here = cursor.next()
    word = here.text.lower()
    if not here.is_quoted and word in _WORDS:
        return _WORDS[word]
    if (
        not here.is_quoted
        and cursor.sees("(")
        and (word == "if" or word not in KEYWORDS)
    ):
        if word not in FUNCTIONS:
            cursor.fail(function_called(word), here)
        cursor.next()
        cursor.enter()
        arguments = _arguments(cursor)
        cursor.expect(")")
        cursor.leave()
        if (wrong := FUNCTIONS[word].check(arguments)) is not None:
            cursor.fail(wrong, here)
        return Call(_ALIASES.get(word, word), arguments)
    if not here.is_quoted and word in KEYWORDS:
        cursor.fail(f"expected a name or a value, found {here.shown}", here)
    return Name(here.text)


def _arguments(cursor: Cursor) -> tuple[Expression, ...]:
    if cursor.sees(")"):
        return ()
    found = [_or(cursor)]
    while cursor.accept(","):
        found.append(_or(cursor))
    return tuple(found)
