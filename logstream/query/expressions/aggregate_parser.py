"""Aggregates as they are written: `count() if (level:error) as errors`."""

from logstream.query.elsewhere import aggregate_hint
from logstream.query.expressions.aggregates import AGGREGATES, Aggregate, share_of
from logstream.query.expressions.cursor import Cursor
from logstream.query.expressions.nodes import Expression
from logstream.query.expressions.parser import parse_expression
from logstream.query.nodes import Expr


def parse_aggregate(cursor: Cursor) -> Aggregate:
    """`count() if (level:error) as errors`."""
    start = cursor.here
    function = cursor.name("a function such as count()").lower()
    if function not in AGGREGATES:
        near = cursor.near(start)
        hint = aggregate_hint(function, AGGREGATES, near)
        cursor.fail(f"there is no {function}() to compute here{hint}", start)
    arguments: list[Expression] = []
    if function == "count" and not cursor.sees("("):
        pass  # `stats count by host`, as SPL has it
    else:
        cursor.expect("(")
        if cursor.accept("*"):
            pass  # count(*)
        elif not cursor.sees(")"):
            arguments.append(parse_expression(cursor))
            while cursor.accept(","):
                arguments.append(parse_expression(cursor))
        cursor.expect(")")
    kind = AGGREGATES[function]
    if not kind.least <= len(arguments) <= kind.most:
        cursor.fail(f"write {kind.shown}", start)
    if function == "quantile" and share_of(arguments) is None:
        cursor.fail("write quantile(took, 0.95), with a number from 0 to 1", start)
    condition = _condition(cursor)
    name = None
    if cursor.accept_word("as") or _sees_short_name(cursor):
        name = cursor.name("its name")
    return Aggregate(function, tuple(arguments), condition, name)


def _condition(cursor: Cursor) -> Expr | None:
    if not cursor.accept_word("if"):
        return None
    if not cursor.accept("("):
        cursor.expected("a filter in brackets, as in `if (level:error)`")
    condition = cursor.filter()
    cursor.expect(")")
    return condition


def _sees_short_name(cursor: Cursor) -> bool:
    """Whether a name comes next: one of the aggregate, without `as`."""
    if cursor.sees_word("by") or not cursor.sees_name() or _sees_call(cursor):
        return False
    start, word = cursor.mark(), cursor.next()
    if not word.is_quoted and cursor.sees_word("by") and word.text.lower() == "group":
        cursor.fail("write by, without group", word)
    cursor.back(start)
    return True


def _sees_call(cursor: Cursor) -> bool:
    """Whether a name and a bracket come next: one more of these, without a comma."""
    start = cursor.mark()
    found = cursor.sees_name() and cursor.next() is not None and cursor.sees("(")
    cursor.back(start)
    return found


def parse_aggregates(cursor: Cursor) -> tuple[Aggregate, ...]:
    """One or more, with commas or, as SPL has it, blanks between."""
    found = [parse_aggregate(cursor)]
    while cursor.accept(",") or _sees_call(cursor):
        found.append(parse_aggregate(cursor))
    return tuple(found)
